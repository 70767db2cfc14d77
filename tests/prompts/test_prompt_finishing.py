# ruff: noqa: RUF001 - full-width punctuation is what is tested

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


@pytest.mark.parametrize(
    ("left", "right", "joined"),
    [
        ("1girl, solo (smile)", "ball", "1girl, solo (smile), ball"),
        ("hatsune miku \\(vocaloid\\)", "solo", "hatsune miku \\(vocaloid\\), solo"),
        ("cat, (fluffy:1.2)", "sofa", "cat, (fluffy:1.2), sofa"),
        ("cat, [fluffy]", "sofa", "cat, [fluffy], sofa"),
        ("cat, <lora:soft:0.8>", "sofa", "cat, <lora:soft:0.8>, sofa"),
        ("1girl, :)", "solo", "1girl, :), solo"),
        ("1girl, :d", "solo", "1girl, :d, solo"),
        ("1girl, ^_^", "solo", "1girl, ^_^, solo"),
        ("1girl, ...", "solo", "1girl, ..., solo"),
        ("1girl, !?", "solo", "1girl, !?, solo"),
        ("1girl, ;)", "solo", "1girl, ;), solo"),
        ("1girl, >:", "solo", "1girl, >:, solo"),
        ("solo", ":)", "solo, :)"),
        ("solo", ",_,", "solo, ,_,"),
        ("dog (brown)", "grass", "dog (brown), grass"),
        ("dog, 50%", "grass", "dog, 50%, grass"),
        ('a sign "STOP"', "street", 'a sign "STOP", street'),
        ("dog; cat", "grass", "dog; cat; grass"),
        ("dog,", "grass", "dog, grass"),
        ("dog ,  ", "grass", "dog , grass"),
        ("dog,\n", " grass", "dog, grass"),
        ("dog", ", grass", "dog, grass"),
        ("dog,", ", grass", "dog, grass"),
        ("Tags:", "dog", "Tags: dog"),
        ("A dog runs.", "A cat.", "A dog runs. A cat."),
        ("A dog runs (fast).", "A cat.", "A dog runs (fast). A cat."),
        ("A dog runs (fast.)", "A cat.", "A dog runs (fast.) A cat."),
        ('It says "Stop."', "A cat.", 'It says "Stop." A cat.'),
        ("“A dog!”", "A cat.", "“A dog!” A cat."),
        ("Un chien ?", "Un chat.", "Un chien ? Un chat."),
        ("First, a dog. Then, a cat.", "grass", "First, a dog. Then, a cat. grass"),
        ("And so on…", "A cat.", "And so on… A cat."),
        ("A dog on a lawn", "a cat", "A dog on a lawn, a cat"),
        ("一只狗。", "一只猫。", "一只狗。一只猫。"),
        ("一只狗", "一只猫", "一只狗，一只猫"),
        ("狗，草地", "猫", "狗，草地，猫"),
        ("狗，草地，", "猫", "狗，草地，猫"),
        ("犬のいる庭", "猫", "犬のいる庭、猫"),
        ("少女、海（夏）", "空", "少女、海（夏）、空"),
        ("「犬がいる。」", "猫がいる。", "「犬がいる。」猫がいる。"),
        ("개, 잔디", "고양이", "개, 잔디, 고양이"),
        ("一只狗", "dog", "一只狗, dog"),
    ],
)
def test_texts_are_joined_by_what_they_are(left, right, joined):
    assert finish_caption(right, existing=left, policy="append") == joined
    assert finish_caption(left, existing=right, policy="prepend") == joined


@pytest.mark.parametrize(
    "text", ["ohwx, a dog", "ohwx a dog", "ohwx. A dog", "ohwx，狗", "ohwx\na dog", "ohwx"]
)
def test_a_trigger_that_is_there_is_kept_once(text):
    assert finish_caption(text, trigger="ohwx") == text


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
