"""Captions taken apart into sentences, and put together again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.text.sentences import joined, pieces_of


def texts(text, fits=lambda _: True):
    return [piece.text for piece in pieces_of(text, fits)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A dog runs. A cat sleeps!", ["A dog runs.", "A cat sleeps!"]),
        ("Is it wet? Yes… Very.", ["Is it wet?", "Yes…", "Very."]),
        (
            "Mr. Smith feeds 3.5 dogs, e.g. one at No. 5. He smiles.",
            ["Mr. Smith feeds 3.5 dogs, e.g. one at No. 5.", "He smiles."],
        ),
        ("He says no. Then J. R. Brown comes.", ["He says no.", "Then J. R. Brown comes."]),
        (
            '"Stop!" he shouts. (Nobody hears.) "Go on."',
            ['"Stop!" he shouts.', "(Nobody hears.)", '"Go on."'],
        ),
        ("1. An apple\n2. A pear\n\nBoth are ripe.", ["1. An apple", "2. A pear", "Both are ripe."]),
        ("一只狗在跑。一只猫在睡。", ["一只狗在跑。", "一只猫在睡。"]),
        ("dog, grass, sunny, no end", ["dog, grass, sunny, no end"]),
        ("Two  blanks.  Here", ["Two  blanks.", "Here"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_a_reader_would_end_them(text, expected):
    assert texts(text) == expected


def few_words(text):
    return len(text.split()) <= 12


LONG = (
    "The tall man who stands on the left side of the road, which is long and grey and winding, "
    "holds a red umbrella over his own head, and smiles. It rains."
)


def test_a_sentence_that_is_too_long_is_parted_at_its_commas():
    assert texts(LONG, few_words) == [
        "The tall man who stands on the left side of the road,",
        "which is long and grey and winding,",
        "holds a red umbrella over his own head, and smiles.",
        "It rains.",
    ]


def test_a_sentence_whose_end_is_dropped_keeps_its_mark():
    pieces = pieces_of(LONG, few_words)
    assert joined(pieces, [True, False, False, True]) == (
        "The tall man who stands on the left side of the road. It rains."
    )
    assert (
        joined(pieces, [False, False, True, False]) == "holds a red umbrella over his own head, and smiles."
    )


def test_paragraphs_stay_when_the_sentence_between_them_goes():
    pieces = pieces_of("One. Two.\n\nThree. Four.", lambda _: True)
    assert joined(pieces, [True, False, True, True]) == "One.\n\nThree. Four."
    assert joined(pieces, [True, True, False, True]) == "One. Two.\n\nFour."
    assert joined(pieces, [False, False, False, True]) == "Four."


WRITTEN = st.text(st.sampled_from("aB e.!?,;:\n\"')(1é。\uff0c狗 …"), max_size=120)


@given(WRITTEN, st.integers(1, 30))
def test_all_pieces_together_are_the_text_and_each_fits(text, most):
    pieces = pieces_of(text, lambda part: len(part) <= most)
    assert all(0 < len(piece.text) <= most for piece in pieces)
    assert joined(pieces, [True] * len(pieces)) == text.strip()


@given(WRITTEN, st.integers(1, 30), st.data())
def test_what_is_kept_keeps_its_order(text, most, data):
    pieces = pieces_of(text, lambda part: len(part) <= most)
    kept = data.draw(st.lists(st.booleans(), min_size=len(pieces), max_size=len(pieces)))
    left = joined(pieces, kept)
    assert bool(left) == any(kept)
    place = 0
    for piece, keep in zip(pieces, kept, strict=True):
        if keep:
            place = left.index(piece.text.rstrip(",;:\uff0c"), place)
