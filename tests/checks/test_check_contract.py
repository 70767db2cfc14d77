"""Every registered check keeps the contract; a new one is a row of ``CASES``."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from cutline.errors import ConfigError, SampleError
from cutline.imaging import Picture
from cutline.interfaces import CheckResult, Draft, Rejection
from cutline.locations.stored import LocalFile
from cutline.records import Sample
from stage_contract import build, check_options, check_summary, every

CASES = {
    "similarity": "=0.2:model={clip}",
    "words": "=2..5:skip",
}
NEEDS_MODEL = {"similarity"}

CHECKS = every("checks", CASES)


@pytest.fixture
def options(options_text, tmp_path):
    """The row's options, with a tiny model where one is needed."""
    if "{clip}" not in options_text:
        return options_text
    pytest.importorskip("torch", reason="needs the extra local")
    pytest.importorskip("transformers", reason="needs the extra local")
    from tiny_clip import save_clip

    return options_text.format(clip=save_clip(tmp_path / "clip"))


@pytest.fixture
def drafts(tmp_path):
    path = tmp_path / "red.png"
    Image.new("RGB", (64, 48), "crimson").save(path)
    location = LocalFile(str(path))
    sample = Sample(key="red.png", location=location)
    texts = ("", "Red.", "A red dog. The sky is grey.", "a picture of " * 30, "赤い犬が走る。", "\u2028|||\0")
    return [
        Draft(sample=sample, picture=Picture(location), text=text, fields=fields)
        for text in texts
        for fields in (None, {"long": text, "tags": ["dog", 2, None], "inner": [{"text": text}]})
    ]


@pytest.mark.parametrize(("room", "name", "options_text"), CHECKS)
def test_the_options_are_a_record(room, name, options):
    check_options(room, name, options)


@pytest.mark.parametrize(("room", "name", "options_text"), CHECKS)
def test_the_summary_is_a_line(room, name, options):
    check_summary(room, name, options)


@pytest.mark.parametrize(("room", "name", "options_text"), CHECKS)
async def test_it_gives_a_result_or_a_rejection_and_always_the_same(room, name, options, drafts):
    check = build(room, name, options)
    await check.open(lambda line: None)
    try:
        for draft in drafts:
            result = await check.check(draft)
            json.dumps(result.value if isinstance(result, Rejection) else dict(result.note), allow_nan=False)
            if isinstance(result, Rejection):
                assert result.reason
                assert result == await check.check(draft)
            else:
                assert isinstance(result, CheckResult)
                assert result.text or not draft.text
                assert (result.fields is None) == (draft.fields is None)
                assert result == await check.check(draft)
    finally:
        await check.aclose()


async def words(options, text):
    check = build("checks", "words", options)
    return await check.check(Draft(sample=Sample(key="a", location=None), picture=None, text=text))


@pytest.mark.parametrize(
    ("options", "text", "reason"),
    [
        ("=3..5:skip", "two words", "fewer than 3 words"),
        ("=3..5:skip", "one two three", None),
        ("=3..5:skip", "one two three four, five.", None),
        ("=3..5:skip", "one two three four five six", "more than 5 words"),
        ("=..2:action=skip", "", None),
        ("=1..:skip", " - !", "fewer than 1 words"),
        ("=5..:skip", "赤い犬が走る", None),
    ],
)
async def test_words_outside_the_range_are_skipped(options, text, reason):
    result = await words(options, text)
    assert (result.reason if isinstance(result, Rejection) else None) == reason


async def test_words_fails_unless_told_otherwise():
    with pytest.raises(SampleError, match="the caption has fewer than 3 words: 2") as raised:
        await words("=3..", "two words")
    assert raised.value.kind == "words"
    noted = await words("=3..:note", "two words")
    assert noted.note == {"words": 2, "outside": ["fewer than 3 words"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", r"takes a range such as words=5\.\.120, not '\.\.'"),
        ("=5", r"takes a range such as words=5\.\.120, not '5'"),
        ("=9..3", r"--check words=9\.\.3: no number of words is in this range"),
        ("=1..:explode", r"--check words: action: input should be 'fail', 'skip' or 'note'"),
        ("=1..:fail,skip", r"action is given twice"),
    ],
)
async def test_words_refuses_options_that_mean_nothing(options, message):
    with pytest.raises(ConfigError, match=message):
        await words(options, "")
