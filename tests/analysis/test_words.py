"""The words and phrases of captions, counted and compared."""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from cutline import open_dataset
from cutline.analysis.stop_words import languages, stop_words
from cutline.analysis.terms import Term, TermOptions, log_odds, term_table
from cutline.analysis.word_index import WordIndex
from processes import cutline_here


def index_of(*texts: str | None, block: int = 3) -> WordIndex:
    index = WordIndex()
    blocks = [pa.array(texts[start : start + block], pa.string()) for start in range(0, len(texts), block)]
    index.update(pa.chunked_array(blocks, pa.string()))
    return index


def table(index: WordIndex, rows: list[int] | None = None, **options: object) -> dict[str, Term]:
    selection = None if rows is None else np.isin(np.arange(index.rows), rows)
    return {term.term: term for term in term_table(index, selection, None, TermOptions(**options))}  # type: ignore[arg-type]


def test_words_are_counted_by_occurrence_and_by_caption() -> None:
    found = table(index_of("A cat and a cat.", "The CAT's mat", None, "a well-known 'dog'", ""))
    assert {term: (found[term].occurrences, found[term].pictures) for term in found} == {
        "a": (3, 2), "cat": (2, 1), "and": (1, 1), "the": (1, 1), "cat's": (1, 1), "mat": (1, 1),
        "well-known": (1, 1), "dog": (1, 1),
    }  # fmt: skip
    assert found["cat"].share == 1 / 3  # of the captions that have words


def test_counts_of_any_selection_are_those_of_a_plain_count(shared_data: Path) -> None:
    lines = (shared_data / "photos-coco" / "captions.jsonl").read_text().splitlines()
    texts = [text for line in lines for text in json.loads(line)["captions"]]
    index = index_of(*texts, block=50)
    random = np.random.default_rng(1)
    for size in (1, 20, len(texts)):
        rows = sorted(random.choice(len(texts), size, replace=False).tolist())
        words = [re.findall(r"\w+(?:['-]\w+)*", texts[row].lower()) for row in rows]
        occurrences = Counter(itertools.chain(*words))
        pictures = Counter(itertools.chain(*map(set, words)))
        found = table(index, rows)
        assert {term: found[term].occurrences for term in found} == occurrences
        assert {term: found[term].pictures for term in found} == pictures


def test_phrases_do_not_go_on_behind_a_sentence_or_into_another_caption() -> None:
    index = index_of("a red car. red car park", "red car", "car red")
    assert {term: found.occurrences for term, found in table(index, words=2).items()} == {"red car": 3}
    assert table(index_of("one two three", "one two three"), words=3).keys() == {"one two three"}


def test_scripts_without_blanks_are_taken_in_pairs_of_characters() -> None:
    found = table(index_of("一只猫在桌子上", "猫在 a tree 🌳", "قطة على سجادة", "E\u0301te\u0301"))
    assert found["猫在"].pictures == 2
    assert {"桌子", "tree", "قطة", "سجادة", "été"} <= found.keys()
    assert "🌳" not in found


def test_an_edit_changes_the_counts_of_its_captions_alone() -> None:
    texts: list[str | None] = ["a cat", "a dog", "a cow", "a cat on a mat", None, "a dog"]
    index = index_of(*texts)
    table(index, words=2)
    texts[3], texts[4] = "a zebra on a mat", "a cat"
    index.update(pa.chunked_array([pa.array(texts[:3]), pa.array(texts[3:])]))
    for words in (1, 2):
        assert table(index, [3, 4], words=words) == table(index_of(*texts), [3, 4], words=words)
    index.update(pa.chunked_array([pa.array(["a cat"])]))
    assert table(index).keys() == {"a", "cat"}


def test_the_score_is_the_log_odds_with_an_informative_dirichlet_prior() -> None:
    here, there = np.array([30, 10, 0]), np.array([10, 20, 30])
    scores = log_odds(here, there)
    # Monroe, Colaresi and Quinn (2008), equations 16, 19, 20 and 22, word by word.
    prior = [count * 40 / 100 for count in (40, 30, 30)]
    for place in range(3):
        first, second = here[place] + prior[place], there[place] + prior[place]
        ratio = math.log(first / (80 - first)) - math.log(second / (100 - second))
        assert scores[place] == pytest.approx(ratio / math.sqrt(1 / first + 1 / second))
    assert log_odds(here, here * 0).tolist() == [0, 0, 0]


def test_what_a_part_has_more_often_comes_first() -> None:
    texts = ["a man on a horse"] * 20 + ["a man on a bicycle at night"] * 20
    found = list(
        table(index_of(*texts), list(range(20)), order="score", stop_words=stop_words(["en"])).values()
    )
    assert found[0].term == "horse"
    assert found[0].score > 2 > abs(next(term for term in found if term.term == "man").score)
    assert {term.term for term in found if term.score < -2} == {"bicycle", "night"}


@pytest.mark.parametrize("texts", [(), (None, None), ("", "   "), ("...", "🌳"), ("same", "same")])
@pytest.mark.parametrize("words", [1, 2, 3])
def test_captions_without_words_have_none(texts: tuple[str | None, ...], words: int) -> None:
    index = index_of(*texts)
    rows: list[int] | None
    for rows in (None, [], [0]):
        found = table(index, rows, words=words, order="score")
        assert all(term.term == "same" and words == 1 for term in found.values())


def test_every_list_of_stop_words_is_of_single_words() -> None:
    assert {"en", "de", "fr"} <= set(languages())
    for language in languages():
        found = table(index_of(" ".join(stop_words([language]))))
        assert found.keys() == stop_words([language])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "photos"
    top.mkdir()
    for number in range(12):
        Image.new("RGB", (8, 8)).save(top / f"{number}.jpg")
        what = "<b>horse</b> &amp" if number < 6 else "bicycle"
        (top / f"{number}.txt").write_text(f"a man on a {what}, =x, \x1b[31mred\n")
    return top


def test_words_of_a_folder(folder: Path, tmp_path: Path) -> None:
    done = cutline_here("words", folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1].split() == ["man", "12", "12", "100.0%"]
    assert "\x1b" not in done.stdout
    done = cutline_here("words", folder, "--where", "horse", "--limit", 1)
    assert done.stdout.splitlines()[1].split()[:2] == ["b", "12"]
    done = cutline_here("words", folder, "--against", "bicycle", "--phrases", 2, "--limit", 3)
    assert "horse b" in done.stdout

    output = tmp_path / "words.csv"
    done = cutline_here("words", folder, "--where", "bicycle", "--output", output)
    assert done.returncode == 0, done.stderr
    rows = list(csv.DictReader(output.read_text().splitlines()))
    assert rows[0]["term"] == "bicycle"
    assert (rows[0]["occurrences"], rows[0]["share"], rows[0]["rest"]) == ("6", "1.000000", "0.000000")
    assert float(rows[0]["score"]) > 2
    done = cutline_here("words", folder, "--output", output)
    assert done.returncode == 2
    assert "--overwrite" in done.stderr
    assert cutline_here("words", folder, "--output", output, "--overwrite").returncode == 0


def test_a_cloud_is_text_and_inert(folder: Path, tmp_path: Path) -> None:
    (folder / "0.txt").write_text('"><script>alert(1)</script> zebra zebra zebra')
    output = tmp_path / "words.svg"
    assert cutline_here("words", folder, "--output", output).returncode == 0
    root = ET.fromstring(output.read_text())
    texts = root.findall("{http://www.w3.org/2000/svg}text")
    names = ["".join(text.itertext()) for text in texts]
    assert any(name.startswith("zebra: 3 times") for name in names)
    sizes = [float(text.attrib["font-size"]) for text in texts]
    assert sizes == sorted(sizes, reverse=True)
    assert all(0 <= float(text.attrib["x"]) <= 1000 - float(text.attrib["textLength"]) for text in texts)
    assert not root.findall(".//{http://www.w3.org/2000/svg}script")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--stop-words", "enn"], "did you mean en?"),
        (["--output", "words.png"], "change the extension"),
        (["--where", "cat OR"], "'OR' at character 5 of 'cat OR'"),
        (["--phrases", "4"], "--phrases"),
    ],
)
def test_mistakes_end_in_a_line_that_names_the_cure(folder: Path, options: list[str], words: str) -> None:
    done = cutline_here("words", folder, *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_own_stop_words_are_read_from_a_file(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.txt"
    own.write_text("Man\nbicycle b\n")
    done = cutline_here("words", folder, "--stop-words", own, "--stop-words", "en", "--limit", 50)
    assert not {"man", "bicycle", "b", "on"} & {line.split()[0] for line in done.stdout.splitlines()}
    assert "horse" in done.stdout
    everything = cutline_here("words", folder, "--stop-words", "none")
    assert "on" in {line.split()[0] for line in everything.stdout.splitlines()}


def test_every_term_finds_the_captions_that_it_is_counted_in(tmp_path: Path) -> None:
    texts = [
        "一只猫在桌子上",
        "猫在 red  car",
        "a red\ncar",
        "l'e\u0301te\u0301 d'un été",
        "the cat's well-known mat",
        "ご飯を食べる",
    ]
    for number, text in enumerate(texts):
        Image.new("RGB", (8, 8)).save(tmp_path / f"{number}.jpg")
        (tmp_path / f"{number}.txt").write_text(text)
    with open_dataset(tmp_path) as dataset:
        for words in (1, 2, 3):
            index = index_of(*texts, *texts)  # phrases of a single caption are left out
            for term in table(index, words=words).values():
                found = dataset.find(f'"{term.term}"')
                assert 2 * len(found) == term.pictures, term.term


def test_a_comparison_shows_what_is_less_frequent_too(folder: Path) -> None:
    done = cutline_here("words", folder, "--where", "horse", "--limit", 3)
    scores = [float(line.split()[-1]) for line in done.stdout.splitlines()[1:]]
    assert len(scores) == 3
    assert scores[0] > 2
    assert scores[-1] < -2
