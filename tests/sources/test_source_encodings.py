"""Tables as people have them: in other encodings, in parts without endings, with URLs of storage."""

from __future__ import annotations

import gzip
import json

import pyarrow as pa
import pyarrow.parquet
import pytest
from test_source_contents import captioned, found, put, put_parquet, put_tar, rows

from cutline.sources import SourceOptions, detect, open_source

CHINESE = [("猫.jpg", "一只猫坐在窗台上看着外面的风景"), ("狗.jpg", "一条狗在草地上奔跑追逐一个红色的球")]
JAPANESE = [
    ("猫.jpg", "窓辺に座って外の景色を眺めている猫"),
    ("犬.jpg", "公園で赤いボールを追いかけている犬です"),
]
FRENCH = [("café.jpg", "Le café fermé à côté de l'église"), ("été.jpg", "L'été dernier, près de la forêt")]


@pytest.mark.parametrize(
    ("encoding", "lines"),
    [
        ("gbk", CHINESE), ("shift_jis", JAPANESE), ("cp1252", FRENCH), ("utf-16", CHINESE), ("utf-16-le", FRENCH),
        ("utf-16-be", FRENCH), ("utf-32", JAPANESE), ("utf-32-le", FRENCH), ("utf-8-sig", CHINESE), ("utf-8", FRENCH),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "json"])
def test_tables_in_other_encodings(tmp_path, jpeg, encoding, lines, ending):
    for name, _ in lines:
        put(tmp_path, name, jpeg())
    if ending in {"csv", "tsv"}:
        sign = "," if ending == "csv" else "\t"
        text = f"image{sign}caption\r\n" + "".join(f'{name}{sign}"{text}"\r\n' for name, text in lines)
    else:
        records = [{"image": name, "caption": text} for name, text in lines]
        objects = [json.dumps(record, ensure_ascii=False) for record in records]
        text = "\n".join(objects) if ending == "jsonl" else f"[{', '.join(objects)}]"
    put(tmp_path, f"t.{ending}", text.encode(encoding))
    samples = list(open_source(tmp_path / f"t.{ending}").samples())
    assert [(sample.key, sample.text) for sample in samples] == lines
    assert all(sample.location.read() == jpeg() for sample in samples)


def test_the_encoding_of_a_table_can_be_given(tmp_path, jpeg):
    put(tmp_path, "é.jpg", jpeg())
    put(tmp_path, "t.csv", "image\né.jpg\n".encode("cp850"))
    assert [
        each.key for each in open_source(tmp_path / "t.csv", SourceOptions(text_encoding="cp850")).samples()
    ] == ["é.jpg"]


def part(data, name):
    if name == "parquet":
        sink = pa.BufferOutputStream()
        pa.parquet.write_table(pa.table({"image": data}), sink)
        return sink.getvalue().to_pybytes()
    if name == "arrow":
        sink = pa.BufferOutputStream()
        table = pa.table({"image": data})
        with pa.ipc.new_file(sink, table.schema) as file:
            file.write_table(table)
        return sink.getvalue().to_pybytes()
    urls = [f"http://h/{len(each)}.jpg" for each in data]
    if name.startswith("csv"):
        text = "url,x\n" + "".join(f"{url},1\n" for url in urls)
    else:
        text = "".join(json.dumps({"url": url}) + "\n" for url in urls)
    return gzip.compress(text.encode()) if name.endswith("gz") else text.encode()


@pytest.mark.parametrize("form", ["parquet", "arrow", "csv", "jsonl", "csv.gz", "jsonl.gz"])
def test_parts_without_an_ending_are_read_by_their_content(tmp_path, jpeg, form):
    folder = tmp_path / "table"
    for number in (0, 1):
        data = [jpeg(color=(number, 1, each)) for each in range(2)]
        put(folder, f"part-0000{number}", part(data, form))
    for name in ("_SUCCESS", "_metadata", "_temporary/0/part-00000", ".part-00000.crc"):
        put(folder, name, (folder / "part-00000").read_bytes())
    assert len(found(folder)[0]) == 4
    assert len(found(folder / "part-00001")[0]) == 2
    assert len(found(f"{folder}/part-*")[0]) == 4
    put(folder, "part-00000.gz", gzip.compress(part([jpeg()], "jsonl")))
    assert len(found(folder / "part-00000.gz")[0]) == 1


def test_what_belongs_to_a_table_of_parts_is_no_row(tmp_path, jpeg):
    put_parquet(tmp_path, "part-0.parquet", {"image": [jpeg()]})
    put_parquet(tmp_path, "_temporary/0/part-0.parquet", {"image": [jpeg()]})
    put(tmp_path, "_delta_log/00.json", "{}")
    put(tmp_path, "_SUCCESS", "")
    assert len(found(tmp_path)[0]) == 1


def test_a_tar_without_its_ending_is_one(tmp_path, jpeg):
    put_tar(tmp_path, "shard", {"1.jpg": jpeg()})
    assert detect(str(tmp_path / "shard"), SourceOptions()) == "webdataset"
    assert found(tmp_path / "shard")[0] == ["1"]
    put(tmp_path, "packed", gzip.compress((tmp_path / "shard").read_bytes()))
    assert found(tmp_path / "packed")[0] == ["1"]


def test_urls_of_storage_need_the_root_that_allows_them(tmp_path):
    put(tmp_path, "l.txt", "s3://lot/a.jpg\ns3://lot/../other/b.jpg\ns3://other/c.jpg\n")
    out = tmp_path / "out.jsonl"
    code, said = captioned(tmp_path / "l.txt", out)
    assert code == 1
    assert "--image-root s3://lot" in said
    samples = list(open_source(tmp_path / "l.txt", SourceOptions(image_root="s3://lot")).samples())
    assert [sample.problem and sample.problem.kind for sample in samples] == [
        None,
        "blocked-path",
        "blocked-path",
    ]
    assert samples[0].location.path == "s3://lot/a.jpg"
    assert rows(tmp_path / "out.jsonl.failures.jsonl")[0]["kind"] == "blocked-path"
