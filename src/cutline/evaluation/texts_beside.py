"""The texts beside the pictures of a folder or a zip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cutline.errors import ConfigError
from cutline.records import JSON
from cutline.sidecars import TextDecoder
from cutline.sources.zips import ZipSource


def sidecar_texts(folder: Path) -> Iterator[tuple[str, str | None]]:
    """The texts of a folder by their path without extension; None if the encoding is uncertain."""
    decoder = TextDecoder(root=str(folder))
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(".txt") and not name.startswith("."):
                file = Path(place, name)
                try:
                    text = decoder.decode(file.read_bytes(), place)
                except OSError as error:
                    raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from None
                yield file.relative_to(folder).as_posix()[:-4], None if text.unsure else text.caption


def zip_rows(path: str) -> Iterator[JSON]:
    """The pictures of a zip that have a text, as rows."""
    for sample in ZipSource(path).samples():
        if sample.text:
            yield {"image_id": sample.key, "caption": sample.text}
