"""Zip files of pictures: read member by member, never unpacked to disk."""

from __future__ import annotations

import csv
import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from test_source_contents import captioned, found, put, rows

from cutline.errors import ConfigError, PictureError
from cutline.sources import SourceOptions, open_source


def put_zip(path, members, method=zipfile.ZIP_DEFLATED):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_pictures_in_folders_of_a_zip_are_captioned_with_the_texts_beside_them(tmp_path, jpeg, method):
    members = {
        "pets/": b"",
        "pets/a.JPG": jpeg(),
        "pets/a.txt": "text of a",
        "pets/a.json": json.dumps({"animal": "cat"}),
        "pets/deep/er/b.png": jpeg(form="PNG"),
        "photo_large": jpeg(),
        "README.md": "x",
        "__MACOSX/pets/._a.JPG": b"x",
        "pets/.hidden.jpg": jpeg(),
        "more.zip": b"PK",
        "x.jxl": b"\xff\x0a",
    }
    path = put_zip(tmp_path / "photos.zip", members, method)
    source = open_source(path)
    samples = list(source.samples())
    assert [(sample.key, sample.text) for sample in samples] == [
        ("pets/a.JPG", "text of a"),
        ("pets/deep/er/b.png", None),
        ("photo_large", None),
    ]
    assert samples[0].metadata == {"animal": "cat"}
    assert [sample.location.read() for sample in samples] == [jpeg(), jpeg(form="PNG"), jpeg()]
    kinds = {each.kind: each.count for each in source.left_over}
    assert kinds == {"hidden": 1, "archive": 1, "unsupported-format": 1}
    out = tmp_path / "out.jsonl"
    assert captioned(path, out)[0] == 0
    assert [row["image_id"] for row in rows(out)] == [sample.key for sample in samples]


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_metadata_of_an_imagefolder_in_a_zip(tmp_path, jpeg, form):
    table = [
        {"file_name": "a.jpg", "text": "a red cat", "price": "3"},
        {"file_name": "deep/b.jpg", "text": None, "price": "4"},
        {"file_name": "gone.jpg", "text": "x", "price": "5"},
    ]
    put_table(tmp_path / f"metadata.{form}", table)
    members = {
        f"train/metadata.{form}": (tmp_path / f"metadata.{form}").read_bytes(),
        "train/a.jpg": jpeg(),
        "train/deep/b.jpg": jpeg(),
        "train/deep/b.txt": "beside it",
        "other.jpg": jpeg(),
        "odd/metadata.csv": "no,names\n1,2\n",
    }
    source = open_source(put_zip(tmp_path / "set.zip", members))
    samples = {sample.key: sample for sample in source.samples()}
    assert list(samples) == ["other.jpg", "train/a.jpg", "train/deep/b.jpg", "train/gone.jpg"]
    assert [samples[key].text for key in list(samples)[:3]] == [None, "a red cat", "beside it"]
    assert samples["train/a.jpg"].metadata == {"text": "a red cat", "price": "3"}
    assert samples["other.jpg"].metadata == {}
    assert samples["train/gone.jpg"].problem.kind == "missing"
    assert {each.kind: each.count for each in source.left_over} == {"unread-metadata": 1}


def put_table(path, table):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table))
    elif path.suffix == ".csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, table[0])
            writer.writeheader()
            writer.writerows(table)
    else:
        pq.write_table(pa.Table.from_pylist(table), path)


def test_several_zips_and_zips_beside_pictures(tmp_path, jpeg):
    for name in ("a", "b"):
        put_zip(tmp_path / "zips" / f"{name}.zip", {"1.jpg": jpeg()})
    put(tmp_path, "zips/notes.txt", "x")
    for path in ("zips", "zips/*.zip", "zips/*", "zips/{a,b}.zip"):
        assert found(tmp_path / path)[0] == ["a/1.jpg", "b/1.jpg"]
    put(tmp_path, "zips/c.jpg", jpeg())
    assert found(tmp_path / "zips") == (["c.jpg"], {"archive": (2, ("a.zip", "b.zip"))})
    assert found(tmp_path / "zips", source_type="zip")[0] == ["a/1.jpg", "b/1.jpg"]


def test_bombs_encrypted_and_damaged_members_are_failures_of_their_own(tmp_path, jpeg):
    path = put_zip(tmp_path / "z.zip", {"bomb.png": bytes(300 << 20), "ok.jpg": jpeg(), "enc.jpg": jpeg()})
    put_zip(tmp_path / "s.zip", {"x.jpg": jpeg()}, zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")  # of enc.jpg, in the directory
    data[entry + 8] |= 1
    path.write_bytes(data)
    samples = {sample.key: sample for sample in open_source(path).samples()}
    with pytest.raises(PictureError) as error:
        samples["bomb.png"].location.read()
    assert error.value.kind == "too-large"
    assert "encrypted" in samples["enc.jpg"].problem.message
    assert samples["ok.jpg"].location.read() == jpeg()
    stored = tmp_path / "s.zip"
    stored.write_bytes(stored.read_bytes().replace(jpeg(), jpeg()[:-9] + b"123456789"))
    (damaged,) = open_source(stored).samples()
    with pytest.raises(PictureError, match="damaged"):
        damaged.location.read()


def test_a_size_that_is_a_lie_does_not_fill_the_memory(tmp_path):
    path = put_zip(tmp_path / "z.zip", {"bomb.png": bytes(300 << 20)})
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(data)
    (sample,) = open_source(path).samples()
    with pytest.raises(PictureError) as error:
        sample.location.read()
    assert error.value.kind in {"too-large", "decode"}


@pytest.mark.parametrize("name", ["../../evil.jpg", "/etc/evil.jpg", "C:\\evil.jpg", "a/../../evil.jpg"])
def test_paths_out_of_a_zip_are_harmless(tmp_path, jpeg, name):
    path = put_zip(tmp_path / "in" / "z.zip", {name: jpeg(), "a.jpg": jpeg()})
    out = tmp_path / "out" / "texts"
    code, _ = captioned(path, out, "--output-format", "sidecar")
    assert code == 1
    assert sorted(each.name for each in tmp_path.rglob("*.txt")) == ["a.txt"]


def test_what_is_no_zip_or_holds_no_picture_is_one_line(tmp_path, jpeg):
    put(tmp_path, "no.zip", "PK no zip")
    with pytest.raises(ConfigError, match="not a zip file"):
        list(open_source(tmp_path / "no.zip").samples())
    put_zip(tmp_path / "empty.zip", {"a.txt": "x"})
    with pytest.raises(ConfigError, match="holds no pictures"):
        list(open_source(tmp_path / "empty.zip").samples())
    whole = put_zip(tmp_path / "whole.zip", {"a.jpg": jpeg()}).read_bytes()
    put(tmp_path, "cut.zip", whole[:-30])
    with pytest.raises(ConfigError, match=r"cut\.zip"):
        list(open_source(tmp_path / "cut.zip").samples())
    keys, _ = found(tmp_path, source_type="zip")
    assert keys == ["cut", "empty", "no", "whole/a.jpg"]
    kinds = [
        sample.problem and sample.problem.kind
        for sample in open_source(tmp_path, SourceOptions(source_type="zip")).samples()
    ]
    assert kinds == ["damaged-shard", "damaged-shard", "damaged-shard", None]
