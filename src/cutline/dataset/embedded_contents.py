"""The embedded content of each row, its caption or its picture, by keys of the content."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import hashlib
import random
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cutline.analysis.embedding_store import KEY, EmbeddingStore, KeySet
from cutline.analysis.language import count_other_languages
from cutline.dataset.dataset_rows import DatasetRows
from cutline.dataset.picture_keys import PictureKeys
from cutline.dataset.preview import RowNumbers
from cutline.encoders.encoder import Encoder, PictureEncoder, TextEncoder
from cutline.encoders.factory import MULTILINGUAL
from cutline.errors import PictureError
from cutline.imaging import Picture
from cutline.processors import usable_processors
from cutline.records import Location

Keys: TypeAlias = npt.NDArray[np.uint8]
"""Of shape ``(rows, 16)``."""
Mask: TypeAlias = npt.NDArray[np.bool_]

_SAMPLE: Final = 2000  # captions whose language is looked at
_OTHERS: Final = 0.1  # of these in other languages are worth a notice
_CAPTIONS: Final = 256  # in a batch, after which computing can be stopped
_PICTURES: Final = 32
_AHEAD: Final = 64  # pictures that are decoded before they are needed


def content_key(content: bytes) -> bytes:
    """A 16-byte hash of a picture's file, or of a caption in UTF-8."""
    return hashlib.blake2b(content, digest_size=KEY).digest()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The number of finished rows of ``compute``, and the rows that failed since, with the reason."""

    done: int
    failed: Mapping[int, str] = dataclasses.field(default_factory=dict)


class Contents(Protocol):
    """The contents by row, and their encoder."""

    @property
    def encoder(self) -> Encoder: ...

    def keys(self) -> tuple[Keys, Mask]:
        """The key of each row's current content, and which rows have a known one."""

    def may_have(self, known: Mask) -> Mask:
        """Which rows have, or may have, a content."""

    def scan(self) -> None:
        """Detect changes."""

    def notice(self) -> str:
        """A warning about contents and encoder; mostly empty."""

    def different(self, rows: RowNumbers) -> RowNumbers:
        """One row of each known content."""

    def compute(self, rows: Sequence[int], store: EmbeddingStore) -> Iterator[Step]:
        """Add the vectors of the rows' contents to the store, batch by batch."""


class Texts(Protocol):
    """Captions by row, null if missing, such as those of a dataset."""

    def texts(self) -> pa.ChunkedArray: ...


class FixedTexts:
    """Captions that do not change."""

    def __init__(self, texts: pa.ChunkedArray) -> None:
        self._texts = texts

    def texts(self) -> pa.ChunkedArray:
        return self._texts


class CaptionContents:
    """The current captions of all rows."""

    def __init__(self, dataset: Texts, encoder: TextEncoder) -> None:
        self.encoder: Final = encoder
        self._dataset = dataset
        self._guard = threading.Lock()
        self._blocks: list[tuple[pa.Array, Keys, Mask]] = []

    def keys(self) -> tuple[Keys, Mask]:
        """The key of each row's current caption, and which rows have one that is not blank."""
        texts = self._dataset.texts()
        with self._guard:
            del self._blocks[texts.num_chunks :]
            for at, chunk in enumerate(texts.chunks):
                if at == len(self._blocks):
                    self._blocks.append((chunk, *_caption_keys(chunk)))
                elif not chunk.equals(self._blocks[at][0]):
                    self._blocks[at] = (chunk, *_caption_keys(chunk))
            keys = [np.empty((0, KEY), np.uint8), *(each[1] for each in self._blocks)]
            masks = [np.empty(0, np.bool_), *(each[2] for each in self._blocks)]
            return np.concatenate(keys), np.concatenate(masks)

    def may_have(self, known: Mask) -> Mask:
        return known

    def scan(self) -> None:
        """Edits are noticed by ``keys``."""

    def notice(self) -> str:
        if not self.encoder.is_english:
            return ""
        texts = self._dataset.texts().drop_null()
        step = max(1, len(texts) // _SAMPLE)
        sample = texts.take(pa.array(range(0, len(texts), step), pa.int64())).to_pylist()
        others = count_other_languages(sample)
        if others < max(1, len(sample) * _OTHERS):
            return ""
        return (
            f"about {others / len(sample):.0%} of the captions are not in English, the only language that "
            f"{self.encoder.name} knows: vectors of other languages mean little; {MULTILINGUAL} knows 50"
        )

    def different(self, rows: RowNumbers) -> RowNumbers:
        keys, _ = self.keys()
        _, first = np.unique(keys[rows], axis=0, return_index=True)
        return rows[np.sort(first)]

    def compute(self, rows: Sequence[int], store: EmbeddingStore) -> Iterator[Step]:
        texts = self._dataset.texts().take(pa.array(rows, pa.int64())).to_pylist()
        order = sorted(range(len(rows)), key=lambda at: len(texts[at] or ""))
        batches = [order[start : start + _CAPTIONS] for start in range(0, len(order), _CAPTIONS)]
        random.Random(0).shuffle(batches)  # noqa: S311 - short ones first would make the estimate too low
        done = 0
        for batch in batches:
            chosen = [texts[at] or "" for at in batch]
            store.add([content_key(text.encode()) for text in chosen], self.encoder.texts(chosen))
            done += len(batch)
            yield Step(done=done)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadPicture:
    """A picture that was read: its key, and its decoded form, None if not needed.

    ``version``: its ``Location.content_id`` before it was read. ``problem``: why it cannot be embedded.
    """

    row: int
    location: Location | None = None
    version: str = ""
    key: bytes = b""
    image: Any = None
    problem: PictureError | None = None


class PictureContents:
    """The pictures of all rows; their keys are known once they have been read."""

    def __init__(self, dataset: DatasetRows, encoder: PictureEncoder, kept: PictureKeys) -> None:
        self.encoder: Final = encoder
        self._dataset = dataset
        self._kept = kept
        self._guard = threading.Lock()
        self._keys = np.zeros((len(dataset), KEY), np.uint8)
        self._known = np.zeros(len(dataset), np.bool_)
        self._is_scanned = False

    def keys(self) -> tuple[Keys, Mask]:
        """The key of each row's picture, and which rows have one; see ``scan``."""
        with self._guard:
            if not self._is_scanned:
                self._scan()
            return self._keys.copy(), self._known.copy()

    def scan(self) -> None:
        """Detect changed pictures by size and time."""
        with self._guard:
            self._scan()

    def may_have(self, known: Mask) -> Mask:
        """Pictures that were not read yet count as contents."""
        return np.ones_like(known)

    def notice(self) -> str:
        return ""

    def different(self, rows: RowNumbers) -> RowNumbers:
        return rows

    def compute(self, rows: Sequence[int], store: EmbeddingStore) -> Iterator[Step]:
        batch: list[ReadPicture] = []
        failed: dict[int, str] = {}
        known = store.known()
        for done, picture in enumerate(self._read_all(rows, known), 1):
            if picture.problem is None:
                batch.append(picture)
            else:
                failed[picture.row] = f"{picture.problem.kind}: {picture.problem}"
            if len(batch) == _PICTURES or done == len(rows):
                new = {each.key: each.image for each in batch if each.image is not None}
                if new:
                    store.add(list(new), self.encoder.pictures(list(new.values())))
                    known.include(new)
                self._note(batch)
                yield Step(done=done, failed=failed)
                batch, failed = [], {}

    def _read_all(self, rows: Sequence[int], known: KeySet) -> Iterator[ReadPicture]:
        """Read pictures in threads, in order; unknown ones are decoded."""
        workers = max(2, usable_processors())
        pool = concurrent.futures.ThreadPoolExecutor(workers, thread_name_prefix="pictures")
        waiting: deque[concurrent.futures.Future[ReadPicture]] = deque()
        try:
            for row in rows:
                waiting.append(pool.submit(self._read, row, known))
                if len(waiting) > _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _read(self, row: int, known: KeySet) -> ReadPicture:
        try:
            location = self._dataset.location(row)
            version = location.content_id()
            picture = Picture(location)
            key = content_key(picture.data)
            image = self.encoder.decode(picture) if known.lacks(key) else None
        except PictureError as error:
            return ReadPicture(row=row, problem=error)
        return ReadPicture(row=row, location=location, version=version, key=key, image=image)

    def _note(self, pictures: Sequence[ReadPicture]) -> None:
        """Save the keys of pictures that were read."""
        with self._guard:
            for each in pictures:
                self._keys[each.row] = np.frombuffer(each.key, np.uint8)
                self._known[each.row] = True
        self._kept.keep((each.location, each.version, each.key) for each in pictures if each.location)

    def _scan(self) -> None:
        found = self._kept.find([self._location(row) for row in range(len(self._keys))])
        for row, key in enumerate(found):
            self._known[row] = key is not None
            if key is not None:
                self._keys[row] = np.frombuffer(key, np.uint8)
        self._is_scanned = True

    def _location(self, row: int) -> Location | None:
        with contextlib.suppress(PictureError):
            return self._dataset.location(row)
        return None


def _caption_keys(texts: pa.Array) -> tuple[Keys, Mask]:
    found = [text if text and not text.isspace() else None for text in texts.to_pylist()]
    keys = b"".join(bytes(KEY) if text is None else content_key(text.encode()) for text in found)
    return np.frombuffer(keys, np.uint8).reshape(-1, KEY), np.array(
        [text is not None for text in found], bool
    )
