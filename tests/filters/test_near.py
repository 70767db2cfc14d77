"""Near duplicates: each skipped picture is near the kept one, whatever the order and the number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.filters.near import MAX_DCT, MAX_GRADIENT, Sizes, are_near, nearest_kept


def random_hashes(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 64), dtype=np.uint8)


def flipped(hashes, bits, seed=1):
    """With so many of the first 256 bits changed, spread over few bands."""
    copy = np.unpackbits(hashes, axis=-1)
    places = np.random.default_rng(seed).permutation(256)[:bits]
    copy[..., places] ^= 1
    return np.packbits(copy, axis=-1)


def bits_apart(first, second):
    different = np.unpackbits(first ^ second)
    return int(different[:256].sum()), int(different[256:].sum())


def check(hashes, sizes=Sizes()):  # noqa: B008 - frozen
    found = nearest_kept(hashes, sizes)
    kept = found.kept == np.arange(len(hashes))
    for row in np.flatnonzero(~kept):
        owner = found.kept[row]
        assert kept[owner]
        assert owner < row
        dct, gradient = bits_apart(hashes[row], hashes[owner])
        assert dct <= MAX_DCT or gradient <= MAX_GRADIENT
        rising = (np.unpackbits(hashes[one])[256:].sum(dtype=np.int32) for one in (row, owner))
        assert are_near(np.array([dct]), np.array([gradient]), *rising).all()
        assert found.distance[row] == min(dct, gradient)
    return found


@given(st.integers(0, 10_000), st.integers(1, 40))
@settings(max_examples=30)
def test_each_is_near_the_one_it_names(seed, originals):
    base = random_hashes(originals, seed)
    copies = [flipped(base, bits, seed + bits) for bits in (0, 5, 30, 60, 90)]
    everything = np.concatenate([base, *copies])
    check(everything[np.random.default_rng(seed).permutation(len(everything))])


def test_a_neighbours_neighbour_is_not_skipped():
    first = random_hashes(1)[0]
    chain = [first]
    for step in range(1, 4):  # each 40 bits from the one before, and farther from the first
        bits = np.unpackbits(chain[-1])
        bits[40 * step - 40 : 40 * step] ^= 1
        bits[256 + 40 * step - 40 : 256 + 40 * step] ^= 1
        chain.append(np.packbits(bits))
    found = check(np.stack(chain))
    assert found.kept.tolist() == [0, 0, 2, 2]


def test_halves_find_what_all_pairs_find():
    base = random_hashes(700, 3)
    copies = np.concatenate([flipped(base[:300], bits, bits) for bits in (3, 20, 45)])
    everything = np.concatenate([base, copies])
    everything = everything[np.random.default_rng(4).permutation(len(everything))]
    whole = check(everything)
    parts = check(everything, Sizes(few=16, many=32, chunk=64))
    assert (parts.kept == whole.kept).all()
    assert (parts.distance == whole.distance).all()
    assert (whole.kept == np.arange(len(everything))).sum() == 700


@pytest.mark.parametrize("count", [0, 1, 2, 5000])
def test_any_number_of_the_same_picture_is_one(count):
    hashes = np.repeat(random_hashes(1), count, axis=0)
    found = nearest_kept(flipped(hashes, 0))
    assert (found.kept == 0).all()
    assert (found.distance == 0).all()


def test_random_hashes_are_all_kept():
    assert (check(random_hashes(20_000, 7)).kept == np.arange(20_000)).all()
