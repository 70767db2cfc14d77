"""The pictures that requests name, send or link to, as samples."""

from __future__ import annotations

import binascii
import os.path
from pathlib import Path

import pybase64
from fastapi import HTTPException

from cutline.locations.roots import ImageRoot
from cutline.locations.stored import InlineBytes, LocalFile, RemoteFile
from cutline.records import Problem, Sample

MAX_NAME = 1_000
MAX_PATH = 4_096


class Pictures:
    """Opens paths below the given folders only; what lies elsewhere is never looked at."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        self._roots = [ImageRoot(str(root)) for root in roots]

    def by_path(self, path: str) -> Sample:
        """The picture at a path, absolute or relative to one of the folders.

        Raises:
            HTTPException: 403, the same whether anything is there, for a path that leads out of them.
        """
        if not self._roots:
            raise HTTPException(403, "paths are not taken here: send the picture itself")
        inside = None
        for root in self._roots:
            _, found = root.find(path, path)
            if isinstance(found, LocalFile):
                if os.path.isfile(found.name):  # noqa: PTH113 - a name that is too long is just not there
                    return Sample(key=path, location=found)
                if os.path.exists(found.name):  # noqa: PTH110
                    return _without(path, "unsupported", "this is no picture")
                inside = found
        if inside is None:
            raise HTTPException(403, "the path is not below a folder that is open to requests")
        return _without(path, "missing", "there is no such picture")

    def by_url(self, url: str) -> Sample:
        return Sample(key=url, location=RemoteFile(url))

    def by_base64(self, text: str, name: str = "image") -> Sample:
        """A picture written as base64, with or without a ``data:`` URL around it.

        Raises:
            HTTPException: 422, for what is no base64.
        """
        encoded = text.partition(",")[2] if text.startswith("data:") else text
        try:
            # Programs write it in lines, each of which ends like this.
            data = pybase64.b64decode(encoded.replace("\r", "").replace("\n", ""), validate=True)
        except (binascii.Error, ValueError):
            raise HTTPException(422, f"{name} is no base64") from None
        return self.by_bytes(data, name)

    def by_bytes(self, data: bytes, name: str) -> Sample:
        return Sample(key=name[:MAX_NAME], location=InlineBytes(data, name[:MAX_NAME]))


def _without(path: str, kind: str, message: str) -> Sample:
    return Sample(key=path, location=None, problem=Problem(kind=kind, message=message))
