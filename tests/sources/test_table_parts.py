"""Parts of large tables: the same rows in the same order, and no part reads what is before it."""

from __future__ import annotations

import gzip
import json
import os
import random
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet
import pytest

from cutline.sources import open_source
from processes import environment

HEADER = "image,note\n"
QUOTED = ['"two\nlines"', '"a ""quote"""', "plain", "", '"a, comma"', "é ü", '"three\n\nlines"']


def csv_rows(count, seed=1):
    chance = random.Random(seed)
    for number in range(count):
        if chance.random() < 0.1:
            yield "\n"
        if chance.random() < 0.05:
            yield f'{number}.jpg,"never closed\n'
        elif chance.random() < 0.05:
            yield f"{number}.jpg,too,many,cells\n"
        else:
            yield f"{number % 90}.jpg,{chance.choice(QUOTED)}\n"


def json_rows(count, seed=1):
    chance = random.Random(seed)
    for number in range(count):
        if chance.random() < 0.1:
            yield "\n"
        if chance.random() < 0.05:
            yield "{broken\n"
        yield (
            json.dumps(
                {"image": f"{number % 90}.jpg", "note": "é" * chance.randint(0, 9)}, ensure_ascii=False
            )
            + "\n"
        )


def described(source):
    return [
        (sample.key, sample.path, dict(sample.metadata), sample.problem and sample.problem.message)
        for sample in source.samples()
    ]


FORMS = {
    "rows.csv": (HEADER + "".join(csv_rows(150))).encode(),
    "marked.csv": (HEADER + "".join(csv_rows(150, seed=2))).encode("utf-8-sig"),
    "latin.csv": (HEADER + "".join(csv_rows(150, seed=3))).encode("latin-1"),
    "wide.csv": (HEADER + "".join(csv_rows(80, seed=4))).encode("utf-16"),
    "rows.csv.gz": gzip.compress((HEADER + "".join(csv_rows(150, seed=5))).encode()),
    "windows.csv": (HEADER + "".join(csv_rows(90, seed=6))).replace("\n", "\r\n").encode(),
    "rows.jsonl": "".join(json_rows(150)).encode(),
    "marked.jsonl": "".join(json_rows(150)).encode("utf-8-sig"),
    "rows.jsonl.gz": gzip.compress("".join(json_rows(150)).encode()),
    "latin.jsonl": "".join(json_rows(60)).encode("latin-1"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("count", [2, 9])
def test_parts_of_text_tables_are_the_whole(form, count, tmp_path):
    path = tmp_path / form
    path.write_bytes(FORMS[form])
    source = open_source(path)
    whole = described(source)
    assert len(whole) >= 60
    parts = source.shards(count)
    assert len(parts) == count
    assert [row for part in parts for row in described(part)] == whole
    again = [piece for part in parts for piece in part.shards(3)]
    assert [row for piece in again for row in described(piece)] == whole


def test_parts_of_several_tables_are_the_whole(tmp_path):
    for number in range(4):
        (tmp_path / f"{number}.csv").write_text(HEADER + "".join(csv_rows(40, seed=number)))
    source = open_source(tmp_path)
    whole = described(source)
    for count in (3, 11):
        assert [row for part in source.shards(count) for row in described(part)] == whole


def test_parts_of_tables_of_urls_are_the_whole(tmp_path):
    rows = "".join(f'http://h/{number % 70}.jpg,"a\nnote"\n' for number in range(100))
    (tmp_path / "urls.csv").write_text("url,note\n" + rows)
    source = open_source(tmp_path / "urls.csv")
    whole = described(source)
    for count in (2, 9):
        assert [row for part in source.shards(count) for row in described(part)] == whole


READ = """
import sys
from cutline.sources import open_source

def read():
    return int(open("/proc/self/io").read().split()[1])

source = open_source(sys.argv[1])
list(source.shards(1))  # what is imported and looked at once
before = read()
parts = source.shards(50)
split = read() - before
before = read()
next(iter(parts[-1].samples()))
print(split, read() - before)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/io"), reason="needs Linux's counts of what is read")  # noqa: PTH110
@pytest.mark.parametrize("form", ["struct", "bytes", "csv", "jsonl"])
def test_the_last_part_begins_at_its_own_rows_and_no_picture_is_read_to_split(form, tmp_path):
    path = write_large(tmp_path, form)
    done = subprocess.run(
        [sys.executable, "-c", READ, path], env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    split, first = map(int, done.stdout.split())
    size = path.stat().st_size
    assert size > 12_000_000
    if form in {"struct", "bytes"}:
        assert split < size / 10
        assert first < size / 10
    else:
        assert first < 10_000_000, "its encoding is found out twice in the first 4 MB"


def write_large(folder, form):
    if form in {"csv", "jsonl"}:
        text = "a note of some length, " * 400
        path = folder / f"rows.{form}"
        rows = (
            f'{number}.jpg,"{text}"\n'
            if form == "csv"
            else json.dumps({"image": f"{number}.jpg", "note": text}) + "\n"
            for number in range(1500)
        )
        path.write_text("".join([HEADER if form == "csv" else "", *rows]))
        return path
    chance = random.Random(7)
    data = [b"\xff\xd8\xff" + chance.randbytes(20_000) for _ in range(1000)]
    names = [f"{number}.jpg" for number in range(1000)]
    images = [{"bytes": each, "path": name} for each, name in zip(data, names, strict=True)]
    table = pa.table({"image": images} if form == "struct" else {"image": data, "file_name": names})
    pa.parquet.write_table(table, folder / "rows.parquet", row_group_size=20)
    return folder / "rows.parquet"


@pytest.mark.parametrize("names", ["all", "some", "none"])
@pytest.mark.parametrize("filled", [True, False])
@pytest.mark.parametrize("form", ["struct", "bytes"])
def test_keys_of_pictures_in_parquet_are_the_same_in_parts(form, filled, names, tmp_path):
    data = [b"\xff\xd8\xff" + bytes([number % 7]) for number in range(60)]
    if not filled:
        data[10], data[20] = None, b""
    named = [f"{number % 13}.jpg" for number in range(60)]
    if names != "all":
        named = [None if names == "none" or number % 4 == 3 else name for number, name in enumerate(named)]
    images = [{"bytes": each, "path": name} for each, name in zip(data, named, strict=True)]
    columns = {"image": images} if form == "struct" else {"image": data, "file_name": named}
    types = (
        {"image": pa.struct({"bytes": pa.binary(), "path": pa.string()})}
        if form == "struct"
        else {"image": pa.binary(), "file_name": pa.string()}
    )
    pa.parquet.write_table(pa.table(columns, pa.schema(types)), tmp_path / "t.parquet", row_group_size=9)
    source = open_source(tmp_path / "t.parquet")
    keys = [sample.key for sample in source.samples()]
    assert len(set(keys)) == 60
    for count in (2, 8):
        assert [sample.key for part in source.shards(count) for sample in part.samples()] == keys
