"""What turns captions and pictures into vectors, and what its weights are known by."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from cutline.errors import MissingExtra
from cutline.imaging import Picture
from cutline.weights import Say

Vectors: TypeAlias = npt.NDArray[np.float32]
"""Of shape ``(n, dimensions)``, of unit length, so that products are cosines."""


class Encoder(Protocol):
    """A model that embeds. Methods block; thread-safe; one thread computes at a time.

    All members but ``name`` raise ConfigError where the weights are not available.
    """

    @property
    def name(self) -> str:
        """As it is given to ``text_encoder`` and ``picture_encoder``."""

    @property
    def dimensions(self) -> int:
        """How many numbers a vector has."""

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits of a hash of the weights: vectors of different ones cannot be compared."""

    def load(self, say: Say = ...) -> None:
        """Load the model now, rather than at the first use; ``say`` receives progress lines."""


class TextEncoder(Encoder, Protocol):
    @property
    def is_english(self) -> bool:
        """Whether it knows English alone, as far as that is known."""

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; what is longer than the model reads is truncated."""


class PictureEncoder(Encoder, Protocol):
    def decode(self, picture: Picture) -> Any:
        """Decode a picture for ``pictures``, no larger than needed; several threads may at once.

        Raises:
            PictureError: it cannot be decoded.
        """

    def pictures(self, images: Sequence[Any]) -> Vectors:
        """Embed what ``decode`` returned."""


def require(feature: str, extra: str, *packages: str) -> None:
    """Raises MissingExtra where a package is not installed; imports none."""
    for package in packages:
        try:
            found = importlib.util.find_spec(package)
        except ValueError:  # blocked
            found = None
        if found is None:
            raise MissingExtra(feature, extra)


def fingerprint_of(files: Iterable[Path], *details: object) -> str:
    """The fingerprint of weights in files, and of ``details`` of how they are used."""
    digest = hashlib.blake2b(digest_size=8)
    for file in sorted(files):
        status = file.stat()
        digest.update(_file_digest(os.fspath(file), status.st_size, status.st_mtime_ns))
    digest.update(repr(details).encode())
    return digest.hexdigest()


@functools.lru_cache(maxsize=64)
def _file_digest(file: str, _size: int, _mtime: int) -> bytes:
    with Path(file).open("rb") as opened:
        return hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).digest()
