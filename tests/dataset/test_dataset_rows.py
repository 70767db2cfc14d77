"""Rows as programs give them: lists, ranges, sets and arrays; anything else is refused in every method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError


@pytest.fixture
def dataset(tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(4):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(photos / f"{number}.png")
        (photos / f"{number}.txt").write_text(f"cat {number}")
    with cutline.open_dataset(photos) as opened:
        yield opened


INFO = cutline.EditInfo(kind="generate", summary="by a test")
METHODS: dict[str, Callable[[cutline.Dataset, Path, object], object]] = {
    "preview": lambda dataset, _, rows: dataset.preview(cutline.Replace(old="cat", new="dog"), rows),
    "export": lambda dataset, path, rows: dataset.export(path / "out.jsonl", rows, overwrite=True),
    "set_mark": lambda dataset, _, rows: dataset.set_mark(rows, "done"),
    "by_person": lambda dataset, _, rows: dataset.by_person(rows),
    "accept": lambda dataset, _, rows: dataset.accept(rows),
    "reject": lambda dataset, _, rows: dataset.reject(rows),
    "refresh": lambda dataset, _, rows: dataset.refresh(rows),
    "picture_groups": lambda dataset, _, rows: dataset.picture_groups(rows),
}
SEQUENCES = [
    [1, 2],
    (1, 2),
    range(1, 3),
    {1, 2},
    {1: "a", 2: "b"}.keys(),
    np.array([1, 2], np.int32),
    [np.int64(1), 2],
    iter([1, 2]),
]


@pytest.mark.parametrize("rows", SEQUENCES, ids=lambda rows: type(rows).__name__)
def test_rows_are_exported_from_any_sequence(rows: object, dataset: cutline.Dataset, tmp_path: Path) -> None:
    assert dataset.export(tmp_path / "some.jsonl", rows).written == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_takes_the_same(
    method: str, dataset: cutline.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    for rows in ([1, 2], range(2), {0, 3}, np.array([3])):
        METHODS[method](dataset, elsewhere, rows)
    wrong = {
        r"there is no row 4: the 4 rows are numbered from 0": [0, 4],
        r"there is no row -1": [-1],
        r"whole numbers.*find\(\) returns such": [0.5],
        r"whole numbers.*numbers of rows": ["0.png"],
        r"flatnonzero\(mask\)": np.array([True, False, True, False]),
        r"takes a list of row numbers": 3,
        r"list of row numbers, such as \[0, 1\], not 'cat'": "cat",
    }
    for words, rows in wrong.items():
        with pytest.raises(ConfigError, match=words):
            METHODS[method](dataset, elsewhere, rows)


def test_texts_and_proposals_of_rows_that_are_not_there_are_refused(dataset: cutline.Dataset) -> None:
    with pytest.raises(ConfigError, match="there is no row 9"):
        dataset.set_captions({0: "a", 9: "b"}, INFO)
    with pytest.raises(ConfigError, match="there is no row 9"):
        dataset.propose({9: cutline.Proposal(caption="a", model="fake")}, INFO)
    assert dataset.caption(0) == "cat 0"
