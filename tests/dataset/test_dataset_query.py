"""Queries find the rows that their words mean, and say where they are wrong."""

from __future__ import annotations

import os

import pytest
from PIL import Image

from cutline.dataset.dataset import Dataset
from cutline.dataset.query import QueryError, parse
from cutline.dataset.records import EditInfo

CAPTIONS = {
    "train/1.jpg": "A cat sits on a mat.",
    "train/2.jpg": "red car, night, Wet street",
    "train/3.jpg": "un café près de la gare",
    "val/4.jpg": "a category of cafétéria",
    "val/5.jpg": None,
    "val/6.jpg": "a cat sits ON a mat",
    "val/7.jpg": "a mat on a cat sits",
}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    top = tmp_path_factory.mktemp("queried")
    for key, caption in CAPTIONS.items():
        (top / key).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(top / key)
        if caption is not None:
            (top / key).with_suffix(".txt").write_text(caption)
    return Dataset(os.fspath(top))


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("", "1234567"),
        ("cat", "1467"),
        ("CAT", "1467"),
        ('"cat"', "167"),
        ('"café"', "3"),
        ('"on a mat"', "16"),
        ("cat mat", "167"),
        ("cat AND mat", "167"),
        ("gare OR night", "23"),
        ("cat -mat", "4"),
        ("NOT cat", "235"),
        ("(gare OR night) -red", "3"),
        ("NOT (cat OR missing:)", "23"),
        ("missing:", "5"),
        ("missing:no", "123467"),
        ("tag:night", "2"),
        ('tag:"wet street"', "2"),
        ("tag:wet", ""),
        ("path:train/", "123"),
        ("path:*/[45].jpg", "45"),
        ("words>5", "1367"),
        ("words:3..4", "4"),
        ("chars<5", "5"),
        ("tokens>=3 words<5", "4"),
        (r"re:/\bcafé\b/", "3"),
        ("re:/wet/i", "2"),
        ("re:/wet/", ""),
        (r"re:/a\/b/", ""),
        ("dup:exact", ""),
        ("dup:near", "167"),
        ("mat.", "1"),
        ("http://x", ""),
    ],
)
def test_a_query_finds_the_rows_that_it_means(dataset: Dataset, query: str, rows: str) -> None:
    assert "".join(str(row + 1) for row in dataset.find(query)) == rows


@pytest.mark.parametrize(
    ("query", "at", "message"),
    [
        ("a (cat", "(cat"[:1], "not closed"),
        ("cat)", ")", "closes nothing"),
        ("cat OR", "OR", "both sides"),
        ("AND cat", "AND", "both sides"),
        ("NOT", "NOT", "after it"),
        ('the "cat', '"cat', "not closed"),
        ("tga:x", "tga:", "did you mean tag:"),
        ("words>", "words>", "needs a number"),
        ("words>many", "words>", "needs a number"),
        ("dup:bad", "dup:bad", "exact, near"),
        ("re:/a", "re:/a", "slash"),
        ("re:/(/", "re:/(/", "not valid"),
        ("tag:", "tag:", "needs a value"),
        ("path>3", "path>", "write path:"),
    ],
)
def test_a_mistake_is_pointed_at(query: str, at: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as caught:
        parse(query)
    assert query[caught.value.start : caught.value.end] == at


def test_deep_brackets_are_refused_not_a_crash() -> None:
    for query in ("(" * 5000 + "a" + ")" * 5000, "NOT " * 5000 + "a", "-" * 5000 + "a"):
        with pytest.raises(QueryError):
            parse(query)


def test_what_was_found_follows_an_edit(dataset: Dataset) -> None:
    assert dataset.find("words>5").tolist() == [0, 2, 5, 6]
    dataset.set_captions({0: "short"}, EditInfo(kind="save", summary="edit"))
    assert dataset.find("words>5").tolist() == [2, 5, 6]
    dataset.undo()
    assert dataset.find("words>5").tolist() == [0, 2, 5, 6]
