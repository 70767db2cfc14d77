"""What was measured of pictures, on remote storage: in parts, as the journal is kept there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cutline.engine.remote_journal import RemoteJournal, append_missing, digest_of_parts
from cutline.records import JSON

MEASURES: Final = "measures.jsonl"

_FETCHED: Final = f"{MEASURES}.fetched"


class RemoteMeasures:
    """The measures in ``folder`` on this machine, and their parts below ``root`` on the storage.

    Lines hold for a key and a content, whoever measured: those of several machines are put together, and
    one that is damaged is measured again. ``on_part`` is called after each part that is written. All methods
    raise SinkError.
    """

    def __init__(
        self, storage: Any, root: str, url: str, *, folder: Path, on_part: Callable[[], object]
    ) -> None:
        self._file, self._fetched = folder / MEASURES, folder / _FETCHED
        self._parts = RemoteJournal(storage, root, url, file=self._file, on_part=on_part, name="measures")

    def open(self, mark: JSON) -> None:
        """Fetch what other machines measured since the ``mark`` of this one."""
        listing = self._parts.load()
        sent = mark.get("sent", 0)
        if not listing:
            self._parts.follow({}, 0)
        elif mark.get("parts") == digest_of_parts(listing) and sent <= self._parts.size:
            self._parts.follow(listing, sent)
        else:
            self._put_together(listing, sent)

    def send(self) -> None:
        """Copy the new lines."""
        self._parts.send()

    @property
    def mark(self) -> JSON:
        """How far the storage has what is here."""
        return {"sent": self._parts.sent, "parts": digest_of_parts(self._parts.parts)}

    def _put_together(self, listing: dict[str, int], sent: int) -> None:
        """What is there, and behind it the lines that only this machine has."""
        own = b""
        if sent <= self._parts.size and self._file.exists():
            with self._file.open("rb") as file:
                file.seek(sent)
                own = file.read()
        self._parts.fetch(listing, self._fetched, leave_out_damaged=True)
        there = self._fetched.stat().st_size
        append_missing(own, self._fetched)
        self._fetched.replace(self._file)
        self._parts.follow(listing, there)
