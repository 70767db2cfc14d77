"""Words of ASCII texts, which have a way of their own, are those of other texts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cutline.text.differences import words


@given(st.text(st.characters(max_codepoint=127)))
def test_words_of_ascii_are_those_beside_another_letter(text: str) -> None:
    assert words(f"{text} é") == [*words(text), "é"]
