"""Pictures in a folder of remote storage, such as ``s3://bucket/photos``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.imaging import EXTENSIONS
from cutline.locations.stored import RemoteObject
from cutline.records import Sample
from cutline.sources.input_files import on_storage
from cutline.sources.names import MAX_TEXT_BYTES, decode_text, extension, no_pictures
from cutline.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator


class RemoteFolderSource:
    """Every picture below a folder that fsspec reaches, or one object; keys as FolderSource makes them."""

    def __init__(self, path: str, *, recursive: bool = True) -> None:
        """Raises ConfigError when nothing can open such a path."""
        self._path = path
        self._recursive = recursive
        open_storage(path)

    def samples(self) -> Iterator[Sample]:
        """Raises ConfigError when the folder cannot be listed or holds no picture."""
        system, _ = open_storage(self._path)
        root, names = self._names()
        listed = set(names)
        top = root.rstrip("/").rpartition("/")[2]
        pictures = [name for name in names if _wanted(name[len(root) :])]
        if not pictures:
            raise ConfigError(no_pictures(self._path))
        for name in pictures:
            key = name[len(root) :]
            folder, _, file_name = key.rpartition("/")
            text = None
            for sidecar in (f"{name}.txt", f"{name.rpartition('.')[0]}.txt"):
                if text is None and sidecar in listed:
                    text = self._text(system, sidecar)
            yield Sample(
                key=key,
                location=RemoteObject(system.unstrip_protocol(name)),
                text=text,
                metadata={"folder": folder or top, "file_name": file_name},
            )

    def count(self) -> int:
        root, names = self._names()
        return sum(1 for name in names if _wanted(name[len(root) :]))

    def _names(self) -> tuple[str, list[str]]:
        """The folder, with a final slash, and every file in it, sorted."""
        system, root = open_storage(self._path)
        root = root.rstrip("/")
        if on_storage(self._path, lambda: system.isfile(root)):
            return root.rpartition("/")[0] + "/", [root]
        depth = None if self._recursive else 1
        return f"{root}/", sorted(on_storage(self._path, lambda: system.find(root, maxdepth=depth)))

    def _text(self, system: object, name: str) -> str | None:
        try:
            with system.open(name, "rb") as file:  # type: ignore[attr-defined]
                data: bytes = file.read(MAX_TEXT_BYTES)
        except Exception as error:  # the drivers' errors have no common root
            raise SourceError(f"{name}: {one_line(error)}") from error
        return decode_text(data).strip() or None


def _wanted(key: str) -> bool:
    hidden = key.startswith(".") or "/." in key
    return not hidden and extension(key.rpartition("/")[2]) in EXTENSIONS
