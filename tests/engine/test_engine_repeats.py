"""Rows that have one picture and one prompt: one request, and each row gets the caption."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet
import pytest
from coloured_runs import bmp

from engine_outputs import lines, report
from server_process import Server

GREY, WHITE = "#808080", "#ffffff"
PROMPT = ("--prompt", "Describe this {animal}.")


@pytest.fixture
def folder(tmp_path):
    for name, colour in (("a.bmp", GREY), ("b.bmp", WHITE)):
        (tmp_path / name).write_bytes(bmp(colour))
    return tmp_path


def csv(path, rows, header="image,animal"):
    path.write_text("\n".join([header, *rows, ""]))
    return path


def jsonl(path, rows):
    records = [dict(zip(("image", "animal"), row.split(","), strict=True)) for row in rows]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def parquet(path, rows):
    names, animals = zip(*(row.split(",") for row in rows), strict=True)
    data = [(path.parent / name).read_bytes() for name in names]
    pa.parquet.write_table(pa.table({"image": data, "animal": animals}), path)
    return path


def parquet_of_structs(path, rows):
    names, animals = zip(*(row.split(",") for row in rows), strict=True)
    cells = [{"bytes": (path.parent / name).read_bytes(), "path": name} for name in names]
    pa.parquet.write_table(pa.table({"image": cells, "animal": animals}), path)
    return path


@pytest.mark.parametrize(
    ("write", "name"),
    [(csv, "t.csv"), (jsonl, "t.jsonl"), (parquet, "t.parquet"), (parquet_of_structs, "s.parquet")],
)
def test_rows_of_one_picture_and_prompt_are_one_request(folder, run, write, name):
    rows = ["a.bmp,cat", "b.bmp,cat", "a.bmp,cat", "a.bmp,dog", "a.bmp,cat"]
    table, out = write(folder / name, rows), folder / "out" / "o.jsonl"
    assert run(table, out) == 2
    captions = [row["caption"] for row in lines(out)]
    assert len(captions) == 5
    assert captions[0] == captions[2] == captions[3] == captions[4] != captions[1]
    assert run(table, out) == 0
    other = folder / "out" / "prompt.jsonl"
    assert run(table, other, *PROMPT) == 3
    assert [row["metadata"]["animal"] for row in lines(other)] == ["cat", "cat", "cat", "dog", "cat"]
    # Rows that moved, went and came: nothing is paid again.
    write(folder / name, ["a.bmp,dog", "a.bmp,cat", "b.bmp,cat", "a.bmp,dog", "a.bmp,cat", "a.bmp,cat"])
    assert run(table, other, *PROMPT) == 0
    assert len(lines(other)) == 6
    write(folder / name, ["a.bmp,cow", "a.bmp,cat", "b.bmp,cat"])
    assert run(table, other, *PROMPT) == 1


def tokens(out):
    return [report(out)[name] for name in ("prompt_tokens", "completion_tokens")]


def test_a_url_that_comes_again_is_one_request(folder, run):
    with Server("scripted.py", "--folder", str(folder)) as web:
        urls = [f"{web.root}/pictures/{name}" for name in ("a.bmp", "b.bmp", "a.bmp")]
        (folder / "list.txt").write_text("\n".join(urls))
        table = csv(folder / "t.csv", [f"{url},cat" for url in urls], "url,animal")
        for source in (folder / "list.txt", table):
            out = folder / "out" / f"{source.suffix}.jsonl"
            assert run(source, out, "--allow-private-urls") == 2
            assert [row["image_id"] for row in lines(out)] == [*urls[:2], f"{urls[2]}#2"]
            first, second, third = (row["caption"] for row in lines(out))
            assert first == third != second


def test_the_tokens_of_a_shared_request_are_counted_once(folder, run):
    table, out = csv(folder / "t.csv", ["a.bmp,cat"] * 4), folder / "out" / "o.jsonl"
    assert run(table, out) == 1
    once = tokens(out)
    assert run(csv(folder / "one.csv", ["a.bmp,cat"]), folder / "out" / "one.jsonl") == 1
    assert once == tokens(folder / "out" / "one.jsonl")
    assert all(once)
    assert report(out)["this_run"]["captions"] == 4
    run(csv(folder / "t.csv", ["a.bmp,cat"] * 5), out)
    assert tokens(out) == once


def test_a_key_column_and_texts_of_rows_are_their_own(folder, run):
    table = csv(folder / "t.csv", ["a.bmp,1,one", "a.bmp,2,two", "b.bmp,3,"], "image,id,caption")
    out = folder / "out" / "o.jsonl"
    assert run(table, out, "--key-column", "id", "--existing", "append") == 2
    rows = lines(out)
    assert [row["image_id"] for row in rows] == ["1", "2", "3"]
    assert [row["caption"].startswith(text) for row, text in zip(rows, ("one", "two", ""), strict=True)]
    assert rows[0]["caption"] != rows[1]["caption"]
    csv(folder / "t.csv", ["a.bmp,2,two", "a.bmp,4,four", "a.bmp,1,one"], "image,id,caption")
    assert run(table, out, "--key-column", "id", "--existing", "append") == 0
    assert [row["text"] for row in lines(out)] == ["two", "four", "one"]


def test_other_pictures_under_one_name_are_requests_of_their_own(folder, run):
    cells = [{"bytes": bmp(colour), "path": "x.bmp"} for colour in (GREY, WHITE, GREY)]
    pa.parquet.write_table(pa.table({"image": cells}), folder / "t.parquet")
    out = folder / "out" / "o.jsonl"
    assert run(folder / "t.parquet", out) <= 3
    first, second, third = (row["caption"] for row in lines(out))
    assert first == third != second
