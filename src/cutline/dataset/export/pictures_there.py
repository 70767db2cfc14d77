"""The pictures of a folder that texts are written into: each text has the name of the picture it is of."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import Path, PurePath

from cutline.dataset.export.records import ExportItem
from cutline.dataset.scan import Entry, scan
from cutline.errors import ConfigError
from cutline.files import name_to_text


class PicturesThere:
    """Finds them by the end of a key's path, as long as can be, else by a file name that is there once."""

    def __init__(self, folder: Path) -> None:
        """A folder that is missing or has no pictures takes all texts under their own names."""
        self._folder = name_to_text(str(folder))
        self._texts: dict[str, str] = {}  # by path with and without extension; empty for several
        self._names: dict[str, list[str]] = defaultdict(list)
        self._taken: dict[str, str] = {}
        self._found = 0
        self.alone: list[str] = []
        """The keys whose texts are beside no picture of a folder that has some."""
        for entry in scan(str(folder)) if folder.is_dir() else ():
            text = _text_of(entry)
            stem = str(PurePath(entry.key).with_suffix(""))
            self._texts[entry.key] = text
            self._texts[stem] = text if self._texts.get(stem, text) == text else ""
            for name in {entry.key, stem}:
                self._names[PurePath(name).name].append(text)

    def place(self, item: ExportItem) -> ExportItem:
        """The item with the name of the text beside its picture.

        Raises:
            ConfigError: the text of another row is beside that picture.
        """
        if not self._texts:
            return item
        text = self._find(item.key)
        if text is None:
            self.alone.append(item.key)
            return item
        if (other := self._taken.setdefault(text, item.key)) != item.key:
            raise ConfigError(
                f"{other} and {item.key} are both of the picture beside {text} in {self._folder}: choose the "
                "folder that holds the pictures of both, or one of them with --where"
            )
        self._found += 1
        return dataclasses.replace(item, text_name=text)

    def check(self) -> None:
        """Raise ConfigError if no text is beside a picture."""
        if self.alone and not self._found:
            raise ConfigError(
                f"no text would be beside a picture of {self._folder}, as none is named like "
                f"{self.alone[0]}: give the folder of these pictures, or a new folder for the texts alone"
            )

    def _find(self, key: str) -> str | None:
        parts = [part for part in key.split("/") if part]
        for start in range(len(parts)):
            if text := self._texts.get("/".join(parts[start:])):
                return text
        names = self._names.get(parts[-1], []) if parts else []
        return names[0] if len(names) == 1 else None


def _text_of(entry: Entry) -> str:
    text = name_to_text(entry.sidecar)
    return text if text.lower().endswith(".txt") else str(PurePath(text).with_suffix(".txt"))
