"""Every registered check keeps the contract; a new one is a row of ``CASES``."""

from __future__ import annotations

import dataclasses
import json

import pytest
from PIL import Image

from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.interfaces import CheckResult, Draft, Rejection, Violation
from cutline.locations.stored import LocalFile
from cutline.records import Sample
from stage_contract import build, check_options, check_summary, every

CASES = {
    "similarity": "=0.2:model={clip}",
    "words": "=2..5:skip",
    "repetition": "=0.15:repair",
    "opener": ":repair",
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
            if isinstance(result, Violation):
                assert result == await check.check(draft)
                json.dumps(dict(result.note), allow_nan=False)
                assert result.reason
                assert result.message
                assert check.repairs or result.repaired is None
                if result.repaired is None:
                    continue
                mended = result.repaired
                result = await check.check(dataclasses.replace(draft, text=mended.text, fields=mended.fields))
                assert isinstance(result, CheckResult), "what was repaired is objected to again"
                continue
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


async def checked(name, options, text, fields=None):
    check = build("checks", name, options)
    await check.open(lambda line: None)
    return await check.check(
        Draft(sample=Sample(key="a", location=None), picture=None, text=text, fields=fields)
    )


@pytest.mark.parametrize(
    ("options", "text", "reason"),
    [
        ("=3..5:skip", "two words", "fewer than 3 words"),
        ("=3..5:skip", "one two three", None),
        ("=3..5:skip", "one two three four, five.", None),
        ("=3..5", "one two three four five six", "more than 5 words"),
        ("=..2:action=skip", "", None),
        ("=1..:skip", " - !", "fewer than 1 words"),
        ("=5..:skip", "赤い犬が走る", None),
    ],
)
async def test_words_outside_the_range_are_found(options, text, reason):
    result = await checked("words", options, text)
    assert (result.reason if isinstance(result, Violation) else None) == reason


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("words", "", r"takes a range such as words=5\.\.120, not '\.\.'"),
        ("words", "=5", r"takes a range such as words=5\.\.120, not '5'"),
        ("words", "=9..3", r"--check words=9\.\.3: no number of words is in this range"),
        (
            "words",
            "=1..:explode",
            r"--check words: action: input should be 'fail', 'retry', 'repair', 'skip' or",
        ),
        ("words", "=1..:repair", r"--check words cannot repair a caption; choose fail, retry, skip or note"),
        ("words", "=1..:fail,skip", r"action is given twice"),
        ("repetition", "=15", r"takes a share from 0 to 1, not 15"),
        ("repetition", "=nan", r"takes a share from 0 to 1, not nan"),
        ("repetition", "=much", r"--check repetition: most: input should be a valid number"),
    ],
)
async def test_options_that_mean_nothing_are_refused(name, options, message):
    with pytest.raises(ConfigError, match=message):
        await checked(name, options, "")


async def test_an_opener_is_taken_away_in_the_caption_and_among_the_fields():
    text = "The image shows a dog on a beach."
    found = await checked("opener", ":repair", text, {"long": text, "tags": ["dog"], "ok": "A dog."})
    assert found.message == "the caption begins with 'The image shows'"
    assert found.repaired.text == "A dog on a beach."
    assert found.repaired.fields == {"long": "A dog on a beach.", "tags": ["dog"], "ok": "A dog."}
    assert found.repaired.note["removed"] == ["The image shows"]


async def test_a_field_alone_may_be_at_fault():
    found = await checked("opener", "", "A dog.", {"long": "This picture depicts a dog."})
    assert found.message == "long: the caption begins with 'This picture depicts'"
    assert found.note == {"fields": {"long": {"opener": "This picture depicts"}}}


async def test_a_repeated_end_is_cut_off():
    once = "A red bus stops beside a kiosk. Two men wait in the rain under umbrellas."
    again = " ".join(f"Two men wait in the rain under {what} umbrellas." for what in ("big", "old", "wet"))
    found = await checked("repetition", ":repair", f"{once} {again}")
    assert found.repaired.text == once
    assert found.repaired.note["removed"] == [again]
    assert isinstance(await checked("repetition", "", once), CheckResult)
