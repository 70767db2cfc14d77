from __future__ import annotations

import datetime as dt
import decimal
import json
import os
import re
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import ConfigError, SourceError
from cutline.locations.stored import RemoteFile
from cutline.sources import SourceOptions, open_source
from cutline.sources.cells import plain
from cutline.sources.row_keys import content_key
from cutline.sources.table import TableSource
from peak_memory import importable


def parquet(path, columns, **options):
    path.parent.mkdir(exist_ok=True, parents=True)
    pa.parquet.write_table(pa.table(columns), path, **options)
    return path


def kinds(samples):
    return [sample.problem.kind if sample.problem else None for sample in samples]


@pytest.mark.parametrize("ending", ["parquet", "feather", "arrow"])
def test_bytes_and_path_together_as_hugging_face_keeps_them(tmp_path, jpeg, ending):
    table = pa.table({
        "image": [
            {"bytes": jpeg(), "path": "cats/1.jpg"}, {"bytes": jpeg(), "path": None}, {"bytes": None, "path": "here.jpg"},
            {"bytes": None, "path": "/etc/hostname"}, {"bytes": None, "path": "../out.jpg"}, {"bytes": None, "path": None},
            None, {"bytes": jpeg(), "path": "/home/other/cats/1.jpg"}, {"bytes": jpeg(), "path": "cats/1.jpg"},
        ],
        "captions": [["first", "second"], [], None, None, None, None, None, [None], None],
    })  # fmt: skip
    path = tmp_path / "data" / f"t.{ending}"
    path.parent.mkdir()
    if ending == "parquet":
        pa.parquet.write_table(table, path)
    elif ending == "feather":
        pa.feather.write_feather(table, path)
    else:
        with pa.ipc.new_stream(path, table.schema) as stream:
            stream.write_table(table)
    (tmp_path / "data" / "here.jpg").write_bytes(jpeg())
    samples = list(open_source(path).samples())
    assert [sample.key for sample in samples] == [
        "cats/1.jpg", content_key(jpeg()), "here.jpg", "row-00000003", "row-00000004", "row-00000005", "row-00000006",
        "1.jpg", "cats/1.jpg#2",
    ]  # fmt: skip
    assert kinds(samples) == [
        None,
        None,
        None,
        "blocked-path",
        "blocked-path",
        "no-image",
        "no-image",
        None,
        None,
    ]
    assert samples[0].text == "first"
    assert samples[0].metadata == {"captions": ["first", "second"]}
    assert {sample.location.read() for sample in samples if sample.location} == {jpeg()}
    assert samples[5].problem.skip
    assert not samples[3].problem.skip


def test_a_column_of_bytes_needs_no_name(tmp_path, jpeg):
    path = parquet(tmp_path / "t.parquet", {"n": [1, 2], "scan": [jpeg(), None], "text": ["a", "b"]})
    samples = list(open_source(path).samples())
    assert [sample.key for sample in samples] == [content_key(jpeg()), "row-00000001"]
    assert samples[0].location.read() == jpeg()
    assert samples[0].metadata == {"n": 1, "text": "a"}
    assert kinds(samples) == [None, "no-image"]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_column_of_paths_opens_nothing_outside_its_folder(tmp_path, jpeg, ending):
    inside = tmp_path / "set"
    (inside / "a b").mkdir(parents=True)
    for name in ("1.jpg", "a b/ü.jpg"):
        (inside / name).write_bytes(jpeg())
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (inside / "link.jpg").symlink_to("../secret.jpg")
    (tmp_path / "set2").mkdir()
    (tmp_path / "set2" / "x.jpg").write_bytes(b"secret")
    names = [
        "1.jpg", "a b/ü.jpg", str(inside / "1.jpg"), "a b/../1.jpg", "gone.jpg", "../secret.jpg", str(tmp_path / "secret.jpg"),
        "link.jpg", "../set2/x.jpg", "file:///etc/passwd", "a b/../../secret.jpg", ".", "http://h/1.jpg", "http://u:p@h/1.jpg",
    ]  # fmt: skip
    rows = [{"file_name": name, "caption": "c", "n": "01"} for name in names]
    path = inside / f"t.{ending}"
    if ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif ending == "parquet":
        parquet(path, {key: [row[key] for row in rows] for key in rows[0]})
    else:
        mark = "\t" if ending == "tsv" else ","
        path.write_text(
            "\n".join(mark.join(row) for row in [list(rows[0]), *[list(row.values()) for row in rows]])
        )
    samples = list(open_source(path).samples())
    assert [sample.key for sample in samples[:5]] == ["1.jpg", "a b/ü.jpg", "1.jpg#2", "1.jpg#3", "gone.jpg"]
    assert kinds(samples) == [None] * 5 + ["blocked-path"] * 7 + [None, "bad-url"]
    assert [sample.location.read() for sample in samples[:4]] == [jpeg()] * 4
    assert samples[12].location == RemoteFile("http://h/1.jpg")
    assert samples[0].metadata["n"] == "01"
    assert "--image-root" in samples[5].problem.message

    wider = list(open_source(path, SourceOptions(image_root=str(tmp_path))).samples())
    assert [wider[number].key for number in (5, 6)] == ["secret.jpg", "secret.jpg#2"]
    assert [wider[number].location.read() for number in (5, 6)] == [b"secret"] * 2


def test_rows_that_are_damaged_are_failures_and_the_rest_goes_on(tmp_path, jpeg):
    (tmp_path / "1.jpg").write_bytes(jpeg())
    (tmp_path / "t.jsonl").write_text(
        '{"image": "1.jpg"}\n\nnot json\n[1]\n{"image": 5}\n{"other": 1}\n{"image": "a\\u0000.jpg"}\n{"image": "1.jpg"}'
    )
    samples = list(open_source(tmp_path / "t.jsonl").samples())
    assert kinds(samples) == [None, "bad-row", "bad-row", "no-image", "no-image", "blocked-path", None]
    assert samples[1].problem.message.startswith(f"{tmp_path / 't.jsonl'}: line 3: not valid JSON")
    (tmp_path / "t.csv").write_text(
        'image,caption\n1.jpg,"a, ""b""\nc"\n1.jpg,x,y,z\n\n1.jpg\nhttp://me:secret@h/1.jpg,\n'
    )
    samples = list(open_source(tmp_path / "t.csv").samples())
    assert kinds(samples) == [None, "bad-row", None, "bad-url"]
    assert samples[1].problem.message.startswith(f"{tmp_path / 't.csv'}: line 4: 4 fields")
    assert samples[3].problem.message.startswith(f"{tmp_path / 't.csv'}: line 7: a URL with a user name")
    assert samples[0].text == 'a, "b"\nc'
    assert open_source(tmp_path / "t.csv").count() == 4


def test_tables_of_office_programs_are_read(tmp_path):
    (tmp_path / "semicolon.csv").write_bytes("image;caption\r\n1.jpg;Süß\r\n".encode("latin-1"))
    (tmp_path / "unicode.csv").write_text("image,caption\n1.jpg,Süß\n", encoding="utf-16")
    (tmp_path / "mark.csv").write_text("image,caption\n1.jpg,Süß\n", encoding="utf-8-sig")
    for path in tmp_path.glob("*.csv"):
        (sample,) = open_source(path).samples()
        assert (sample.key, sample.text) == ("1.jpg", "Süß"), path


def test_several_tables_are_one(tmp_path, jpeg):
    for number in range(3):
        parquet(
            tmp_path / "data" / f"train-{number}.parquet", {"image": [{"bytes": jpeg(), "path": None}] * 2}
        )
    for form in (tmp_path, f"{tmp_path}/data/*.parquet", f"{tmp_path}/data/train-{{0..2}}.parquet"):
        source = open_source(form)
        assert isinstance(source, TableSource)
        key = content_key(jpeg())
        assert [sample.key for sample in source.samples()] == [key, *(f"{key}#{n}" for n in range(2, 7))]
        assert source.count() == 6


def test_a_damaged_row_group_costs_its_own_rows(tmp_path, jpeg):
    pictures = [jpeg() + os.urandom(5000) for _ in range(500)]
    path = parquet(tmp_path / "t.parquet", {"image": pictures}, row_group_size=50)
    content = bytearray(path.read_bytes())
    middle = pa.parquet.ParquetFile(path).metadata.row_group(6).column(0).data_page_offset
    content[middle : middle + 40] = b"\xff" * 40
    path.write_bytes(content)
    samples = list(open_source(path).samples())
    assert len(samples) == 500
    lost = [number for number, sample in enumerate(samples) if sample.problem]
    assert lost == list(range(300, 350))
    assert [sample.key for sample in samples[:300]] == [content_key(picture) for picture in pictures[:300]]
    assert samples[300].key == "row-00000300"
    assert samples[300].problem.kind == "bad-row"
    assert re.fullmatch(r".*t\.parquet: row 300: its row group is damaged: .+", samples[300].problem.message)
    assert [sample.key for sample in samples[350:]] == [content_key(picture) for picture in pictures[350:]]
    parts = [list(part.samples()) for part in open_source(path).shards(3)]
    assert sorted(sample.key for part in parts for sample in part) == sorted(sample.key for sample in samples)


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" + b"x" * 100 + b"PAR1", b"image\n1.jpg", b"x" * 2000]
)
@pytest.mark.parametrize("ending", ["parquet", "feather", "arrow"])
def test_what_is_no_such_file_is_one_clear_line(tmp_path, content, ending):
    path = tmp_path / f"t.{ending}"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"t\.{ending}") as caught:
        open_source(path)
    assert "\n" not in str(caught.value)


def test_an_encrypted_parquet_says_so(tmp_path):
    import pyarrow.parquet.encryption as pe

    class Keys(pe.KmsClient):
        def wrap_key(self, key_bytes, master_key_identifier):
            return key_bytes

        def unwrap_key(self, wrapped_key, master_key_identifier):
            return wrapped_key

    factory = pe.CryptoFactory(lambda config: Keys())
    settings = pe.EncryptionConfiguration(footer_key="k", column_keys={"k": ["image"]})
    properties = factory.file_encryption_properties(pe.KmsConnectionConfig(), settings)
    table = pa.table({"image": [b"x"]})
    with pa.parquet.ParquetWriter(
        tmp_path / "t.parquet", table.schema, encryption_properties=properties
    ) as writer:
        writer.write_table(table)
    with pytest.raises(ConfigError, match=r"t\.parquet.*encrypt"):
        open_source(tmp_path / "t.parquet")


def test_columns_that_do_not_exist_or_hold_no_pictures_are_told(tmp_path):
    path = parquet(tmp_path / "t.parquet", {"a": [1], "b": ["x"]})
    with pytest.raises(ConfigError, match=r"--image-column.*'a', 'b'"):
        open_source(path)
    with pytest.raises(ConfigError, match="no column 'c'"):
        open_source(path, SourceOptions(image_column="c"))
    (sample,) = open_source(path, SourceOptions(image_column="a")).samples()
    assert sample.problem.kind == "no-image"
    (tmp_path / "t.csv").write_text("")
    with pytest.raises(ConfigError, match="empty"):
        open_source(tmp_path / "t.csv")


def test_metadata_is_json_whatever_the_columns_hold(tmp_path, jpeg):
    path = parquet(
        tmp_path / "t.parquet",
        {
            "image": [{"bytes": jpeg(), "path": "1.jpg"}],
            "when": pa.array([1], pa.timestamp("ns", tz="Europe/Berlin")),
            "day": [dt.date(2020, 2, 3)],
            "price": [decimal.Decimal("1.50")],
            "nan": [float("nan")],
            "nested": [{"raw": b"123", "at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "many": [1, None]}],
            "thumb": [b"\xff\xd8"],
            "vector": [np.zeros(2)],
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())),
        },
    )
    (sample,) = open_source(path).samples()
    data = json.loads(json.dumps(dict(sample.metadata), allow_nan=False))
    assert "thumb" not in data
    assert "image" not in data
    assert data["day"] == "2020-02-03"
    assert data["price"] == "1.50"
    assert data["nan"] is None
    assert data["nested"] == {"raw": "<3 bytes>", "at": "2020-01-01T00:00:00+00:00", "many": [1, None]}
    assert data["vector"] == [0.0, 0.0]
    assert data["when"].startswith("1970-01-01")


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.datetimes()
    | st.decimals(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_any_value_becomes_json(value):
    json.dumps(plain(value), allow_nan=False)
    assert plain(np.int64(5)) == 5
    assert plain(np.arange(2)) == [0, 1]


def test_memory_follows_the_row_group_not_the_table(tmp_path):
    """Two tables, one ten times the other: their readers' peaks differ by little."""
    peaks = []
    for rows in (400, 4000):
        path = tmp_path / f"{rows}.parquet"
        schema = pa.schema({"image": pa.binary()})
        with pa.parquet.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
            for _ in range(rows // 100):
                writer.write_table(pa.table({"image": [os.urandom(50_000)] * 100}, schema=schema))
        script = (
            "import sys; from cutline.sources import open_source; from peak_memory import peak_mb\n"
            "for s in open_source(sys.argv[1]).samples(): pass\n"
            "print(peak_mb())"
        )
        peaks.append(
            float(
                subprocess.run(
                    [sys.executable, "-c", script, path], env=importable(), capture_output=True, check=True
                ).stdout
            )
        )
    assert peaks[1] < peaks[0] * 1.1 + 30


def test_a_table_on_other_storage_reads_pictures_beside_it(jpeg):
    import fsspec

    with fsspec.open("memory://tables/t.csv", "wb") as file:
        file.write(b"image,caption\na/1.jpg,c\n../x.jpg,c\n/x.jpg,c\ns3://other/x.jpg,c\n")
    with fsspec.open("memory://tables/a/1.jpg", "wb") as file:
        file.write(jpeg())
    samples = list(open_source("memory://tables/t.csv").samples())
    assert kinds(samples) == [None, "blocked-path", "blocked-path", "blocked-path"]
    assert samples[0].location.read() == jpeg()


@pytest.mark.parametrize("name", ["lists/t.csv", "lists/t.jsonl", "lists/t.parquet", "lists/t.txt"])
@pytest.mark.parametrize("path", ["../images/1.jpg", "..\\images\\1.jpg", "../lists/../images/1.jpg"])
def test_paths_upwards_are_read_below_the_image_root_that_the_failure_names(
    tmp_path, jpeg, monkeypatch, name, path
):
    (tmp_path / "images").mkdir()
    (tmp_path / "images/1.jpg").write_bytes(jpeg())
    (tmp_path / "lists").mkdir()
    monkeypatch.chdir(tmp_path)
    if name.endswith("parquet"):
        parquet(tmp_path / name, {"image": [path]})
    else:
        forms = {"csv": f"image\n{path}\n", "jsonl": json.dumps({"image": path}) + "\n", "txt": path + "\n"}
        (tmp_path / name).write_text(forms[name.rpartition(".")[2]])
    (blocked,) = open_source(name).samples()
    assert blocked.problem.kind == "blocked-path"
    root = re.search(r"--image-root (\S+) allows it", blocked.problem.message)[1]
    (sample,) = open_source(name, SourceOptions(image_root=root)).samples()
    assert (sample.problem, sample.key) == (None, "images/1.jpg")
    assert sample.location.read() == jpeg()
    (beside,) = open_source(name, SourceOptions(image_root="lists")).samples()
    assert beside.problem.kind == "blocked-path"


def test_tables_of_others_hold_what_they_say(shared_data):
    source = open_source(shared_data / "parquet" / "hf_coco16.parquet")
    samples = list(source.samples())
    assert len(samples) == source.count() == 16
    assert all(
        sample.location.read()[:2] == b"\xff\xd8" and len(sample.metadata["captions"]) >= 5
        for sample in samples
    )
    foreign = list(open_source(shared_data / "parquet" / "hf_bytes_null_absolute_path.parquet").samples())
    assert len(foreign) == 2389
    assert set(kinds(foreign)) == {"blocked-path"}


def test_damaged_tables_of_others_are_one_clear_line(shared_data):
    for path in sorted((shared_data / "parquet").glob("bad_*.parquet")):
        options = SourceOptions(image_column="binary" if "41317" in path.name else None)
        try:
            samples = list(open_source(path, options).samples())
        except (ConfigError, SourceError) as error:
            messages = [str(error)]
        else:
            messages = [sample.problem.message for sample in samples if sample.problem]
            assert len(samples) == pa.parquet.read_metadata(path).num_rows
        assert messages, path
        for message in messages:
            assert path.name in message
            assert "\n" not in message


@pytest.mark.parametrize("cells", [[1, 2], [["https://a.example/1.jpg"], []]])
def test_a_column_whose_cells_can_be_no_picture_is_named(tmp_path, cells):
    path = parquet(tmp_path / "t.parquet", {"url": cells, "note": ["a", "b"]})
    with pytest.raises(ConfigError, match="column 'url' must hold one URL, path or picture a row"):
        open_source(path)
