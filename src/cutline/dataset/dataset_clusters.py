"""The clusters of a dataset: their rows and names, saved for each folder."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import io
import json
import os
import threading
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, Self

import numpy as np
import numpy.typing as npt
import regex

from cutline.analysis.clusters import NONE, Distances, Labels
from cutline.app_dirs import state_dir
from cutline.errors import ConfigError
from cutline.files import write_atomically, write_errors
from cutline.formatting import nearest

Of = Literal["captions", "images"]
Mask = npt.NDArray[np.bool_]

LONGEST: Final = 80
"""Maximum number of characters of a name."""
_DAMAGED: Final = (
    OSError,
    EOFError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    zipfile.BadZipFile,
    zlib.error,
)
_NUMBER: Final = regex.compile(r"\d{1,3}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clustering:
    """``labels`` and ``distances`` have one value for each row; 255 and NaN without a vector.

    ``terms``: those of each cluster's captions. ``given``: names by the user, by number.
    """

    of: Of
    model: str
    labels: Labels
    distances: Distances
    terms: tuple[tuple[str, ...], ...] = ()
    given: dict[int, str] = dataclasses.field(default_factory=dict)

    @property
    def numbers(self) -> list[int]:
        """The numbers of the clusters with rows."""
        return [int(number) for number in np.unique(self.labels) if number != NONE]

    def name(self, number: int) -> str:
        """The user's name for a cluster, or its terms, or its number."""
        terms = self.terms[number] if number < len(self.terms) else ()
        return self.given.get(number) or ", ".join(terms) or f"cluster {number + 1}"

    def mask(self, value: str) -> Mask:
        """The rows of a cluster, by its name or its number from 1. ConfigError: there is no such cluster."""
        wanted = value.strip().lower()
        names = {number: self.name(number) for number in self.numbers}
        found = [number for number, name in names.items() if name.lower() == wanted]
        if not found and _NUMBER.fullmatch(wanted):
            found = [int(wanted) - 1]
        if not found or found[0] not in names:
            part = wanted.strip(" ,")
            near = [name for name in names.values() if part and part in name.lower()]
            near = near[:1] or nearest(part, names.values())
            known = (
                "there is only cluster 1"
                if list(names) == [0]
                else f"there are 1 to {max(names, default=0) + 1}"
            )
            meant = f'; did you mean cluster:"{near[0]}"?' if near else f"; {known}"
            raise ConfigError(f"there is no cluster {value}{meant}")
        return np.isin(self.labels, found)

    def named(self, number: int, name: str) -> Self:
        """With a new name of a cluster, empty to reset it; ConfigError: another one has it."""
        name = " ".join(name.split())
        if len(name) > LONGEST:
            raise ConfigError(f"names of clusters have at most {LONGEST} characters")
        if number not in self.numbers:
            raise ConfigError(f"there is no cluster {number + 1}")
        others = {self.name(other).lower() for other in self.numbers if other != number}
        if name.lower() in others:
            raise ConfigError(f"another cluster is called {name}: choose another name")
        given = {other: kept for other, kept in self.given.items() if other != number}
        return dataclasses.replace(self, given={**given, number: name} if name else given)


class DatasetClusters:
    """The latest clusters of a folder, saved in the user's state folder and not beside the pictures.

    Another process may make new ones. Thread-safe.
    """

    def __init__(self, folder: str, keys: Sequence[str]) -> None:
        """``keys``: paths of the pictures, one for each row."""
        name = hashlib.blake2b(os.fsencode(os.path.realpath(folder)), digest_size=16).hexdigest()
        self._file: Path = state_dir() / "clusters" / f"{name}.npz"
        self._keys = keys
        self._latest: Clustering | None = None
        self._read: tuple[int, int] | None = None  # the state of the file that was read last
        self._guard = threading.Lock()

    def latest(self) -> Clustering | None:
        """The clusters of the current pictures; None if there are none, or the file is damaged."""
        with self._guard:
            if (state := self._state()) != self._read:
                self._read, self._latest = state, self._load()
            return self._latest

    def mask(self, value: str, /) -> Mask:
        """The rows of a cluster, see ``Clustering.mask``; ConfigError: there is no such cluster."""
        clustering = self.latest()
        if clustering is None:
            raise ConfigError("there are no clusters yet: run `cutline cluster`, or open the studio's map")
        return clustering.mask(value)

    def names(self) -> Mapping[str, int]:
        """The names of the clusters, with their numbers of rows."""
        clustering = self.latest()
        if clustering is None:
            return {}
        return {clustering.name(each): int((clustering.labels == each).sum()) for each in clustering.numbers}

    def keep(self, clustering: Clustering) -> None:
        """Replace the clusters. SinkError: they cannot be written."""
        about = {
            "of": clustering.of,
            "model": clustering.model,
            "terms": clustering.terms,
            "given": clustering.given,
        }
        buffer = io.BytesIO()
        np.savez(
            buffer,
            keys=self._digests,
            labels=clustering.labels,
            distances=clustering.distances,
            about=np.frombuffer(json.dumps(about).encode(), np.uint8),
        )
        with self._guard, write_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, buffer.getvalue(), sync=False)
            self._read, self._latest = self._state(), clustering

    @functools.cached_property
    def _digests(self) -> npt.NDArray[np.uint64]:
        joined = b"".join(hashlib.blake2b(os.fsencode(key), digest_size=8).digest() for key in self._keys)
        return np.frombuffer(joined, np.uint64)

    def _state(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_ino

    def _load(self) -> Clustering | None:
        try:
            with self._file.open("rb") as file, np.load(file, allow_pickle=False) as kept:
                about = json.loads(kept["about"].tobytes())
                known, labels, distances = kept["keys"], kept["labels"], kept["distances"]
            found = _by_key(known, self._digests)
            return Clustering(
                of=about["of"],
                model=about["model"],
                labels=np.where(found >= 0, labels[found], NONE).astype(np.uint8),
                distances=np.where(found >= 0, distances[found], np.nan).astype(np.float32),
                terms=tuple(tuple(terms) for terms in about["terms"]),
                given={int(number): str(name) for number, name in about["given"].items()},
            )
        except _DAMAGED:
            return None


def _by_key(known: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """The index of each wanted key among the known ones, or -1."""
    if not len(known):
        return np.full(len(wanted), -1)
    order = np.argsort(known)
    places = np.minimum(np.searchsorted(known, wanted, sorter=order), len(known) - 1)
    found = order[places]
    return np.where(known[found] == wanted, found, -1)
