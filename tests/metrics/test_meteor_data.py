"""Paraphrases are found by their hashes as they stand in the table, and METEOR's words are those of its normalizer."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import ConfigError
from cutline.metrics import meteor_data
from cutline.metrics.meteor_normalizer import meteor_words

PAIRS = [("a dog", "the hound"), ("a dog", "a puppy"), ("big", "very large"), ("café ☕", "a dog")]


def table(path, pairs):
    lines = "".join(f"0.5\n{one}\n{other}\n" for one, other in pairs)
    path.write_bytes(gzip.compress(lines.encode()))
    return path


def hashes(phrases):
    return meteor_data.mixed(meteor_data.line_sums("".join(f"{one}\n" for one in phrases).encode())[0])


def test_what_stands_for_a_phrase_is_found_in_the_order_of_the_table(tmp_path):
    index = meteor_data._opened(meteor_data._packed(table(tmp_path / "table.gz", PAIRS)))
    phrases = ["nothing", "the hound", "a puppy", "a dog", "big", "café ☕", "very", "large"]
    owners, others = index.among(hashes(phrases))
    found = [(phrases[one], phrases[other]) for one, other in zip(owners, others, strict=True)]
    assert found == [("a dog", "the hound"), ("a dog", "a puppy"), ("café ☕", "a dog")]
    assert [len(part) for part in index.among(hashes(["unknown"]))] == [0, 0]


def test_a_damaged_table_and_a_cut_index_are_noticed(tmp_path):
    path = table(tmp_path / "table.gz", PAIRS)
    packed = meteor_data._packed(path)
    with pytest.raises(ValueError, match="it is cut"):
        meteor_data._opened(packed[:-4].copy())
    path.write_bytes(gzip.compress(b"0.5\none\n"))
    with pytest.raises(ConfigError, match="are damaged"):
        meteor_data._packed(path)
    path.write_bytes(b"\x1f\x8b\x08 no gzip")
    with pytest.raises(ConfigError, match="install pycocoevalcap again"):
        meteor_data._packed(path)


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\n", codec="utf-8"), min_size=1), min_size=2, max_size=7
    )
)
def test_the_sum_of_a_phrase_is_that_of_its_words(words):
    sums, sizes = meteor_data.line_sums("".join(f"{word}\n" for word in words).encode())
    found, size = sums[:1], sizes[:1]
    for place in range(1, len(words)):
        found, size = meteor_data.joined_sums(found, size, sums[place : place + 1], sizes[place : place + 1])
    whole, whole_size = meteor_data.line_sums(f"{' '.join(words)}\n".encode())
    assert (found.tolist(), size.tolist()) == (whole.tolist(), whole_size.tolist())
    assert meteor_data.mixed(found).dtype == np.uint64


@pytest.mark.parametrize(
    ("tokens", "words"),
    [
        ("a red dog", "a red dog"),
        ("a half-eaten apple", "a half eaten apple"),
        ("a man 's dog", "a man ' s dog"),
        ("they do n't run", "they do n 't run"),
        ("the u.s. flag", "the us flag"),
        ("mr. smith", "mr. smith"),
        ("no. 5", "no . 5"),
        ("-lrb- red -rrb-", "-lrb- red -rrb-"),
        ("1,000 people", "1,000 people"),
        ("$ 5.00", "$ 5.00"),
        ("!! and ?!", "! ! and ? !"),
    ],
)
def test_words_of_the_normalizer(tokens, words):
    assert " ".join(meteor_words(tokens, {"Mr": False, "No": True})) == words
