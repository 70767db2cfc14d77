"""Principal components of vectors: few numbers that keep most of what tells them apart."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from cutline.errors import MissingExtra

DIMENSIONS: Final = 50
"""Components for clusters and layouts: K-Means on all 384 of a caption takes eight times as long."""
_FITTED: Final = 20_000_000  # numbers: 80 MB, 52,000 rows of 384
_BLOCK: Final = 16_384  # rows
_DIGITS: Final = 6  # finer than float16

Vectors = npt.NDArray[np.float32]
Matrix = npt.NDArray[np.float16] | npt.NDArray[np.float32]


def load_sklearn() -> None:
    """MissingExtra: scikit-learn is not installed."""
    try:
        import sklearn.cluster
        import sklearn.decomposition  # noqa: F401 - the first use in a thread would be slower
    except ImportError:
        raise MissingExtra("analysis of embeddings", "analysis") from None


def principal_components(matrix: Matrix, rows: npt.NDArray[np.int64], seed: int = 0) -> Vectors:
    """The first ``DIMENSIONS`` components of ``matrix[rows]``, or fewer if there are fewer.

    Returns float32 of shape ``(len(rows), components)``, centred, the largest variance first, the sign of
    each component fixed. Fitted on a random part of the rows where all would not fit into memory.
    """
    load_sklearn()
    from sklearn.decomposition import PCA

    size = min(DIMENSIONS, len(rows), matrix.shape[1])
    if len(rows) < 2:
        return np.zeros((len(rows), size), np.float32)
    most = max(DIMENSIONS, _FITTED // matrix.shape[1])
    is_part = len(rows) > most
    fitted = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False)) if is_part else rows
    vectors = _read(matrix, fitted)
    model: Any = PCA(size, svd_solver="covariance_eigh")
    with np.errstate(invalid="ignore"):  # the share of variance, where all vectors are equal
        model.fit(vectors)
    found = np.empty((len(rows), size), np.float32)
    for start in range(0, len(rows), _BLOCK):
        end = start + _BLOCK
        part = _read(matrix, rows[start:end]) if is_part else vectors[start:end]
        found[start:end] = model.transform(part)
    found = np.nan_to_num(found)
    return np.round(found, _DIGITS, out=found) + np.float32(0)  # equal vectors stay equal, and -0 is 0


def _read(matrix: Matrix, rows: npt.NDArray[np.int64]) -> Vectors:
    is_run = len(rows) and rows[-1] - rows[0] == len(rows) - 1 and bool(np.all(np.diff(rows) == 1))
    return (matrix[rows[0] : rows[-1] + 1] if is_run else matrix[rows]).astype(np.float32)


def scale(points: Vectors) -> Vectors:
    """Two columns of coordinates within -1 and 1, with the same scale for both."""
    if not len(points):
        return np.zeros((0, 2), np.float32)
    plane = np.zeros((len(points), 2), np.float32)
    plane[:, : points.shape[1]] = points[:, :2]
    low, high = plane.min(axis=0), plane.max(axis=0)
    half = float((high - low).max()) / 2
    scaled: Vectors = (plane - (low + high) / 2) / np.float32(half or 1.0)
    return scaled
