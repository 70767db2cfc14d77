"""The labels' vectors, computed once for a model and kept on disk."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from cutline.app_dirs import cache_dir
from cutline.encoders.clip import Clip
from cutline.weights import Say

_AT_ONCE: Final = 4096
_PROBES: Final = 8
_TOLERANCE: Final = 0.01  # float16 has three digits

_log = logging.getLogger(__name__)


def label_vectors(clip: Clip, labels: Sequence[str], say: Say, *, folder: Path | None = None) -> np.ndarray:
    """The labels' unit vectors, rounded to float16 and given as float32 of shape ``(n, dimensions)``.

    Blocks: tens of thousands of labels take minutes without a GPU, once; when that is broken off, what
    was done is kept. A file that is damaged, or is
    of other weights under the same name, is made again; one that cannot be written is done without.
    """
    path = (folder or cache_dir() / "labels") / f"{_key(clip, labels)}.npy"
    kept = _read(path, clip, labels)
    if kept is None:
        begun = path.with_suffix(".begun.npy")
        kept = _compute(clip, labels, say, begun)
        _write(path, kept)
        with contextlib.suppress(OSError):
            begun.unlink(missing_ok=True)
    return kept.astype(np.float32)


def _key(clip: Clip, labels: Sequence[str]) -> str:
    text = "\0".join([clip.name, *labels])
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _compute(clip: Clip, labels: Sequence[str], say: Say, begun: Path) -> np.ndarray:
    """Every label's vector; those that an earlier run came to are taken from ``begun``."""
    # Equal lengths together, over all of them: a batch costs as much as its longest text.
    order = sorted(range(len(labels)), key=lambda at: len(labels[at]))
    vectors = _read(begun, clip, labels, whole=False)
    if vectors is None:
        vectors = np.zeros((len(labels), clip.dimensions), np.float16)
    keeps = True
    for start in range(0, len(order), _AT_ONCE):
        part = order[start : start + _AT_ONCE]
        if vectors[part].any(axis=1).all():
            continue
        if len(order) > _AT_ONCE:
            percent = 100 * start // len(order)
            say(f"encoding {len(labels):,} labels with {clip.name}, which is kept: {percent} %")
        vectors[part] = clip.texts([labels[at] for at in part])
        keeps = keeps and start + _AT_ONCE < len(order) and _write(begun, vectors)
    return vectors


def _read(path: Path, clip: Clip, labels: Sequence[str], *, whole: bool = True) -> np.ndarray | None:
    """The file's vectors, if they are of these very weights; unless ``whole``, some may be zero."""
    try:
        vectors: np.ndarray = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, EOFError) as error:
        _log.info("labels file=%s made again: %s", path, error)
        return None
    if vectors.shape != (len(labels), clip.dimensions) or vectors.dtype != np.float16:
        _log.info("labels file=%s made again: of another shape", path)
        return None
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    there = np.arange(len(labels)) if whole else np.flatnonzero(lengths)
    # False for what is not a number, too.
    if not there.size or not np.all(np.abs(lengths[there] - 1) < _TOLERANCE):
        _log.info("labels file=%s made again: damaged", path)
        return None
    # A folder may have got other weights since: a few labels tell.
    probes = there[np.unique(np.linspace(0, there.size - 1, _PROBES).astype(int))]
    fresh = clip.texts([labels[at] for at in probes])
    if np.abs(fresh - vectors[probes]).max() > _TOLERANCE:
        _log.info("labels file=%s made again: of other weights", path)
        return None
    return vectors


def _write(path: Path, vectors: np.ndarray) -> bool:
    """Whether they could be kept."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            part = Path(file.name)
            try:
                np.save(file, vectors, allow_pickle=False)
                file.close()
                part.replace(path)  # at once: another run may be reading
            except BaseException:
                file.close()
                part.unlink(missing_ok=True)
                raise
    except OSError as error:
        _log.warning("labels' vectors cannot be kept in %s: %s", path.parent, error.strerror)
        return False
    return True
