"""The store of edited contents: captions in files, everything else in the history."""

from __future__ import annotations

from typing import Final, Protocol

from cutline.dataset.history import History

CAPTION: Final = "/caption/"
MARK: Final = "/mark/"
PICK: Final = "/pick/"
PROPOSAL: Final = "/proposal/"
FAILURE: Final = "/failure/"
SELECTION: Final = "/selection"


class Contents(Protocol):
    """Contents by name. Names of files are relative paths; those of other values begin with a slash."""

    def read(self, file: str) -> bytes | None: ...

    def replace(self, file: str, content: bytes | None) -> None: ...

    def sync(self) -> None: ...

    def remove_parts(self, files: list[str]) -> None: ...


class DatasetContents:
    """Files and values of the history; one edit can change both."""

    def __init__(self, files: Contents, history: History) -> None:
        self._files = files
        self._history = history
        self._pending: dict[str, bytes | None] = {}

    def read(self, file: str) -> bytes | None:
        """The content, or None; raises as ``SidecarFiles``."""
        if file in self._pending:
            return self._pending[file]
        return self._history.value(file) if file.startswith("/") else self._files.read(file)

    def replace(self, file: str, content: bytes | None) -> None:
        """Write a content, or remove it for None; raises as ``SidecarFiles``."""
        if file.startswith("/"):
            self._pending[file] = content
        else:
            self._files.replace(file, content)

    def sync(self) -> None:
        """Flush everything to disk, values in one transaction."""
        if self._pending:
            self._history.store(self._pending)
            self._pending.clear()
        self._files.sync()

    def remove_parts(self, files: list[str]) -> None:
        self._files.remove_parts([file for file in files if not file.startswith("/")])


def is_caption(file: str) -> bool:
    """Whether a content is a caption: a file, or an edited caption of an input without files."""
    return not file.startswith("/") or file.startswith(CAPTION)


def unit_of(file: str) -> str:
    """What a content is, in a word: those of pictures that are no captions have names of their own."""
    if not file.startswith("/"):
        return "file"
    names = {CAPTION: "caption", PROPOSAL: "proposal", PICK: "pick"}
    return next((name for prefix, name in names.items() if file.startswith(prefix)), "picture")
