"""Beginnings that speak of the picture, in all languages of the table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.text.openers import opener_of, opener_table, without_opener

EXAMPLES = [tuple(example) for language in opener_table() for example in language["examples"]]
OTHERS = [other for language in opener_table() for other in language["others"]]


def test_the_table_has_an_example_of_every_language():
    assert all(language["examples"] for language in opener_table())
    assert len(opener_table()) >= 15


@pytest.mark.parametrize(("text", "rest"), EXAMPLES)
def test_openers_are_found_and_taken_away(text, rest):
    assert opener_of(text)
    assert without_opener(text) == rest
    assert without_opener(rest) == rest


@pytest.mark.parametrize("text", [*OTHERS, "", "A dog on a beach.", "Imagery of old maps covers a wall."])
def test_captions_that_begin_alike_are_left_alone(text):
    assert opener_of(text) == ""
    assert without_opener(text) == text


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("**The image shows** a dog.", "A dog."),
        ("THE IMAGE SHOWS A DOG", "A DOG"),
        ("the image shows a dog", "a dog"),
        ("In this image, the picture shows a dog.", "A dog."),
        ("# The image shows: two cats", "Two cats"),
        ("The image shows", ""),
        ("The image shows …", ""),
    ],
)
def test_what_is_around_and_behind_an_opener(text, rest):
    assert opener_of(text)
    assert without_opener(text) == rest


@given(st.text(max_size=80), st.sampled_from([example for example, _ in EXAMPLES]))
def test_what_is_left_is_no_longer_and_has_no_opener(text, example):
    for given_text in (text, f"{example} {text}"):
        rest = without_opener(given_text)
        assert len(rest) <= len(given_text)
        assert opener_of(rest) == ""
