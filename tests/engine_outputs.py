"""Reading outputs back, strictly: half a line, a broken tar or a doubled key is an error."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import pyarrow.parquet
from PIL import Image

NAMES = {
    "jsonl": "captions.jsonl",
    "json": "captions.json",
    "csv": "captions.csv",
    "parquet": "captions.parquet",
    "webdataset": "shards",
    "sidecar": "texts",
    "scienceqa": "by-key.json",
}


def lines(path):
    """The rows of a JSONL file, whose last line must be whole."""
    data = Path(path).read_bytes()
    assert not data or data.endswith(b"\n"), "half a line at the end"
    return [json.loads(line) for line in data.splitlines()]


def captions(form, path):
    """Key and caption of every row, in the order of the output."""
    path = Path(path)
    if form == "jsonl":
        return [(row["image_id"], row["caption"]) for row in lines(path)]
    if form == "json":
        return [(row["image_id"], row["caption"]) for row in json.loads(path.read_bytes())]
    if form == "csv":
        with path.open(newline="", encoding="utf-8") as file:
            return [(row["image_id"], row["caption"]) for row in csv.DictReader(file)]
    if form == "parquet":
        table = pyarrow.parquet.read_table(path, columns=["image_id", "caption"])
        return [(row["image_id"], row["caption"]) for row in table.to_pylist()]
    if form == "scienceqa":
        return list(json.loads(path.read_bytes())["captions"].items())
    if form == "webdataset":
        return [row for shard in sorted(path.iterdir()) for row in _shard(shard)]
    found = sorted(path.rglob("*"))
    assert all(file.suffix == ".txt" for file in found if file.is_file()), f"left behind: {found}"
    return [(f"{file.relative_to(path).with_suffix('.png')}", file.read_text("utf-8")) for file in found]


def _shard(path):
    assert path.suffix == ".tar", f"left behind: {path}"
    assert path.stat().st_size % 512 == 0
    samples = {}
    with tarfile.open(path) as tar:
        for member in tar:
            stem, _, kind = member.name.rpartition(".")
            samples.setdefault(stem, {})[kind] = tar.extractfile(member).read()
    for members in samples.values():
        Image.open(io.BytesIO(members["png"])).load()
        row = json.loads(members["json"])
        assert members["txt"].decode() == row["caption"]
        yield row["image_id"], row["caption"]


def journal(state):
    """The outcomes of a journal by key, the last of each; every line must parse."""
    rows = [row for row in lines(Path(state) / "journal.jsonl") if "run" not in row and "content" not in row]
    return {row["key"]: row for row in rows}


def report(output):
    """What the last run said of itself."""
    path = Path(output)
    return json.loads((path.with_name(path.name + ".cutline") / "report.json").read_bytes())


def failures(output):
    path = Path(output)
    file = path.with_name(path.name + ".failures.jsonl")
    return lines(file) if file.exists() else []


def check_once_each(endpoint, folder, output, form, *, twice):
    """Every picture of a folder has its own caption once, in order; at most ``twice`` were answered again."""
    keys = sorted(path.name for path in folder.iterdir())
    written = captions(form, output)
    assert [key for key, _ in written] == keys
    assert len({text for _, text in written}) == len(keys), "two pictures have one caption"
    assert failures(output) == []
    assert report(output)["captions"] == len(keys)
    assert report(output)["complete"] is True
    assert sorted(journal(output.with_name(output.name + ".cutline"))) == keys
    stats = endpoint.stats()
    assert stats["pictures"] == len(keys)
    assert stats["twice"] <= twice
