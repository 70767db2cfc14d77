"""Embeddings of labels, cached on disk for each model."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from cutline.app_dirs import cache_dir
from cutline.encoders.clip import Clip
from cutline.files import write_atomically
from cutline.weights import Say

_CHUNK: Final = 4096
_PROBES: Final = 8
_TOLERANCE: Final = 0.01  # float16 has three digits

_log = logging.getLogger(__name__)


def label_vectors(clip: Clip, labels: Sequence[str], say: Say, *, folder: Path | None = None) -> np.ndarray:
    """Unit vectors of the labels, rounded to float16, as float32 of shape ``(n, dimensions)``.

    Blocks: tens of thousands of labels take minutes without a GPU, once; an interrupted computation is
    resumed. A cache that is damaged or belongs to other weights is rebuilt; one that cannot be written is
    skipped.
    """
    path = (folder or cache_dir() / "labels") / f"{_key(clip, labels)}.npy"
    vectors = _read(path, clip, labels)
    if vectors is None:
        partial = path.with_suffix(".begun.npy")
        vectors = _compute(clip, labels, say, partial)
        _write(path, vectors)
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return vectors.astype(np.float32)


def _key(clip: Clip, labels: Sequence[str]) -> str:
    text = "\0".join([clip.name, *labels])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _compute(clip: Clip, labels: Sequence[str], say: Say, partial: Path) -> np.ndarray:
    """Vectors of all labels; ``partial`` contains those of an interrupted run."""
    # Sorted by length: a batch costs as much as its longest text.
    order = sorted(range(len(labels)), key=lambda at: len(labels[at]))
    vectors = _read(partial, clip, labels, whole=False)
    if vectors is None:
        vectors = np.zeros((len(labels), clip.dimensions), np.float16)
    caching = True
    for start in range(0, len(order), _CHUNK):
        part = order[start : start + _CHUNK]
        if vectors[part].any(axis=1).all():
            continue
        if len(order) > _CHUNK:
            percent = 100 * start // len(order)
            say(f"encoding {len(labels):,} labels with {clip.name}, once: {percent} %")
        vectors[part] = clip.texts([labels[at] for at in part])
        caching = caching and start + _CHUNK < len(order) and _write(partial, vectors)
    return vectors


def _read(path: Path, clip: Clip, labels: Sequence[str], *, whole: bool = True) -> np.ndarray | None:
    """The cached vectors, if they belong to these weights; unless ``whole``, some may be zero."""
    try:
        vectors: np.ndarray = np.load(path, allow_pickle=False)
        _check(vectors, clip, labels, whole=whole)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        _log.info("labels file=%s rebuilt: %s", path, error)
        return None
    return vectors


def _check(vectors: np.ndarray, clip: Clip, labels: Sequence[str], *, whole: bool) -> None:
    """Raises ValueError for vectors that are not those of the labels."""
    if vectors.shape != (len(labels), clip.dimensions) or vectors.dtype != np.float16:
        raise ValueError("of another shape")
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    there = np.arange(len(labels)) if whole else np.flatnonzero(lengths)
    # NaN fails too.
    if not there.size or not np.all(np.abs(lengths[there] - 1) < _TOLERANCE):
        raise ValueError("damaged")
    # The folder may have other weights by now: compare a few labels.
    probes = there[np.unique(np.linspace(0, there.size - 1, _PROBES).astype(int))]
    if np.abs(clip.texts([labels[at] for at in probes]) - vectors[probes]).max() > _TOLERANCE:
        raise ValueError("of other weights")


def _write(path: Path, vectors: np.ndarray) -> bool:
    """Write atomically; returns whether it succeeded."""
    encoded = io.BytesIO()
    np.save(encoded, vectors, allow_pickle=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, encoded.getvalue(), sync=False)  # another run may be reading
    except OSError as error:
        _log.warning("labels' vectors cannot be cached in %s: %s", path.parent, error.strerror)
        return False
    return True
