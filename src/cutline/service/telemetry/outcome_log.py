"""What became of pictures and jobs, for whoever runs the service: counted, and in the log."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Final

from cutline.credentials import without_credentials
from cutline.formatting import printable
from cutline.records import Failure, Outcome
from cutline.service.http.responses import error_of
from cutline.service.job_status import Task
from cutline.service.telemetry.metrics import Meters
from cutline.storage import is_url

_log = logging.getLogger("cutline.service")
_queue_log = logging.getLogger("cutline.service.queue.queue")
_OUR_FAULT: Final = 500
_NAME: Final = 3  # letters that a word of the message has not by chance
_PLACE: Final = re.compile(r" \([^()]*, line \d+\)$")
_ADDRESS: Final = re.compile(r"\w+://\S+")
_DOWNLOADS: Final = frozenset({"fetch", "blocked-address"})
_HOST: Final = re.compile(r"\w+://([\w.-]+(?::\d+)?|\[[\w.:%]+\](?::\d+)?)(?=[/?#:]|$)")
_BYTES: Final = re.compile(r"""\bb'[^']*'?|\bb"[^"]*"?|[\w+/=-]{80,}""")


class Notes:
    """Told of every picture when it has ended, by whichever route it came."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def note(self, outcome: Outcome, place: tuple[str, int] | None = None) -> None:
        """``place``: the job that the picture is of, and its number in it.

        The log tells a picture's name only where everything is asked for, and no URL's query. It tells
        why a captioner broke, which is for its author to mend, and why a download failed, as clients are
        told the same whatever it was.
        """
        self._meters.note(outcome)
        if not isinstance(outcome, Failure):
            return
        words = [f"kind={outcome.kind}"]
        if place is not None:
            words.append(f"job={place[0]} place={place[1]}")
        if _log.isEnabledFor(logging.DEBUG):
            words.append(f"picture={_shown(outcome.key)}")
        if outcome.kind == "captioner":
            words.append(f"cause={_cause(outcome)}")
        elif outcome.kind in _DOWNLOADS:
            words.append(_of_a_download(outcome))
        is_ours = error_of(outcome).status_code >= _OUR_FAULT
        _log.log(logging.WARNING if is_ours else logging.INFO, "picture failed %s", " ".join(words))


def note_ends(tasks: Iterable[Task]) -> None:
    """Jobs have ended."""
    for task in tasks:
        _queue_log.info(
            "job ended job=%s status=%s captioned=%d failed=%d cancelled=%d seconds=%.1f",
            task.id, task.status, task.captioned, task.failed,
            task.total - task.captioned - task.failed, (task.ended or task.created) - task.created,
        )  # fmt: skip


def _cause(failure: Failure) -> str:
    """What the captioner raised, without the picture's name and without what may be its bytes."""
    place = _PLACE.search(failure.message)
    said = failure.message.removesuffix(place[0]) if place is not None else failure.message
    for name in (failure.key, failure.key.rpartition("/")[2]):
        if len(name) >= _NAME:
            said = said.replace(name, "…")
    said = _BYTES.sub("…", _ADDRESS.sub(lambda found: without_credentials(found[0]), said))
    return printable(said + (place[0] if place is not None else ""))


def _of_a_download(failure: Failure) -> str:
    """The host, a redirect's where that failed, and what was wrong; nothing else of the URL."""
    found = _HOST.match(failure.message) or _HOST.match(failure.key)
    host = f"host={printable(found[1])} " if found else ""
    return f"{host}cause={printable(failure.message.rpartition(': ')[2])}"


def _shown(key: str) -> str:
    return printable(without_credentials(key).partition("?")[0] if is_url(key) else key)
