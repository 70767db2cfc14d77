"""Every registered check keeps the contract; a new one is a row of ``CASES``."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
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
    "echo": "",
    "language": "=en,ja",
    "banned": "={banned}",
    "same": "=2",
}
NEEDS_MODEL = {"similarity"}

CHECKS = every("checks", CASES)


@pytest.fixture
def options(options_text, tmp_path):
    """The row's options, with a tiny model where one is needed."""
    if "{banned}" in options_text:
        (tmp_path / "banned.txt").write_text("dog\n\n  \u00c9t\u00e9 \nred   bus\nC++\n赤い\n")
        return options_text.format(banned=tmp_path / "banned.txt")
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


async def checked(name, options, text, fields=None, prompt=()):
    check = build("checks", name, options)
    await check.open(lambda line: None)
    return await check.check(
        Draft(sample=Sample(key="a", location=None), picture=None, text=text, fields=fields, prompt=prompt)
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
        ("words", "", r"--check words needs a range, such as words=5\.\.120$"),
        ("words", "=5", r"takes a range such as words=5\.\.120, not '5'"),
        (
            "words",
            "=9..3",
            r"--check words takes a range from the smaller number to the larger, not '9\.\.3'$",
        ),
        (
            "words",
            "=1..:explode",
            r"--check words: action takes fail, retry, skip or note, not 'explode'$",
        ),
        ("words", "=1..:repair", r"--check words cannot repair a caption; choose fail, retry, skip or note"),
        ("words", "=1..:fail,skip", r"action is given twice; give it once"),
        ("language", "", r"takes codes of languages: give some, such as language=de or language=de,en"),
        ("language", "=german", r"takes codes of ISO 639, such as en, de or zh, not 'german'$"),
        ("language", "=de,xx:retry", r"such as en, de or zh, not 'xx'$"),
        ("banned", "", r"takes a file with a word or phrase on each line"),
        ("banned", "=/nowhere.txt", r"the file of --check banned /nowhere.txt does not exist"),
        ("same", "=0", r"takes how many pictures may have one text, 1 or more, not 0$"),
        ("language", "=en-GB", r"such as en, de or zh, not 'en-gb', did you mean en\?$"),
        ("same", "=1.5", r"--check same: most takes a whole number, not '1.5'$"),
        ("opener", ":cut", r"--check opener: action takes repair, fail, retry, skip or note, not 'cut'$"),
        ("same", "=3:repair", r"--check same cannot repair a caption"),
        ("repetition", "=15", r"takes a share from 0 to 1, not 15"),
        ("repetition", "=nan", r"takes a share from 0 to 1, not nan"),
        ("repetition", "=much", r"--check repetition: most takes a number, not 'much'$"),
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


@pytest.mark.parametrize(
    ("languages", "text", "found"),
    [
        ("de", "Ein Hund läuft über den Strand, dahinter steht ein Haus.", ""),
        ("de", "A dog runs along the beach, with a house behind it.", "en"),
        ("de,en", "A dog runs along the beach, with a house behind it.", ""),
        ("en", "Un chien court sur la plage devant une maison.", "fr"),
        ("en", "一只狗在海滩上奔跑，后面有一座房子。", "zh"),  # noqa: RUF001 - as it is written
        ("de", "red car", ""),  # two words tell nothing
        ("de", "STOP", ""),
        ("de", "Toyota, Berlin, 1999", ""),
        ("ja", "A dog.\n赤い犬が海岸を走っています。家が見えます。", ""),
    ],
)
async def test_another_language_is_found_where_that_is_sure(languages, text, found):
    pytest.importorskip("py3langid", reason="needs the extra language")
    result = await checked("language", f"={languages}", text)
    assert (result.note["language"] if isinstance(result, Violation) else "") == found


async def test_no_english_caption_is_taken_for_another_language(shared_data):
    pytest.importorskip("py3langid", reason="needs the extra language")
    captions = json.loads((shared_data / "caption-metrics/en_captions_val2014.json").read_text())
    check = build("checks", "language", "=en")
    await check.open(lambda line: None)
    texts = [row["caption"] for row in captions["annotations"]]
    draft = Draft(sample=Sample(key="a", location=None), picture=None, text="")
    found = [await check.check(dataclasses.replace(draft, text=text)) for text in texts]
    assert len(found) > 5000
    assert [result.message for result in found if isinstance(result, Violation)] == []


@pytest.mark.parametrize(
    ("prompt", "text", "echo"),
    [
        ("Describe this image in detail.", "Describe this image in detail. A dog.", True),
        ("Describe this image in detail.", "A dog on a beach, in detail.", False),
        (
            "Be brief. List all objects that you can see. Use commas.",
            "I list all objects that you can see: dog",
            True,
        ),
        ("Describe the image", "The image describes a dog", False),
        ("Say what is on it, such as: A red bus waits at a kiosk.", "A red bus stops at a light.", False),
        ("Beschreibe das Bild in einem Satz.", "Beschreibe das Bild in einem Satz: Ein Hund.", True),
        ("请详细描述这张图片。", "请详细描述这张图片。一只狗在海滩上。", True),
        ("From {objects} and {place}, one text.", "From dogs and beaches, one text.", False),
        ("", "A dog.", False),
    ],
)
async def test_the_prompt_in_a_caption_is_found(prompt, text, echo):
    assert isinstance(await checked("echo", "", text, prompt=(prompt,)), Violation) is echo


async def test_no_prompt_of_the_library_is_in_human_captions(shared_data):
    from cutline.prompts import library_prompts, load_prompt

    lines = (shared_data / "photos-coco/captions.jsonl").read_text().splitlines()
    captions = [json.loads(line)["captions"][0] for line in lines]
    for name in library_prompts():
        prompt = load_prompt(name)
        for caption in captions:
            texts = (prompt.system, prompt.prefix, prompt.suffix)
            assert isinstance(await checked("echo", "", caption, prompt=texts), CheckResult), (name, caption)


@pytest.mark.parametrize(
    ("words", "text", "found"),
    [
        ("dog\n", "A DOG runs.", ["DOG"]),
        ("dog\n", "A dogged hotdog.", []),
        ("red bus\n", "A red\n  bus waits.", ["red bus"]),
        ("caf\u00e9", "Ein CAFE\u0301 am See.", ["CAFÉ"]),
        ("stra\u00dfe", "Eine STRASSE.", ["STRASSE"]),
        ("C++\n.net\n", "Code in c++, and .NET!", ["c++", ".NET"]),
        ("赤い", "小さな赤い犬", ["赤い"]),
        ("it\u2019s\n", "It's red.", ["It's"]),
        ("\ufeffdog\r\ncat", "A cat and a dog.", ["cat", "dog"]),
        ("собака\n", "СОБАКА на пляже", ["СОБАКА"]),
        ("d.g", "A dog.", []),
        ("d.g\n", "A d.g.", ["d.g"]),
    ],
)
async def test_banned_words_are_found_whole(tmp_path, words, text, found):
    (tmp_path / "words.txt").write_text(words, encoding="utf-8", newline="")
    result = await checked("banned", f"={tmp_path / 'words.txt'}", text)
    assert result.note.get("banned", []) == found


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"\xff\xfe", "is not UTF-8: save it in that encoding"), (b" \n", "holds no banned word")],
)
async def test_a_file_that_bans_nothing_is_refused(tmp_path, content, message):
    (tmp_path / "words.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        await checked("banned", f"={tmp_path / 'words.txt'}", "")


async def test_another_list_is_another_fingerprint(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("dog\n")
    before = build("checks", "banned", f"={file}").fingerprint
    file.write_text("dog\ncat\n")
    assert build("checks", "banned", f"={file}").fingerprint != before


def draft_of(key, text):
    return Draft(sample=Sample(key=key, location=None), picture=None, text=text)


async def test_a_text_is_kept_by_its_first_pictures():
    check = build("checks", "same", "=2")
    for key in ("a", "b"):
        assert isinstance(await check.check(draft_of(key, "A red dog.")), CheckResult)
        check.remember("A red dog.", key)
    found = await check.check(draft_of("c", "a  RED dog"))
    assert (found.reason, found.message) == (
        "text of more than 2 pictures",
        "2 other pictures have the same caption",
    )
    assert isinstance(await check.check(draft_of("b", "A red dog.")), CheckResult)
    check.forget("A red dog.", "a")
    assert isinstance(await check.check(draft_of("c", "A red dog.")), CheckResult)


@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(["A dog.", "a DOG", "A cat.", "!"]))),
    st.integers(1, 3),
)
async def test_what_is_forgotten_was_never_there(pairs, most):
    check = build("checks", "same", f"={most}")
    for key, text in pairs:
        check.remember(text, key)
    for key, text in reversed(pairs):
        check.forget(text, key)
    for key in "abcde"[:most]:
        assert isinstance(await check.check(draft_of(key, "A dog.")), CheckResult)
        check.remember("A dog.", key)
    assert isinstance(await check.check(draft_of("f", "A dog.")), Violation)
