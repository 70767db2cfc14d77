"""The captions of one of several prompts, opened as a dataset by ``PATH:NAME``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from program import Run, rows

import cutline

TABLES = ("two.jsonl", "two.json", "two.csv", "two.parquet")


def caption(here: Run, pictures: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "photos").mkdir()
    for each in ("crimson", "gold"):
        shutil.copy(pictures / f"{each}.jpg", tmp_path / "photos")
    prompts = ("--prompt", "short=in short", "--prompt", "long=at length")
    ran = here("caption", "photos", name, "-m", "fake", *prompts)
    assert ran.code == 0, ran.err


@pytest.mark.parametrize("name", TABLES)
def test_the_second_prompt_is_found_edited_and_exported(
    here: Run, pictures: Path, tmp_path: Path, name: str
) -> None:
    caption(here, pictures, tmp_path, name)
    before = (tmp_path / name).read_bytes()
    found = here("find", f"{name}:long", "--captions")
    assert found.out.count("prompted by long.") == 2, found.err

    edited = here("edit", f"{name}:long", "--replace", "A picture", "One photo", "--where", "path:gold")
    assert "1 caption edited" in edited.err
    assert f"{name} is unchanged: `cutline export {name}:long two-long-edited." in edited.err
    assert here("find", name, "photo", "--count").out == "0\n"
    assert here("export", f"{name}:long", "new.jsonl").code == 0
    first, second = rows(tmp_path / "new.jsonl")
    for row in (first, second):
        captions = row["captions"] if isinstance(row["captions"], dict) else json.loads(row["captions"])
        assert captions["long"] == row["caption"]
        assert captions["short"].endswith("prompted by short.")
        assert row["prompt_id"].startswith("long@")
    assert first["caption"].startswith("A picture")
    assert second["caption"].startswith("One photo")
    assert here("find", "new.jsonl:short", "short", "--count").out == "2\n"
    assert (tmp_path / name).read_bytes() == before
    assert (tmp_path / f"{name}.long.cutline").is_dir()
    assert not list(tmp_path.rglob("*:*"))

    undone = here("undo", f"{name}:long")
    assert "1 caption edited" in undone.err
    assert here("find", f"{name}:long", "photo", "--count").out == "0\n"


def test_shards_words_lint_and_python_read_them(here: Run, pictures: Path, tmp_path: Path) -> None:
    caption(here, pictures, tmp_path, "two.jsonl")
    options = ("--image-root", "photos")
    assert here("export", "two.jsonl:long", "copies", "--format", "folder", *options).code == 0
    texts = [file.read_text() for file in (tmp_path / "copies").rglob("*.txt")]
    assert [text.endswith("prompted by long.") for text in texts] == [True, True]
    words = here("words", "two.jsonl:long").out
    assert "long" in words
    assert "short" not in words
    assert "prompted by long." in here("lint", "two.jsonl:long").out
    with cutline.open_dataset(tmp_path / "two.jsonl:long") as opened:
        assert len(opened.find("long")) == 2
        assert opened.provenance(0)[1].startswith("long@")


def test_without_a_name_the_others_are_named(here: Run, pictures: Path, tmp_path: Path) -> None:
    caption(here, pictures, tmp_path, "two.jsonl")
    opened = here("find", "two.jsonl", "--count")
    assert "two.jsonl: the captions of short are used; two.jsonl:NAME chooses others (long)" in opened.err
    assert "chooses others" not in here("find", "two.jsonl:long", "--count").err
    for given, message in {
        ("two.jsonl:lang",): "no captions of 'lang', did you mean long? it has short, long",
        ("two.jsonl", "--text-column", "captions.long"): "give two.jsonl:long for these captions",
        ("two.jsonl:long", "--text-column", "text"): "--text-column and :long choose captions both",
        ("photos:long",): "photos has one caption for each picture: give it without :long",
        ("none.jsonl:long",): "none.jsonl does not exist",
    }.items():
        refused = here("find", *given)
        assert refused.code == 2
        assert message in refused.err


def test_the_table_itself_is_not_replaced(here: Run, pictures: Path, tmp_path: Path) -> None:
    caption(here, pictures, tmp_path, "two.jsonl")
    before = (tmp_path / "two.jsonl").read_bytes()
    refused = here("export", "two.jsonl:long", "two.jsonl", "--overwrite")
    assert refused.code == 2, refused.err
    assert (tmp_path / "two.jsonl").read_bytes() == before
