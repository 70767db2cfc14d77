"""Outputs of earlier runs, and the failures beside them, as a comparison reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cutline.engine.recorded_captions import read_answers, samples_in
from cutline.errors import ConfigError


@pytest.mark.parametrize("name", ["image_id", "key"])
def test_failures_are_read_by_either_name_of_a_picture(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text('{"image_id": "a.jpg", "caption": "A cat."}\n')
    failure = {name: "b.jpg", "kind": "decode", "message": "damaged"}
    (tmp_path / "out.jsonl.failures.jsonl").write_text(json.dumps(failure))
    assert read_answers(str(out), ["b.jpg"]).by_key["b.jpg"].problem == "decode: damaged"
    assert [sample.key for sample in samples_in(str(out), None)] == ["a.jpg", "b.jpg"]


DAMAGE = [
    '{"image_id": "a.jp',
    "[1]",
    "\x00",
    '{"image_id": 3, "caption": "A cat."}',
    '{"caption": "A dog."}',
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_rows_that_cannot_be_read_are_left_out_and_named(tmp_path: Path, damage: str) -> None:
    out = tmp_path / "out.jsonl"
    good = ['{"image_id": "a.jpg", "caption": "A cat."}', '{"image_id": "b.jpg", "caption": "A dog."}']
    out.write_text("\n".join([good[0], "", damage, good[1], damage]))
    failures = tmp_path / "out.jsonl.failures.jsonl"
    failure = {"image_id": "c.jpg", "kind": "decode", "message": "damaged"}
    failures.write_text("\n".join([damage, json.dumps(failure)]))
    found = read_answers(str(out), ["a.jpg", "b.jpg", "c.jpg"])
    assert set(found.by_key) == {"a.jpg", "b.jpg", "c.jpg"}
    assert found.damaged == ("row 1 of out.jsonl.failures.jsonl", "row 3", "row 5")
    assert len(samples_in(str(out), None)) == 3


def test_a_file_without_any_caption_is_none_of_ours(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text('{"colour": "red"}\n')
    with pytest.raises(ConfigError, match="holds no captions of cutline: row 1 lacks image_id or caption"):
        read_answers(str(out), ["a.jpg"])
