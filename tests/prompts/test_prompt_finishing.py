from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.prompts import finish_caption


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({}, "A dog."),
        ({"trigger": "ohwx"}, "ohwx, A dog."),
        ({"trigger": " ohwx, "}, "ohwx, A dog."),
        ({"prefix": "Photo of"}, "Photo of A dog."),
        ({"prefix": "Photo: "}, "Photo: A dog."),
        ({"prefix": "photo,"}, "photo, A dog."),
        ({"prefix": "["}, "[A dog."),
        ({"prefix": "照片\uff1a"}, "照片\uff1aA dog."),
        ({"suffix": "(4k)"}, "A dog. (4k)"),
        ({"suffix": ", 4k"}, "A dog., 4k"),
        ({"suffix": "!"}, "A dog.!"),
        ({"suffix": "。"}, "A dog.。"),
        ({"suffix": "\nby me"}, "A dog.\nby me"),
        ({"prefix": "(", "suffix": ")"}, "(A dog.)"),
        ({"trigger": "t", "prefix": "p", "suffix": "s"}, "t, p A dog. s"),
        ({"existing": "old"}, "A dog."),
        ({"existing": "old", "policy": "append"}, "old, A dog."),
        ({"existing": "Old text.", "policy": "append"}, "Old text. A dog."),
        ({"existing": "tags, more,", "policy": "append"}, "tags, more, A dog."),
        ({"existing": "old", "policy": "prepend"}, "A dog. old"),
        ({"existing": " \n", "policy": "append"}, "A dog."),
        ({"existing": None, "policy": "prepend"}, "A dog."),
        ({"existing": "old", "policy": "append", "trigger": "t", "suffix": "s"}, "t, old, A dog. s"),
        ({"existing": "t, old", "policy": "append", "trigger": "t"}, "t, old, A dog."),
    ],
)
def test_what_is_put_around(options, text):
    assert finish_caption("A dog.", **options) == text


def test_tags_are_joined_by_commas():
    assert finish_caption("ball, grass", existing="dog", policy="append") == "dog, ball, grass"
    assert finish_caption("ball, grass", existing="dog", policy="prepend") == "ball, grass, dog"


@given(st.text(min_size=1).map(str.strip).filter(bool), st.sampled_from(["ohwx", "a b", "狗"]))
def test_the_trigger_is_in_front_exactly_once(text, trigger):
    done = finish_caption(text, trigger=trigger)
    assert done.startswith(trigger)
    assert done.endswith(text)
    assert finish_caption(done, trigger=trigger) == done


@given(st.text(), st.text(), st.text(), st.text(), st.sampled_from(["overwrite", "append", "prepend"]))
def test_nothing_that_was_given_is_lost(text, prefix, suffix, existing, policy):
    done = finish_caption(text, prefix=prefix, suffix=suffix, existing=existing, policy=policy)
    for part in (text, prefix, suffix, *([existing] if policy != "overwrite" else [])):
        assert part.strip() in done
