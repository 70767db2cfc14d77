from __future__ import annotations

import json
import tracemalloc
import unicodedata

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet
import pytest

from cutline.errors import ConfigError
from cutline.locations.stored import RemoteFile
from cutline.sources import SourceOptions, open_source
from cutline.sources.urls import UrlSource


def test_a_text_file_is_one_url_a_line(tmp_path):
    path = tmp_path / "list.txt"
    path.write_bytes(
        b"\xef\xbb\xbfhttp://h/1.jpg\r\n\r\n# a comment\r\n  https://h/2.jpg?a=b#c  \nhttp://h/1.jpg\n"
        b"ftp://h/x\n\xff\xfe junk\nhttp://h/3.jpg\nhttp://h/1.jpg\nhttp://me:hunter2@h/4.jpg\nhttp://h/5.jpg"
    )
    samples = list(open_source(path).samples())
    assert [sample.key for sample in samples] == [
        "http://h/1.jpg", "https://h/2.jpg?a=b#c", "http://h/1.jpg#2", "line-00000006", "line-00000007",
        "http://h/3.jpg", "http://h/1.jpg#3", "line-00000010", "http://h/5.jpg",
    ]  # fmt: skip
    assert samples[1].location == RemoteFile("https://h/2.jpg?a=b#c")
    assert samples[2].location == samples[0].location
    assert samples[3].problem.kind == "bad-url"
    assert "line 6" in samples[3].problem.message
    assert not samples[3].problem.skip
    assert "hunter2" not in repr(samples)


def test_a_line_without_end_does_not_fill_the_memory(tmp_path):
    path = tmp_path / "list.txt"
    with path.open("wb") as file:
        file.write(b"http://h/")
        for _ in range(300):
            file.write(b"x" * 100_000)
        file.write(b"\nhttp://h/2.jpg\n")
    tracemalloc.start()
    samples = list(open_source(path).samples())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [sample.key for sample in samples] == ["line-00000001", "http://h/2.jpg"]
    assert peak < 2_000_000


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("t.csv", 'url,note\nhttp://h/1.jpg,"over\ntwo lines"\n\nnothing,\n', "line 5"),
        ("t.csv", "url,note\r\nhttp://h/1.jpg,\r\nhttp://h/2.jpg,too,many\r\n", "line 3"),
        ("t.tsv", "url\nhttp://h/1.jpg\nnothing\n", "line 3"),
        ("t.jsonl", '{"url": "http://h/1.jpg"}\n\n{"url": "nothing"}\n', "line 3"),
        ("t.parquet", ["http://h/1.jpg", "nothing"], "row 1"),
    ],
)
def test_a_row_that_is_no_url_is_told_by_its_line_where_there_are_lines(tmp_path, name, content, place):
    path = tmp_path / name
    if isinstance(content, str):
        path.write_bytes(content.encode())
    else:
        pyarrow.parquet.write_table(pa.table({"url": content}), path)
    good, bad = open_source(path).samples()
    assert good.problem is None
    assert bad.key == "row-00000001", "keys of journals that were begun stay what they are"
    assert bad.problem.message.startswith(f"{place}: ")


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl", "feather"])
@pytest.mark.parametrize("column", ["url", "image_url", "URL"])
def test_a_column_of_a_table_is_found(tmp_path, ending, column):
    rows = [
        {column: "http://h/1.jpg", "caption": 'one, "1"\nline', "id": "007"},
        {column: "nothing", "caption": "", "id": "008"},
        {column: "http://h/1.jpg", "caption": "again", "id": "009"},
    ]
    path = tmp_path / f"list.{ending}"
    write(path, rows)
    source = open_source(path)
    assert isinstance(source, UrlSource)
    samples = list(source.samples())
    assert [sample.key for sample in samples] == ["http://h/1.jpg", "row-00000001", "http://h/1.jpg#2"]
    assert samples[0].text == 'one, "1"\nline'
    assert samples[0].metadata["id"] == "007"
    assert samples[1].problem.kind == "bad-url"
    assert samples[2].problem is None
    assert source.count() == 3


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_row_without_a_url_is_passed_over(tmp_path, ending):
    """As in a dataset of several files: nobody asked for a picture there."""
    write(
        tmp_path / f"list.{ending}",
        [{"n": n, "url": url} for n, url in enumerate(("http://h/1.jpg", None, " "))],
    )
    samples = list(open_source(tmp_path / f"list.{ending}").samples())
    assert [sample.problem and sample.problem.kind for sample in samples] == [None, "no-image", "no-image"]
    assert samples[1].problem.skip


def test_an_unknown_column_is_told_with_those_there_are(tmp_path):
    path = tmp_path / "list.csv"
    path.write_text("address,words\nhttp://h/1.jpg,x\n")
    with pytest.raises(ConfigError, match="'address', 'words'"):
        open_source(path)
    with pytest.raises(ConfigError, match=r"'addres'.*'address', 'words'"):
        open_source(path, SourceOptions(url_column="addres"))
    (sample,) = open_source(path, SourceOptions(url_column="address", text_column="words")).samples()
    assert (sample.key, sample.text) == ("http://h/1.jpg", "x")


@pytest.mark.parametrize("content", [b"", b"\n# only this\n"])
def test_a_list_without_urls_is_the_users_mistake(tmp_path, content):
    (tmp_path / "list.txt").write_bytes(content)
    with pytest.raises(ConfigError, match="names no picture: write a URL or a path"):
        list(open_source(tmp_path / "list.txt").samples())


def test_a_list_in_utf_16_is_named(tmp_path):
    (tmp_path / "list.txt").write_text("http://h/1.jpg\n", encoding="utf-16")
    with pytest.raises(ConfigError, match="UTF-16"):
        list(open_source(tmp_path / "list.txt").samples())


def test_a_list_on_other_storage_is_read():
    import fsspec

    with fsspec.open("memory://lists/u.txt", "wb") as file:
        file.write(b"http://h/1.jpg\n")
    assert [sample.key for sample in open_source("memory://lists/u.txt").samples()] == ["http://h/1.jpg"]


def test_a_url_itself_is_no_input():
    with pytest.raises(ConfigError, match=r"\.txt"):
        open_source("https://example.com/a.jpg")


def test_a_list_that_others_made_is_read(shared_data):
    source = open_source(shared_data / "webdataset-tars" / "img2dataset_input.parquet")
    samples = list(source.samples())
    assert len(samples) == source.count() == 43
    assert sum(isinstance(sample.location, RemoteFile) for sample in samples) > 35


def write(path, rows):
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    elif path.suffix == ".feather":
        pa.feather.write_feather(table, path)
    else:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        pa.csv.write_csv(table, path, pa.csv.WriteOptions(delimiter=delimiter))


def test_a_part_of_a_list_does_not_read_what_is_before_it(tmp_path):
    path = tmp_path / "urls.txt"
    lines = ["# a note\n" * (n % 3) + f"https://pictures.example/{n}.jpg\n" for n in range(90)]
    path.write_text("".join(lines))
    last = open_source(path).shards(3)[-1]
    before = [*last.samples()]
    assert [sample.key for sample in before] == [f"https://pictures.example/{n}.jpg" for n in range(60, 90)]
    written = path.read_bytes()
    first = written.index(b"https://pictures.example/60.jpg")
    path.write_bytes(b"x" * first + written[first:])
    assert [*last.samples()] == before
    assert sum(part.count() for part in last.shards(4)) == last.count() == 30


@pytest.mark.parametrize(
    ("name", "head"), [("t.csv", "image,note"), ("u.csv", "url,note"), ("l.txt", "# a list,")]
)
def test_a_file_url_is_a_path_below_the_folder(tmp_path, jpeg, name, head):
    (tmp_path / "été 1.jpg").write_bytes(jpeg())
    (tmp_path / "100%25.jpg").write_bytes(jpeg())
    base = tmp_path.as_uri()
    urls = [f"{base}/%C3%A9t%C3%A9%201.jpg", f"file://localhost{tmp_path}/100%25.jpg", "file:///etc/passwd"]
    note = "" if name == "l.txt" else ",x"
    (tmp_path / name).write_text("\n".join([head, *(url + note for url in urls)]))
    first, second, outside = open_source(tmp_path / name).samples()
    assert (first.key, second.key) == ("été 1.jpg", "100%25.jpg")
    assert first.location.read() == second.location.read() == jpeg()
    assert outside.problem.kind == "blocked-path"
    assert "'/etc/passwd' is not within" in outside.problem.message


@pytest.mark.parametrize(
    ("name", "cure"),
    [
        ("sheet.xlsx", "save the sheet as CSV"),
        ("photos.7Z", "unpack it, and give the folder"),
        ("film.mp4", "save its pictures in a folder"),
        ("rows.pkl", "convert it to Parquet"),
        ("rows.yaml", "convert it to JSON or CSV"),
        ("what.is", "--source-type says how to read it"),
    ],
)
def test_a_file_in_another_format_is_refused_with_the_way_to_an_input(tmp_path, name, cure):
    (tmp_path / name).write_bytes(b"\x80\x04 something else")
    with pytest.raises(ConfigError, match=cure):
        open_source(tmp_path / name)


@pytest.mark.parametrize(("written", "named"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_may_be_written_as_on_another_system(tmp_path, jpeg, written, named):
    folder = tmp_path / unicodedata.normalize(written, "été")
    folder.mkdir()
    (folder / unicodedata.normalize(written, "à.jpg")).write_bytes(jpeg())
    (tmp_path / "t.csv").write_text("image\n" + unicodedata.normalize(named, "été/à.jpg") + "\n")
    (sample,) = open_source(tmp_path / "t.csv").samples()
    assert sample.location.read() == jpeg()
