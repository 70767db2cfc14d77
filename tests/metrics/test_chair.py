"""CHAIR counts what captions mention and pictures do not show."""

from __future__ import annotations

import math

import pytest

from cutline.metrics.chair import Chair
from cutline.metrics.coco_tokenizer import corpus_of
from cutline.text.corpus import ObjectLists

WORDS = {"dog": ["puppy", "hound"], "hot dog": [], "person": ["man", "woman"], "wolf": [], "fire_hydrant": []}


def chair(rows, pictures):
    """CHAIR of captions with references by picture."""
    corpus = corpus_of([one[0] for one in rows], [list(one[1:]) for one in rows], list("abcdef"[: len(rows)]))
    return Chair(objects=ObjectLists(words=WORDS, pictures=pictures)).scores(corpus)


@pytest.mark.parametrize(
    ("caption", "invented", "mentions"),
    [
        ("a dog", 0, 1),
        ("Two puppies and a wolf.", 1, 2),
        ("a man eats a hot dog", 2, 2),
        ("men, women and hounds", 2, 3),
        ("wolves at a fire hydrant", 2, 2),
        ("a doghouse", 0, 0),
        ("a dog, a dog, and a wolf", 1, 3),
        ("", 0, 0),
    ],
)
def test_mentions_are_counted(caption, invented, mentions):
    by_mention, by_caption = chair([(caption,), ("a dog",)], {"a": ["dog"], "b": ["dog"]})
    assert by_mention.by_caption[0] == pytest.approx(invented / mentions if mentions else 0)
    assert by_mention.value == pytest.approx(invented / (mentions + 1))
    assert by_caption.value == (invented > 0) / 2
    assert not by_mention.higher_is_better


def test_what_references_mention_is_there():
    by_mention, _ = chair([("a dog and a man", "a man walks"), ("a wolf", "a hound")], {})
    assert by_mention.by_caption.tolist() == [0.5, 1.0]


def test_a_picture_about_which_nothing_is_known_has_no_score():
    by_mention, by_caption = chair([("a dog",), ("a dog",)], {"a": []})
    assert by_mention.by_caption[0] == 1
    assert math.isnan(by_mention.by_caption[1])
    assert by_caption.value == 1


def test_without_any_mention_there_is_a_reason():
    by_mention, _ = chair([("a red bus",)], {"a": ["dog"]})
    assert by_mention.value is None
    assert by_mention.reason == "no caption mentions an object of the list"
