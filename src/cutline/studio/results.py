"""What an edit did, as JSON."""

from __future__ import annotations

from typing import Any, Final

from cutline.dataset.records import EditResult

_NAMED: Final = 100


def result_json(result: EditResult) -> dict[str, Any]:
    """Counts, and the first of the files that were left alone."""
    return {
        "id": result.id,
        "summary": result.summary,
        "written": result.written,
        "conflicts": list(result.conflicts[:_NAMED]),
        "conflict_count": len(result.conflicts),
        "failed": [list(one) for one in result.failed[:_NAMED]],
        "failed_count": len(result.failed),
        "stopped": result.stopped,
    }
