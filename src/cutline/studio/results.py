"""Results of edits and exports, as JSON."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from cutline.dataset.export.names import FORMATS
from cutline.dataset.export.records import ExportResult
from cutline.dataset.records import EditResult
from cutline.files import name_to_text
from cutline.studio.generation.generation import GenerationResult

_NAMED: Final = 100


def result_json(result: EditResult | ExportResult | GenerationResult) -> dict[str, Any]:
    """Counts, and the first unchanged files."""
    if isinstance(result, GenerationResult):
        return {"id": result.edit, "written": result.captions, **dataclasses.asdict(result)}
    if isinstance(result, ExportResult):
        return {
            "id": None,
            "summary": f"export to {name_to_text(result.output.name)}",
            "output": name_to_text(str(result.output)),
            "format": result.format,
            "is_file": bool(FORMATS[result.format]),
            "written": result.written if result.is_complete else 0,
            "missing": result.missing,
            "conflicts": [],
            "conflict_count": 0,
            "failed": [list(one) for one in result.failed[:_NAMED]],
            "failed_count": len(result.failed),
            "stopped": result.stopped,
        }
    return {
        "id": result.id,
        "summary": result.summary,
        "written": result.written,
        "converted": dict(result.converted),
        "conflicts": list(result.conflicts[:_NAMED]),
        "conflict_count": len(result.conflicts),
        "failed": [list(one) for one in result.failed[:_NAMED]],
        "failed_count": len(result.failed),
        "stopped": result.stopped,
    }
