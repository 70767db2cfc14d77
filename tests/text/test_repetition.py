"""How much of a text was in it before: human captions, and loops that drift."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.text.differences import words
from cutline.text.repetition import repetition, without_repeated_end

MOST = 0.15


@pytest.fixture(scope="module")
def human(shared_data):
    folder = shared_data / "caption-metrics"
    found = [
        row["caption"] for row in json.loads((folder / "en_captions_val2014.json").read_text())["annotations"]
    ]
    results = json.loads((folder / "en_captions_val2014_fakecap_results.json").read_text())
    found += [row["caption"] for row in results]
    lines = (shared_data / "photos-coco" / "captions.jsonl").read_text().splitlines()
    return found + [caption for line in lines for caption in json.loads(line)["captions"]]


def drifting(captions, seed):
    """A caption whose last sentence comes again and again, each time with another word."""
    chance = random.Random(seed)
    long = [caption for caption in captions if len(caption.split()) >= 8]
    sentence = chance.choice(long).strip().rstrip(". ")
    parts = [chance.choice(long).strip().rstrip(". "), sentence]
    for _ in range(chance.randint(3, 12)):
        changed = sentence.split()
        changed[chance.randrange(1, len(changed))] = chance.choice(chance.choice(long).split())
        parts.append(" ".join(changed))
    return ". ".join(part[:1].upper() + part[1:] for part in parts) + "."


def test_of_human_captions_hardly_any_repeats(human):
    flagged = [caption for caption in human if repetition(caption) > MOST]
    assert len(human) > 6000
    assert len(flagged) <= 0.001 * len(human), flagged


def test_loops_that_drift_are_found_and_most_can_be_cut_off(human):
    loops = [drifting(human, seed) for seed in range(1000)]
    assert sum(repetition(text) > MOST for text in loops) >= 0.99 * len(loops)
    rests = [without_repeated_end(text, MOST) for text in loops]
    assert sum(map(bool, rests)) >= 0.8 * len(loops)
    for text, rest in zip(loops, rests, strict=True):
        assert text.startswith(rest.rstrip("."))
        assert repetition(rest) <= MOST


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A dog.",
        "A dog, a cat, a bird, a fish and a horse stand in front of a red barn.",
        "On the left a man holds a cup. On the right a woman holds a cup. Behind them a wall is painted red.",
        "画面左侧是一位穿红色衣服的女士，右侧是一位穿蓝色衣服的男士，他们站在一座桥上，桥下是一条河。",  # noqa: RUF001 - as it is written
        "赤い犬が公園を走っています。隣では白い猫が眠っています。",
    ],
)
def test_ordinary_captions_do_not_repeat(text):
    assert repetition(text) <= MOST


@pytest.mark.parametrize(
    "text",
    [
        "the cat and the dog and the cat and the dog and the cat and the dog and the cat and the dog",
        "画面中有一只红色的狗在奔跑。" * 3,
        "A man in a red coat waits for a bus. " * 3,
        "Ein Mann in einem roten Mantel wartet. Ein Mann in einem roten Mantel sitzt. Ein Mann in einem roten Mantel.",
    ],
)
def test_what_comes_again_is_counted(text):
    assert repetition(text) > MOST


def test_a_last_sentence_that_was_cut_goes_too():
    text = "A bus stops at a red kiosk. Two men wait in the rain. Two men wait in the snow. Two men wait in"
    assert without_repeated_end(text, 0.0) == "A bus stops at a red kiosk. Two men wait in the rain."


def test_clauses_are_cut_off_where_it_is_one_sentence():
    again = ", with trees in the far background and birds"
    text = "A lake under a cloudy sky" + again * 4 + "."
    assert without_repeated_end(text, MOST) == f"A lake under a cloudy sky{again}."


def test_a_repetition_in_the_middle_cannot_be_cut_off():
    middle = "Two men wait in the rain under umbrellas. " * 3
    assert without_repeated_end(f"{middle}A red bus stops beside the kiosk.", MOST) == ""


@given(st.text(max_size=300), st.integers(1, 4))
def test_any_text_has_a_share_and_a_rest_that_is_its_begin(text, times):
    text = f"{text} " * times
    assert 0 <= repetition(text) <= 1
    rest = without_repeated_end(text, MOST)
    assert repetition(rest) <= MOST
    assert words(text)[: len(words(rest))] == words(rest)
