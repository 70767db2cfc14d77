"""The embeddings of a dataset's captions or pictures."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from cutline.analysis.embedding_store import EmbeddingStore, Places
from cutline.app_dirs import cache_dir
from cutline.dataset.dataset_rows import DatasetRows
from cutline.dataset.embedded_contents import (
    CaptionContents,
    Contents,
    FixedTexts,
    Keys,
    Mask,
    PictureContents,
    Texts,
)
from cutline.dataset.picture_keys import PictureKeys
from cutline.dataset.preview import RowNumbers
from cutline.dataset.row_numbers import Rows, row_numbers
from cutline.dataset.writer import Progress, StopEdit
from cutline.encoders.clip import ClipEncoder
from cutline.encoders.encoder import TextEncoder
from cutline.encoders.factory import EFFICIENTNET, MINILM, picture_encoder, text_encoder
from cutline.errors import ConfigError
from cutline.weights import Say

Of: TypeAlias = Literal["captions", "images"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EmbedResult:
    """The counts of ``compute``; each row is in one of them.

    ``computed``: now, also those whose equal content was computed once; ``reused``: existing; ``empty``:
    without a caption; ``failed``: the keys of the pictures that cannot be embedded, with the reason;
    ``stopped``: not reached.
    """

    computed: int = 0
    reused: int = 0
    empty: int = 0
    failed: tuple[tuple[str, str], ...] = ()
    stopped: int = 0


class Embeddings:
    """Unit vectors of the rows of a dataset, from the store of a model.

    The store is shared by all datasets, by content: equal contents are computed once. Methods block; any
    thread may call. Raise ConfigError where the store or the model cannot be used.
    """

    def __init__(
        self,
        dataset: DatasetRows,
        of: Of,
        contents: Contents,
        store: EmbeddingStore,
    ) -> None:
        self.of: Final = of
        self.model: Final = contents.encoder.name
        self.rows: Final = len(dataset)
        self._dataset = dataset
        self.store: Final = store
        self._contents = contents
        self._guard = threading.Lock()
        self._shown = np.full(self.rows, -1, np.int32)
        self._failed: dict[int, str] = {}
        self._looked: tuple[int, Keys, Places] | None = None

    def places(self) -> Places:
        """The index in the store of each row's current content; -1 if it is missing."""
        return self._look()[0]

    def shown_places(self) -> Places:
        """As ``places``; for an edited caption, the index of the one before."""
        self._look()
        with self._guard:
            return self._shown.copy()

    def vectors(self) -> tuple[RowNumbers, npt.NDArray[np.float32]]:
        """The rows with a vector, and the vectors."""
        places = self.places()
        rows = np.flatnonzero(places >= 0)
        self.store.check(places)
        matrix = np.asarray(self.store.matrix[places[rows]], np.float32)
        return rows, matrix / np.linalg.norm(matrix, axis=1, keepdims=True)

    def of_texts(self, texts: pa.ChunkedArray) -> Embeddings:
        """Embeddings of other captions of the rows, null if missing; ConfigError: these are of images."""
        if not isinstance(self._contents, CaptionContents):
            raise ConfigError("comparing sets of captions needs embeddings of captions, not of images")
        return self._captions(FixedTexts(texts))

    def of_captions(self) -> Embeddings:
        """The embeddings of the captions by the same model; ConfigError: it embeds no texts."""
        return self._captions(self._dataset)

    def text_vector(self, text: str) -> npt.NDArray[np.float32]:
        """Embed a text by the same model; ConfigError: it embeds no texts, or the text is blank."""
        if not text.strip():
            raise ConfigError("give words to search for")
        found: npt.NDArray[np.float32] = self._text_encoder().texts([text])[0]
        return found

    def _captions(self, texts: Texts) -> Embeddings:
        return Embeddings(self._dataset, "captions", CaptionContents(texts, self._text_encoder()), self.store)

    def _text_encoder(self) -> TextEncoder:
        if isinstance(self._contents, CaptionContents):
            return self._contents.encoder
        if isinstance(self._contents.encoder, ClipEncoder):
            return self._contents.encoder
        raise ConfigError(
            f"{self.model} embeds no texts: use captions, or pictures by clip, which knows both"
        )

    def stale(self) -> Mask:
        """The rows whose content has no vector yet, such as an edited caption."""
        places, has = self._look()
        stale: Mask = has & (places < 0)
        with self._guard:
            stale[list(self._failed)] = False
        return stale

    def missing(self, rows: Rows | None = None) -> int:
        """The number of missing vectors; equal captions count once."""
        return len(self._wanted(row_numbers(rows, self.rows)))

    def notice(self) -> str:
        """A warning before computing, such as that the model does not understand the captions' language."""
        return self._contents.notice()

    def load(self, say: Say = lambda _: None) -> None:
        """Load the model now instead of on demand; ``say`` receives lines about a download."""
        self._contents.encoder.load(say)

    def compute(
        self,
        progress: Progress | None = None,
        say: Say = lambda _: None,
        rows: Rows | None = None,
    ) -> EmbedResult:
        """Compute missing vectors of ``rows`` or all; saved batch by batch, so that it can be stopped.

        ``progress`` is called with the number computed of ``missing``; StopEdit from it stops cleanly.
        ``say`` receives lines about a download.

        Raises:
            ConfigError: the model cannot be loaded.
            SinkError: the store cannot be written.
        """
        chosen = np.unique(row_numbers(rows, self.rows))
        with self._guard:
            self._failed.clear()
        self._contents.scan()
        first_new = self.store.rows
        wanted = self._wanted(chosen)
        if len(wanted):
            self._contents.encoder.load(say)
            with contextlib.suppress(StopEdit):
                self._compute(wanted, progress or (lambda _: None))
        return self._result(chosen, first_new)

    def _compute(self, rows: RowNumbers, progress: Progress) -> None:
        progress(0)
        for step in self._contents.compute(rows.tolist(), self.store):
            with self._guard:
                self._failed.update(step.failed)
            progress(step.done)

    def _look(self) -> tuple[Places, Mask]:
        """The indices, and which rows have a content."""
        keys, known = self._contents.keys()
        places = self._places(keys)
        places[~known] = -1
        has = self._contents.may_have(known)
        with self._guard:
            moved = (places >= 0) | ~has
            self._shown[moved] = places[moved]
        return places, has

    def _places(self, keys: Keys) -> Places:
        """The indices in the store, updated when contents or the store have changed."""
        rows = self.store.rows
        kept = self._looked
        if kept is None or kept[0] != rows or not np.array_equal(kept[1], keys):
            kept = self._looked = (rows, keys, self.store.places(keys))
        return kept[2].copy()

    def _wanted(self, rows: RowNumbers) -> RowNumbers:
        """One row of each content without a vector."""
        stale = np.intersect1d(np.flatnonzero(self.stale()), rows)
        return self._contents.different(stale)

    def _result(self, rows: RowNumbers, first_new: int) -> EmbedResult:
        places, has = self._look()
        found = places[rows]
        with self._guard:
            failed = dict(self._failed)
        waiting = has[rows] & (found < 0)
        return EmbedResult(
            computed=int((found >= first_new).sum()),
            reused=int(((found >= 0) & (found < first_new)).sum()),
            empty=int((~has[rows]).sum()),
            failed=tuple((self._dataset.entries[row].key, reason) for row, reason in failed.items()),
            stopped=int(waiting.sum()) - len(failed),
        )


def open_embeddings(
    dataset: DatasetRows,
    of: Of,
    model: str | None = None,
    weights: str | None = None,
    device: str = "auto",
) -> Embeddings:
    """The embeddings of captions or images by a model of ``encoders.factory``, by default the packaged one.

    Raises:
        MissingExtra: what the model needs is not installed.
        ConfigError: there is no such model, its weights cannot be loaded, or the store is damaged.
    """
    if of not in get_args(Of):
        raise ConfigError(f"embeddings are of captions or images, not of {of!r}")
    folder = cache_dir() / "embeddings"
    contents: Contents
    if of == "captions":
        contents = CaptionContents(dataset, text_encoder(model or MINILM, weights, device))
    else:
        encoder = picture_encoder(model or EFFICIENTNET, weights, device)
        contents = PictureContents(dataset, encoder, PictureKeys(folder / "pictures.sqlite"))
    used = contents.encoder
    store = EmbeddingStore(folder, used.name, used.fingerprint, used.dimensions)
    return Embeddings(dataset, of, contents, store)
