"""Clusters, layouts and neighbours of vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cutline.analysis.clusters import NONE, best_count, find_clusters, keep_numbers, suggest_count
from cutline.analysis.layout import EARLY, LATE, tsne
from cutline.analysis.nearest import balanced_sample, most_similar, near_duplicates, outliers
from cutline.analysis.palette import group_color
from cutline.analysis.projection import principal_components, scale


def groups_of(sizes: list[int], seed: int = 0, noise: float = 0.3, dimensions: int = 64) -> Any:
    """Unit vectors around one direction for each size, and the number of each one's direction."""
    rng = np.random.default_rng(seed)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    middles = rng.normal(size=(len(sizes), dimensions))
    vectors = middles[owners] + noise * rng.normal(size=(len(owners), dimensions))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float16), owners


def reduced_of(vectors: Any) -> Any:
    return principal_components(vectors, np.arange(len(vectors)))


def test_clusters_are_the_groups_the_largest_first_and_the_same_each_time() -> None:
    vectors, owners = groups_of([30, 200, 80])
    found = find_clusters(reduced_of(vectors), 3)
    assert found.labels.tolist() == [{0: 2, 1: 0, 2: 1}[owner] for owner in owners.tolist()]
    assert find_clusters(reduced_of(vectors), 3).labels.tolist() == found.labels.tolist()
    inner = found.distances[owners == 1]
    assert inner.min() >= 0
    assert inner.max() < 1


def test_the_curve_suggests_the_number_of_groups() -> None:
    vectors, _ = groups_of([60] * 8)
    curve = suggest_count(reduced_of(vectors))
    assert best_count(curve) == 8
    assert max(curve, key=lambda point: point[1])[0] == 8
    assert best_count([]) is None


def test_numbers_stay_with_the_cluster_most_alike() -> None:
    before = np.array([0, 0, 0, 1, 1, 1, 2, 2, NONE, NONE], np.uint8)
    now = np.array([2, 2, 2, 0, 0, 3, 1, 1, 1, NONE], np.uint8)
    kept = keep_numbers(now, before)
    assert kept.tolist() == [0, 0, 0, 1, 1, 3, 2, 2, 2, NONE]
    assert keep_numbers(before, np.full(10, NONE, np.uint8)).tolist() == before.tolist()


@pytest.mark.parametrize("vectors", ["equal", "zero", "one", "two", "none"])
def test_vectors_of_which_nothing_can_be_told_are_one_cluster_or_few(vectors: str) -> None:
    some = {
        "equal": np.tile(groups_of([1])[0], (50, 1)),
        "zero": np.zeros((50, 64), np.float16),
        "one": groups_of([1])[0],
        "two": groups_of([1, 1])[0],
        "none": np.empty((0, 64), np.float16),
    }[vectors]
    reduced = reduced_of(some)
    found = find_clusters(reduced, 20)
    assert found.count == {"two": 2, "none": 0}.get(vectors, 1)
    assert len(found.labels) == len(some)
    assert suggest_count(reduced) == []
    assert scale(reduced).shape == (len(some), 2)
    assert tsne(reduced).shape == (len(some), 2)
    assert np.isfinite(tsne(reduced)).all()


def test_layout_brings_groups_together_is_repeatable_and_tells_how_far_it_is() -> None:
    vectors, owners = groups_of([40, 40, 40])
    reduced = reduced_of(vectors)
    seen: list[int] = []
    plane = tsne(reduced, seen.append)
    assert np.abs(plane).max() <= 1
    assert seen == sorted(seen)
    assert (seen[0], seen[-1]) == (0, EARLY + LATE)
    middles = np.array([plane[owners == owner].mean(axis=0) for owner in range(3)])
    nearest = np.linalg.norm(plane[:, None] - middles[None], axis=2).argmin(axis=1)
    assert (nearest == owners).all()
    assert (tsne(reduced) == plane).all()


def test_what_the_progress_raises_ends_the_layout() -> None:
    class Stop(Exception):
        pass

    def progress(done: int) -> None:
        if done:
            raise Stop

    with pytest.raises(Stop):
        tsne(reduced_of(groups_of([40])[0]), progress)


def test_the_most_similar_rows_equal_the_products() -> None:
    vectors, _ = groups_of([500], noise=2)
    places = np.array([*range(499, -1, -2), -1, -1], np.int32)
    found = most_similar(vectors, places, vectors[3].astype(np.float32), 20)
    products = vectors[places[:-2]].astype(np.float32) @ vectors[3].astype(np.float32)
    assert set(found.rows.tolist()) == set(np.argsort(-products)[:20].tolist())
    assert found.scores == pytest.approx(np.sort(products)[::-1][:20], abs=1e-5)


@pytest.mark.parametrize("least", [0.7, 0.9, 0.99])
def test_each_near_duplicate_is_near_the_first_of_its_group(least: float) -> None:
    rng = np.random.default_rng(5)
    base, _ = groups_of([300], seed=3, noise=3)
    copies = base[rng.integers(0, 300, 1500)] + rng.normal(size=(1500, 64)) * 0.05 * rng.random((1500, 1))
    every = np.concatenate([base, copies])
    every = (every / np.linalg.norm(every, axis=1, keepdims=True)).astype(np.float16)
    seen: list[int] = []
    groups = near_duplicates(
        reduced_of(every), lambda rows: every[rows].astype(np.float32), least, seen.append
    )
    unit = every.astype(np.float32)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    first_of = np.full(len(every), -1)
    for row in range(len(every)):
        leaders = [one for one in range(row) if first_of[one] == one and unit[row] @ unit[one] >= least]
        first_of[row] = leaders[0] if leaders else row
    wanted = [np.flatnonzero(first_of == one).tolist() for one in range(len(every))]
    assert [group.tolist() for group in groups] == [rows for rows in wanted if len(rows) > 1]
    assert seen[-1] == len(every)


def test_outliers_are_far_for_their_cluster() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1, NONE], np.uint8)
    distances = np.array([1, 1, 1, 2, 0.1, 0.1, 0.1, 0.9, np.nan], np.float32)
    found = outliers(labels, distances, 2)
    assert found.rows.tolist() == [7, 3]
    assert found.scores.tolist() == pytest.approx([9, 2])
    assert outliers(labels, distances, 1).rows.tolist() == [7]
    assert outliers(labels, distances, 100).rows.tolist() == [7, 3], "what is near is none"
    assert outliers(labels, np.ones(9, np.float32), 100).rows.tolist() == []


@pytest.mark.parametrize("count", [0, 1, 2, 7, 10, 23, 500])
def test_a_sample_has_as_many_of_each_cluster_as_can_be(count: int) -> None:
    labels = np.array([0] * 50 + [1] * 3 + [NONE] * 4 + [2] * 20, np.uint8)
    rows = balanced_sample(labels, count, seed=1)
    assert len(rows) == len(set(rows.tolist())) == min(count, 73)
    assert rows.tolist() == balanced_sample(labels, count, seed=1).tolist()
    shares = np.bincount(labels[rows], minlength=3)[:3]
    for share, size in zip(shares.tolist(), (50, 3, 20), strict=True):
        assert share == size or share >= max(shares) - 1
    among = np.arange(60)
    assert set(balanced_sample(labels, count, rows=among).tolist()) <= set(range(53)) | {57, 58, 59}


def test_components_of_a_part_are_close_to_those_of_all(tmp_path: Path) -> None:
    vectors, owners = groups_of([2000, 1000], noise=0.5)
    file = tmp_path / "vectors.f16"
    vectors.tofile(file)
    mapped = np.memmap(file, np.float16, "r", shape=vectors.shape)
    rows = np.arange(0, 3000, 3)
    found = principal_components(mapped, rows)
    assert found.shape == (1000, 50)
    assert np.abs(found.mean(axis=0)).max() < 1e-3
    assert (found.std(axis=0)[:-1] >= found.std(axis=0)[1:] - 1e-6).all()
    assert abs(np.corrcoef(found[:, 0], owners[rows])[0, 1]) > 0.9


def test_colors_differ() -> None:
    colors = [group_color(number) for number in range(60)]
    assert len(set(colors)) == 60
    assert all(len(color) == 7 for color in colors)
