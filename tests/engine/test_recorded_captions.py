"""Outputs of earlier runs, and the failures beside them, as a comparison reads them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cutline.engine.recorded_captions import read_answers, samples_in


@pytest.mark.parametrize("name", ["image_id", "key"])
def test_failures_are_read_by_either_name_of_a_picture(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text('{"image_id": "a.jpg", "caption": "A cat."}\n')
    failure = {name: "b.jpg", "kind": "decode", "message": "damaged"}
    (tmp_path / "out.jsonl.failures.jsonl").write_text(json.dumps(failure))
    assert read_answers(str(out), ["b.jpg"]).by_key["b.jpg"].problem == "decode: damaged"
    assert [sample.key for sample in samples_in(str(out), None)] == ["a.jpg", "b.jpg"]
