"""What is odd in captions: found, told with its query, and mended by the command that is printed."""

from __future__ import annotations

import json
import os
import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image

from cutline.analysis.findings import CHECKS, Check, Finding
from cutline.analysis.lint import lint
from cutline.analysis.word_index import WordIndex
from cutline.dataset.edits import Replace
from processes import cutline_here, environment

USUAL = [f"a man rides a bicycle past house {number} in the old town" for number in range(40)]


def findings(texts: list[str | None], *checks: Check) -> dict[str, Finding]:
    captions = pa.chunked_array([pa.array(texts, pa.string())])
    index = WordIndex()
    index.update(captions)
    return {finding.text: finding for finding in lint(captions, index, checks or CHECKS)}


@pytest.mark.parametrize(
    ("check", "odd", "text", "count"),
    [
        ("spelling", ["a man rides a bicyle slowly"], "bicyle", 1),
        ("case", ["a man rides a Bicycle slowly"], "Bicycle", 1),
        ("case", ["A MAN RIDES A BICYCLE SLOWLY"], "CAPITALS", 1),
        ("same", ["two dogs", "two dogs", "two dogs"], "two dogs", 3),
        (
            "sentence",
            [f"Number {n}. The mood is calm today. Bye {n}." for n in range(6)],
            "The mood is calm today",
            6,
        ),
        (
            "near",
            [
                "a red dog sits on green grass",
                "On green grass: a red DOG sits.",
                "a red dog lies on green grass",
            ],
            "a red dog sits on green grass",
            3,
        ),
        ("once", ["a man rides a zebra"], "zebra", 1),
        ("prompt", ["I'm sorry, but I can't assist with that."], "I'm sorry, but I can't assist", 1),
        ("prompt", ["Describe this image in one line."], "Describe this image", 1),
        ("prompt", ["a cat <|im_start|>user"], "<|im_start|>", 1),
    ],
)
def test_each_check_finds_its_kind_among_usual_captions(
    check: Check, odd: list[str], text: str, count: int
) -> None:
    found = findings([*USUAL, None, "", *odd], check)
    assert text in found
    assert (found[text].check, found[text].count) == (check, count)


@pytest.mark.parametrize(
    ("usual", "more", "less"),
    [
        ("a {} wall", "gray", "grey"),
        ("its {} is red", "colour", "color"),
        ("the {} of town", "centers", "centres"),
        ("he {} far", "travelled", "traveled"),
        ("a boy on a {}", "skateboard", "skate board"),
        ("a man in a {}", "t-shirt", "tshirt"),
        ("a big {} here", "fire hydrant", "firehydrant"),
    ],
)
def test_what_is_spelt_in_two_ways_is_found_however_often(usual: str, more: str, less: str) -> None:
    texts = [usual.format(more)] * 30 + [usual.format(less)] * 20
    found = findings([*USUAL, *texts], "spelling")
    assert list(found) == [less]
    assert (found[less].count, found[less].replace) == (20, (less, more))
    assert found[less].message == f"is also written {more!r}, 30 times"


def test_openers_are_found_behind_a_trigger_word() -> None:
    texts = [f"ohwx, {text}" for text in USUAL]
    texts[::8] = [f"ohwx, This image shows a dog of {number}" for number in range(5)]
    found = findings(texts, "opener")
    assert set(found) == {"this image shows", "a man rides"}
    assert "behind 'ohwx'" in found["this image shows"].message
    assert found["a man rides"].message == "begins 88% of the captions"
    assert re.match(found["a man rides"].query[4:-2], texts[1])
    assert not re.match(found["this image shows"].query[4:-2], texts[1])


def test_what_removes_an_opener_keeps_it_in_the_middle_of_a_caption() -> None:
    shown = "This image shows a dog of {}. Beside it, this image shows a cat"
    for trigger in ("", "ohwx, ", "c-d: "):
        texts = [f"{trigger}{text}" for text in USUAL]
        texts[::8] = [trigger + shown.format(number) for number in range(5)]
        opener = findings(texts, "opener")["this image shows"]
        edit = Replace(old=opener.pattern, new="", regex=True, ignore_case=True)
        edited = edit.apply(pa.array([texts[0], texts[1]], pa.string())).to_pylist()
        assert edited == [f"{trigger}a dog of 0. Beside it, this image shows a cat", texts[1]]


def test_words_that_are_alike_by_chance_are_no_spellings_of_each_other() -> None:
    texts = ["a for four hour our pour flour", "they filed what was filled", "a man ran along a long road"]
    texts += ["the price of the prize", "in side streets", "a cup board by a cupboard"]
    assert list(findings(texts * 20, "spelling")) == ["cup board"]  # which are two spellings


def test_words_and_begins_that_all_share_are_found() -> None:
    found = findings([*USUAL, None])
    assert found["bicycle"].check == "frequent"
    assert found["bicycle"].count == 40
    assert found["a man rides"].check == "opener"
    assert "the" not in found  # says little, and is no trigger word
    assert not findings(USUAL[:10], "frequent", "opener")  # of so few it says nothing


@pytest.mark.parametrize(
    "texts",
    [
        ["a red bicycle", "two bicycles"] * 30 + ["one bicycled far"],  # other forms, not other spellings
        ["A man. The dog at home.", "the man and the dog"] * 30,  # sentences begin with capitals
        ["a TV", "NASA shows a rocket"] * 30,
        [], [None], ["", " "],
    ],
)  # fmt: skip
def test_usual_captions_are_left_alone(texts: list[str | None]) -> None:
    assert not findings(texts, "spelling", "case", "prompt")


def test_the_printed_commands_find_and_mend(tmp_path: Path) -> None:
    folder = tmp_path / "my photos"
    folder.mkdir()
    odd = [
        "a man rides a bicyle slowly",
        "A MAN RIDES A BICYCLE SLOWLY",
        'say "hi": twice',
        'say "hi": twice',
    ]
    for number, text in enumerate([*USUAL, *odd]):
        Image.new("RGB", (8, 8)).save(folder / f"{number:02}.jpg")
        (folder / f"{number:02}.txt").write_text(text)
    output = tmp_path / "findings.json"
    done = cutline_here("lint", folder, "--output", output)
    assert done.returncode == 1
    lines = [line.strip() for line in done.stdout.splitlines() if line.startswith("    cutline")]
    kept = json.loads(output.read_text())
    assert len(kept) == len(lines)
    for line, finding in zip(lines, kept, strict=True):
        program, command, *rest = shlex.split(line)
        assert program == "cutline"
        shown = cutline_here("find", folder, finding["query"], "--count")
        assert int(shown.stdout) >= finding["count"], finding
        if command == "edit":
            assert cutline_here(command, *rest).returncode == 0
    assert (folder / "40.txt").read_text() == "a man rides a bicycle slowly"
    again = cutline_here("lint", folder, "--check", "spelling")
    assert (again.returncode, again.stdout) == (0, "")
    ignored = cutline_here("lint", folder, "--check", "frequent", "--ignore", "bicycle")
    assert "bicycle" not in ignored.stdout
    assert "rides" in ignored.stdout


def test_findings_beyond_the_limit_are_counted_and_in_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, text in enumerate([*USUAL, "alpha beta gamma", "delta", "epsilon zeta"]):
        Image.new("RGB", (8, 8)).save(folder / f"{number:02}.jpg")
        (folder / f"{number:02}.txt").write_text(text)
    output = tmp_path / "findings.json"
    done = cutline_here("lint", folder, "--check", "once", "--limit", "2", "--output", output)
    assert done.stdout.count("is used once") == 2
    assert "once: … and 4 more" in done.stdout
    assert "6 findings in 43 captions" in done.stderr
    assert [one["text"] for one in json.loads(output.read_text())] == [
        "alpha", "beta", "delta", "epsilon", "gamma", "zeta"
    ]  # fmt: skip
    assert cutline_here("lint", folder, "--check", "once", "--limit", "0").stdout.count("used once") == 6


def test_known_openers_and_captions_that_repeat_themselves_are_found() -> None:
    loop = " ".join(f"Two men wait in the rain under {what} umbrellas." for what in ("big", "old", "wet"))
    found = findings(
        [*USUAL, "The image shows a dog.", "the  image shows a cat", loop], "opener", "repetition"
    )
    assert found["the image shows"].count == 2
    assert "--remove-openers" in found["the image shows"].message
    assert found[loop].message.startswith("repeats ")


@pytest.mark.skipif(os.name == "nt", reason="needs limits of POSIX")
def test_a_word_of_a_hundred_thousand_letters_costs_no_more_than_others() -> None:
    """One of its letters left out at a time, it would take 10 GB."""
    chance = random.Random(1)
    word = "".join(chance.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(100_000))
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))\n"
        "import pyarrow as pa\n"
        "from cutline.analysis.word_index import WordIndex\n"
        "from cutline.analysis.word_checks import misspelt_words\n"
        "index = WordIndex()\n"
        "index.update(pa.chunked_array([[sys.stdin.read(), 'a dog runs']]))\n"
        "print(len(list(misspelt_words(index))))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        input=word,
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "0"), ran.stderr[-500:]


def test_a_sentence_that_one_caption_repeats_is_not_one_of_many() -> None:
    loop = "A dog. " + "The mood is calm today. " * 60
    assert findings([loop], "sentence") == {}
    found = findings([loop, *(f"A cat {n}. The mood is calm today. Bye." for n in range(5))], "sentence")
    assert found["The mood is calm today"].count == 6
