"""The pictures of a folder and the texts beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from cutline.dataset.caption_cache import CaptionCache, cache_file
from cutline.dataset.caption_files import CaptionFiles
from cutline.dataset.inputs import Listed, counted
from cutline.dataset.scan import Entry, scan
from cutline.files import check_folder, name_to_text
from cutline.locations.stored import LocalFile


class FolderInput(CaptionFiles):
    """A folder: an entry's ``sidecar`` is a file below it. ``cache``: a folder for the caption cache."""

    def __init__(
        self, folder: str, ending: str, text_encoding: str | None, cache: Path | None, *, follow_links: bool
    ) -> None:
        """ConfigError: it is not a folder, or there is no such encoding."""
        check_folder(folder)
        self.place = os.path.realpath(folder)
        super().__init__(self.place, ending, text_encoding, follow_links=follow_links)
        self.unit = "file"
        self.choice_note = ""
        self.with_several = 0
        self._ending = ending
        details = (ending, text_encoding, *(["--follow-links"] if follow_links else []))
        cached = cache_file(cache, self.place, *details) if cache is not None else None
        self._cache = CaptionCache(self.place, self, cached)

    def entries(self, listed: Listed | None = None) -> Sequence[Entry]:
        return list(counted(scan(self.place, ending=self._ending), listed))

    def read_next(self, entries: Sequence[Entry]) -> list[str | None]:
        return self._cache.read(entries)

    def forget(self, row: int) -> None:
        self._cache.forget(row)

    def keep(self, entries: Sequence[Entry], captions: pa.ChunkedArray) -> None:
        self._cache.save(entries, captions)

    def caption_with(self, entry: Entry, content: bytes | None) -> str | None:
        return self.read(entry) if content is None else self.decode_edited(entry, content)

    def earlier(self, entry: Entry, content: bytes | None, other: bytes | None) -> str | None:  # noqa: ARG002
        return None if content is None else self.decode(entry, content)

    def text_name(self, entry: Entry) -> str:
        return name_to_text(os.path.splitext(entry.sidecar)[0]) + ".txt"  # noqa: PTH122 - strings

    def superseded(self) -> list[str]:
        return []

    def written_by(self, model: str) -> Iterable[str]:  # noqa: ARG002
        return ()

    def original(self, entry: Entry) -> str | None:  # noqa: ARG002
        return None

    def provenance(self, entry: Entry) -> tuple[str, str]:  # noqa: ARG002
        return "", ""

    def columns(self, entry: Entry) -> Mapping[str, Any]:  # noqa: ARG002
        return {}

    @property
    def column_types(self) -> Mapping[str, Any]:
        return {}

    def location(self, entry: Entry) -> LocalFile:
        return LocalFile(os.path.join(self.place, entry.picture))  # noqa: PTH118 - strings
