"""Which words are marked, and which figures stand at the head."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.text.differences import differing, words


def marked(text: str, other: str) -> str:
    """The text with its marked pieces in brackets."""
    return "".join(f"[{piece}]" if mark else piece for piece, mark in differing(text, other))


@pytest.mark.parametrize(
    ("text", "other", "shown"),
    [
        ("A red disc.", "A red disc.", "A red disc."),
        ("A red disc, on white.", "a Red DISC — on white!", "A red disc, on white."),
        ("A large red disc.", "A red disc.", "A [large] red disc."),
        ("A blue, shiny square.", "A red disc.", "A [blue, shiny square]."),
        ("A disc.", "A red disc.", "A disc."),
        ("It's a well-known disc", "It is a known disc", "[It's] a [well-known] disc"),
        ("赤い丸", "青い丸", "[赤]い丸"),
        ("हिन्दी शब्द", "हिन्दी", "हिन्दी [शब्द]"),
        ("anything", "", "[anything]"),
        ("", "anything", ""),
    ],
)
def test_words_that_the_other_lacks_are_marked(text: str, other: str, shown: str) -> None:
    assert marked(text, other) == shown


@given(st.text(max_size=200), st.text(max_size=200))
def test_the_pieces_are_the_text(text: str, other: str) -> None:
    assert "".join(piece for piece, _ in differing(text, other)) == text
    assert not any(mark for _, mark in differing(text, text))
    assert not any(words(piece) and not mark for piece, mark in differing(text, ""))


def test_endless_captions_are_compared_in_time() -> None:
    loop = "the cat sat on the mat and " * 2000
    pieces = list(differing(loop, loop.replace("mat", "hat")))
    assert "".join(piece for piece, _ in pieces) == loop
