"""What stands in the cells and parts of tables: one that is bad ends nothing but itself."""

from __future__ import annotations

import base64
import bz2
import datetime as dt
import gzip
import hashlib
import io
import json
import tracemalloc

import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image
from test_source_contents import captioned, put, put_parquet, rows

from cutline.errors import ConfigError
from cutline.sources import SourceOptions, open_source


def listed(path, **options):
    source = open_source(path, SourceOptions(**options))
    return list(source.samples()), {each.kind: each.count for each in source.left_over}


def keys(path, **options):
    return [sample.key for sample in listed(path, **options)[0]]


def test_a_cell_of_any_length_and_a_quote_that_is_not_closed_cost_their_line_only(tmp_path):
    long = "x" * 300_000
    put(
        tmp_path,
        "t.csv",
        f'image,note\na.jpg,{long}\nb.jpg,"never closed\nc.jpg,1\nd.jpg,"two\nlines"\ne.jpg,\xff\n',
    )
    samples, _ = listed(tmp_path / "t.csv")
    assert [sample.problem and sample.problem.kind for sample in samples] == [
        None, "bad-row", None, None, None,
    ]  # fmt: skip
    assert [sample.key for sample in samples][2:] == ["c.jpg", "d.jpg", "e.jpg"]
    assert "line 3" in samples[1].problem.message
    assert samples[3].metadata["note"] == "two\nlines"
    put(tmp_path, "end.csv", 'image,note\na.jpg,1\nb.jpg,"open\nc.jpg,2\nd.jpg,3\n')
    samples, _ = listed(tmp_path / "end.csv")
    assert [sample.key for sample in samples if not sample.problem] == ["a.jpg", "c.jpg", "d.jpg"]


def test_dates_beyond_those_of_python_are_texts(tmp_path):
    put_parquet(
        tmp_path,
        "t.parquet",
        {
            "image": ["a.jpg", "b.jpg"],
            "day": pa.array([10_000_000, 0], pa.int32()).cast(pa.date32()),
            "at": pa.array([10**13, 0], pa.timestamp("s")),
            "inner": pa.array([[10_000_000], [0]], pa.list_(pa.int32())).cast(pa.list_(pa.date32())),
        },
    )
    samples, _ = listed(tmp_path / "t.parquet")
    assert [sample.key for sample in samples] == ["a.jpg", "b.jpg"]
    assert samples[0].metadata["day"].startswith("29349")
    assert samples[1].metadata["day"] == dt.date(1970, 1, 1).isoformat()


@pytest.mark.parametrize("damage", ["footer", "middle", "empty"])
def test_a_damaged_part_among_whole_ones_is_one_failure(tmp_path, jpeg, damage):
    for number in range(3):
        images = [
            {"bytes": jpeg(color=(number, place, 0)), "path": f"{number}-{place}.jpg"} for place in range(40)
        ]
        columns = {"image": images}
        pa.parquet.write_table(pa.table(columns), tmp_path / f"{number}.parquet", row_group_size=10)
    middle = tmp_path / "1.parquet"
    content = bytearray(middle.read_bytes())
    if damage == "middle":
        at = pa.parquet.ParquetFile(middle).metadata.row_group(2).column(0).data_page_offset
        content[at : at + 40] = b"\xff" * 40
    elif damage == "footer":
        content[-30:-10] = b"\xff" * 20
    middle.write_bytes(b"" if damage == "empty" else bytes(content))
    out = tmp_path / "out" / "o.jsonl"
    code, text = captioned(tmp_path, out)
    assert code == 1
    assert "1.parquet" in text
    assert {row["image_id"][0] for row in rows(out)} >= {"0", "2"}
    # A damaged row group costs its own ten rows, a file that cannot be opened is one failure.
    kinds = ["bad-row"] * 10 if damage == "middle" else ["damaged-shard"]
    assert [row["kind"] for row in rows(tmp_path / "out" / "o.jsonl.failures.jsonl")] == kinds


def test_a_damaged_compressed_table_keeps_its_rows_up_to_the_damage(tmp_path):
    lines = "".join(f'{{"image": "{number}.jpg"}}\n' for number in range(50_000)).encode()
    put(tmp_path, "t.jsonl.gz", gzip.compress(lines)[:-2000])
    samples, _ = listed(tmp_path / "t.jsonl.gz")
    assert samples[0].key == "0.jpg"
    assert samples[-1].problem.kind == "damaged-shard"


def test_cells_that_are_no_paths_are_counted_and_named(tmp_path):
    cells = [1, 2.5, True, [1, 2], {"height": 3}, None, "", "a.jpg", "a\0.jpg"]
    put(tmp_path, "t.jsonl", "".join(json.dumps({"image": cell, "n": 1}) + "\n" for cell in cells))
    put(tmp_path, "a.jpg", "x")
    samples, left_over = listed(tmp_path / "t.jsonl", image_column="image")
    assert [sample.problem and sample.problem.kind for sample in samples] == [
        *["no-image"] * 7, None, "blocked-path",
    ]  # fmt: skip
    assert left_over == {"other-cell": 5}
    assert (
        captioned(
            tmp_path / "t.jsonl", tmp_path / "o.jsonl", "--image-column", "image", "--on-missing", "fail"
        )[0]
        == 1
    )


def test_lists_and_typed_objects_hold_pictures(tmp_path, jpeg):
    put_parquet(tmp_path, "t.parquet", {"images": [["a.jpg", "b.jpg"], ["c.jpg"], []], "n": [1, 2, 3]})
    samples, _ = listed(tmp_path / "t.parquet")
    assert [sample.key for sample in samples] == ["a.jpg", "b.jpg", "c.jpg", "row-00000002"]
    assert [sample.metadata["n"] for sample in samples] == [1, 1, 2, 3]
    assert keys(tmp_path / "t.parquet", image_column="images")[0] == "a.jpg"
    structs = [{"src": "a.jpg", "height": 1}, {"src": "http://h/1.jpg", "height": 2}]
    put_parquet(tmp_path, "s.parquet", {"photo": structs})
    assert keys(tmp_path / "s.parquet", image_column="photo") == ["a.jpg", "http://h/1.jpg"]
    put_parquet(tmp_path, "b.parquet", {"photos": [[{"bytes": jpeg(), "path": "x.jpg"}] * 2]})
    assert keys(tmp_path / "b.parquet") == ["x.jpg", "x.jpg#2"]


@pytest.mark.parametrize(
    "kind", [pa.string_view(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())]
)
def test_every_arrow_type_of_text_holds_paths(tmp_path, kind):
    array = pa.array(["a.jpg", "b.jpg"]).cast(kind)
    with pa.ipc.new_file(tmp_path / "t.arrow", pa.schema([("image", kind)])) as file:
        file.write_table(pa.table({"image": array}))
    assert keys(tmp_path / "t.arrow") == ["a.jpg", "b.jpg"]


@pytest.mark.parametrize("kind", [pa.binary_view(), pa.large_binary()])
def test_every_arrow_type_of_bytes_holds_pictures(tmp_path, jpeg, kind):
    array = pa.array([jpeg()], pa.binary()).cast(kind)
    with pa.ipc.new_file(tmp_path / "t.arrow", pa.schema([("photo", kind)])) as file:
        file.write_table(pa.table({"photo": array}))
    (sample,) = listed(tmp_path / "t.arrow")[0]
    assert sample.location.read() == jpeg()


def test_base64_and_data_urls_are_pictures(tmp_path, jpeg):
    coded = base64.b64encode(jpeg()).decode()
    cells = [coded, f"data:image/jpeg;base64,{coded}", "a.jpg"]
    put(tmp_path, "t.jsonl", "".join(json.dumps({"image": cell}) + "\n" for cell in cells))
    samples, _ = listed(tmp_path / "t.jsonl")
    assert [sample.location.read() for sample in samples[:2]] == [jpeg(), jpeg()]
    assert samples[2].key == "a.jpg"
    assert all("image" not in sample.metadata for sample in samples[:2])


def test_a_data_url_may_stand_where_an_object_has_its_url_or_path(tmp_path, jpeg):
    text = "data:image/jpeg;base64," + base64.b64encode(jpeg()).decode()
    cells = [{"url": text}, {"path": text, "bytes": None}, {"image_url": {"url": text}}]
    lines = "".join(json.dumps({"image": cell, "n": number}) + "\n" for number, cell in enumerate(cells))
    put(tmp_path, "cells.jsonl", lines)
    samples = list(open_source(tmp_path / "cells.jsonl").samples())
    assert [sample.location.read() for sample in samples] == [jpeg()] * 3


def test_a_header_in_one_piece_names_the_option_for_its_sign(tmp_path):
    put(tmp_path, "carets.csv", "file_name^note\na.jpg^x\n")
    with pytest.raises(ConfigError, match="--delimiter"):
        open_source(tmp_path / "carets.csv")
    found = open_source(tmp_path / "carets.csv", SourceOptions(delimiter="^")).samples()
    assert [sample.key for sample in found] == ["a.jpg"]


def test_delimiters_are_found_or_given_and_a_header_may_be_missing(tmp_path):
    for name, sign in (("s.csv", ";"), ("p.csv", "|"), ("t.csv", "\t"), ("c.tsv", ",")):
        put(tmp_path, name, f'image{sign}note\na.jpg{sign}"x, y; z"\n')
        (sample,) = listed(tmp_path / name)[0]
        assert (sample.key, sample.metadata["note"]) == ("a.jpg", "x, y; z"), name
    for ending in ("\n", "\r\n"):
        put(tmp_path, "excel.csv", f"sep=;{ending}image;note{ending}a.jpg;x, y{ending}b.jpg;{ending}")
        assert [sample.metadata["note"] for sample in listed(tmp_path / "excel.csv")[0]] == ["x, y", ""]
    put(tmp_path, "odd.csv", "image~note\na.jpg~1\n")
    assert keys(tmp_path / "odd.csv", delimiter="~") == ["a.jpg"]
    with pytest.raises(ConfigError, match="--delimiter"):
        listed(tmp_path / "odd.csv", delimiter="ab")
    put(tmp_path, "bare.csv", "1,a.jpg,cat\n2,b.jpg,dog\n")
    with pytest.raises(ConfigError, match="--no-header"):
        listed(tmp_path / "bare.csv")
    code, _ = captioned(
        tmp_path / "bare.csv", tmp_path / "o.jsonl", "--no-header", "--prompt", "A {column3}."
    )
    assert [row["key"] for row in rows(tmp_path / "o.jsonl.failures.jsonl")] == ["a.jpg", "b.jpg"]
    assert code == 1  # the files are not there


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("bz2", bz2.compress)])
def test_compressed_text_tables_are_read(tmp_path, ending, pack):
    put(tmp_path, f"t.csv.{ending}", pack(b"image,n\na.jpg,1\n"))
    put(tmp_path, f"t.jsonl.{ending}", pack(b'{"image": "a.jpg"}\n'))
    assert keys(tmp_path / f"t.csv.{ending}") == keys(tmp_path / f"t.jsonl.{ending}") == ["a.jpg"]


def test_json_files_are_tables(tmp_path):
    llava = [{"id": "1", "image": "a.jpg", "conversations": [{"from": "human", "value": "x"}]}]
    coco = {
        "images": [{"id": 7, "file_name": "a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
        "annotations": [{"image_id": 7, "caption": "one"}, {"image_id": 7, "caption": "two"}],
    }
    for name, value in {"llava": llava, "coco": coco, "wrapped": {"version": 1, "data": llava}}.items():
        put(tmp_path, f"{name}.json", json.dumps(value))
    assert keys(tmp_path / "llava.json") == keys(tmp_path / "wrapped.json") == ["a.jpg"]
    assert [(sample.key, sample.text) for sample in listed(tmp_path / "coco.json")[0]] == [
        ("a.jpg", "one"),
        ("b.jpg", None),
    ]
    put(tmp_path, "bad.json", "{}")
    with pytest.raises(ConfigError, match="list of objects"):
        listed(tmp_path / "bad.json")


def test_a_json_output_can_be_captioned_again(tmp_path, jpeg):
    put(tmp_path, "photos/a.jpg", jpeg())
    assert captioned(tmp_path / "photos", tmp_path / "out.json")[0] == 0
    again = captioned(tmp_path / "out.json", tmp_path / "again.jsonl", "--image-root", tmp_path)
    assert again[0] == 0, again


def test_a_row_group_that_unpacks_to_gigabytes_is_refused_by_its_footer(tmp_path, jpeg):
    path = tmp_path / "bomb.parquet"
    zeros = pa.array([bytes(64 * 1024 * 1024)])  # one buffer, 34 times
    table = pa.table({"image": [jpeg()] * 34, "x": pa.chunked_array([zeros] * 34)})
    options = {"compression": "zstd", "use_dictionary": False, "write_statistics": False}
    pa.parquet.write_table(table, path, row_group_size=34, write_batch_size=1, **options)
    with pytest.raises(ConfigError, match=r"'x' of row group 0 would unpack.*row_group_size"):
        open_source(path)


def test_the_folder_that_a_path_is_not_within_is_named_absolutely(tmp_path, jpeg, monkeypatch):
    put(tmp_path, "photos/t.csv", "image\n/abs/x.jpg\n")
    monkeypatch.chdir(tmp_path / "photos")
    (sample,), _ = listed("t.csv")
    assert f"is not within {tmp_path / 'photos'}; " in sample.problem.message


def test_paths_of_windows_and_links_out_of_the_folder(tmp_path, jpeg):
    put(tmp_path, "blobs/1", jpeg())
    put(tmp_path, "snapshot/photos/a.jpg", jpeg())
    (tmp_path / "snapshot" / "linked.jpg").symlink_to("../blobs/1")
    cells = ["photos\\a.jpg", "linked.jpg", "../blobs/1", "s3://bucket/x.jpg", "C:\\x.jpg"]
    table = tmp_path / "snapshot" / "t.jsonl"
    put(tmp_path, "snapshot/t.jsonl", "".join(json.dumps({"image": cell}) + "\n" for cell in cells))
    samples, _ = listed(table)
    assert samples[0].key == "photos/a.jpg"
    assert samples[0].location.read() == jpeg()
    assert "link that leads out of" in samples[1].problem.message
    assert "--follow-links" in samples[1].problem.message
    assert "is not within " in samples[2].problem.message
    assert samples[2].problem.message.endswith(" allows it")
    assert "--image-root s3://bucket" in samples[3].problem.message
    samples, _ = listed(table, follow_links=True)
    assert samples[1].key == "linked.jpg"
    assert samples[1].location.read() == jpeg()
    assert samples[2].problem.kind == "blocked-path"


def test_json_whose_keys_or_items_are_names_of_pictures(tmp_path, jpeg):
    for name in ("a.jpg", "b.png"):
        (tmp_path / name).write_bytes(jpeg())
    path = tmp_path / "t.json"
    for value, texts in (
        ({"a.jpg": {"caption": "A", "x": 1}, "b.png": {}}, ["A", None]),
        ({"a.jpg": "A", "b.png": "B"}, ["A", "B"]),
        ({"a.jpg": ["A", "second"], "b.png": []}, ["A", None]),
        (["a.jpg", "b.png"], [None, None]),
    ):
        path.write_text(json.dumps(value))
        samples = list(open_source(path).samples())
        assert [(sample.key, sample.text) for sample in samples] == list(
            zip(("a.jpg", "b.png"), texts, strict=True)
        )


@pytest.mark.parametrize("column", ["image_base64", "b64", "image_data", "Image_Bytes"])
def test_base64_with_blanks_other_alphabets_and_data_urls(tmp_path, jpeg, column):
    plain, other = base64.b64encode(jpeg()).decode(), base64.urlsafe_b64encode(jpeg()).decode()
    cells = [
        plain,
        other.rstrip("="),
        f"{plain[:60]}\n{plain[60:]}",
        f"  data:image/jpeg;base64,{plain} ",
        None,
    ]
    broken = ["data:image/jpeg;base64,/9j/!", "/9j/" + "!" * 9000]
    path = tmp_path / "t.jsonl"
    path.write_text("".join(json.dumps({column: cell}) + "\n" for cell in [*cells, *broken]))
    source = open_source(path)
    samples = list(source.samples())
    assert [sample.location.read() for sample in samples[:4]] == [jpeg()] * 4
    assert [sample.problem.kind for sample in samples[4:]] == ["no-image"] * 3
    assert all(len(sample.key) < 100 and len(sample.problem.message) < 300 for sample in samples[4:])
    assert [(each.kind, each.count) for each in source.left_over] == [("other-cell", 2)]


def test_base64_of_each_format_that_can_be_opened_is_a_picture(tmp_path):
    image, texts = Image.effect_noise((32, 24), 90).convert("RGB"), []
    for name in ("BMP", "JPEG", "PNG", "GIF", "WEBP", "TIFF", "AVIF", "ICO"):
        image.save(buffer := io.BytesIO(), name)
        texts.append(base64.b64encode(buffer.getvalue()).decode())
    (tmp_path / "t.jsonl").write_text("".join(json.dumps({"image": text}) + "\n" for text in texts))
    samples = list(open_source(tmp_path / "t.jsonl").samples())
    assert [sample.location.read() for sample in samples] == [base64.b64decode(text) for text in texts]


def test_a_list_of_paths_and_numbers_that_are_bytes(tmp_path, jpeg):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.jpg").write_bytes(jpeg())
    (tmp_path / "l.txt").write_text("sub/a.jpg\n../b.jpg\nsub/none.jpg\nno path\n")
    samples = list(open_source(tmp_path / "l.txt").samples())
    assert samples[0].location.read() == jpeg()
    assert [sample.problem and sample.problem.kind for sample in samples] == [
        None,
        "blocked-path",
        None,
        "bad-url",
    ]
    (tmp_path / "t.jsonl").write_text(
        json.dumps({"image": list(jpeg())}) + "\n" + json.dumps({"image": []}) + "\n"
    )
    source = open_source(tmp_path / "t.jsonl")
    samples = list(source.samples())
    assert samples[0].location.read() == jpeg()
    assert samples[1].problem.kind == "no-image"
    assert not source.left_over


@pytest.mark.parametrize("form", ["stream", "file"])
def test_a_damaged_arrow_file_or_stream_keeps_its_rows_around_the_damage(tmp_path, form):
    """Cut at many places, without its end, and with a batch whose lengths are wrong."""
    pictures = [hashlib.sha256(bytes([number])).digest() * 9 for number in range(12)]
    table = pa.table({"image": [{"bytes": data, "path": f"{n}.png"} for n, data in enumerate(pictures)]})
    path, whole = tmp_path / "t.arrow", pa.BufferOutputStream()
    with {"stream": pa.ipc.new_stream, "file": pa.ipc.new_file}[form](whole, table.schema) as file:
        file.write_table(table, max_chunksize=3)
    data = whole.getvalue().to_pybytes()

    def read(content):
        path.write_bytes(content)
        source = open_source(path)
        samples = list(source.samples())
        lost = [sample.problem.kind for sample in samples if sample.problem]
        kept = [sample.location.read() for sample in samples if not sample.problem]
        return kept, lost, [over.kind for over in source.left_over]

    assert read(data) == (pictures, [], [])
    for number in range(1, 4):
        end = data.find(pictures[3 * number]) - 40  # within the batch
        assert read(data[:end]) == (pictures[: 3 * number], ["damaged-shard"], [])
    without_end = read(data[:-8])
    assert without_end == (
        pictures,
        *(([], ["unended-stream"]) if form == "stream" else (["damaged-shard"], [])),
    )
    content = bytearray(data)
    offsets = data.find(pictures[3]) - 16  # of the bytes, before them
    content[offsets : offsets + 16] = b"\x7f" * 16
    kept, lost, _ = read(bytes(content))
    assert kept == pictures[:3] + pictures[6:]
    assert set(lost) == {"bad-row"}


def test_a_damaged_batch_of_an_arrow_file_costs_itself_alone(tmp_path, jpeg):
    path = tmp_path / "t.arrow"
    table = pa.table({"image": [jpeg(color=(each, 0, 0)) for each in range(6)], "id": list("abcdef")})
    with pa.ipc.new_file(path, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as file:
        file.write_table(table, max_chunksize=2)
    data = bytearray(path.read_bytes())
    starts = [at for at in range(len(data)) if data.startswith(b"\x28\xb5\x2f\xfd", at)]
    middle = len(starts) // 2
    data[starts[middle] : starts[middle] + 8] = b"\xff" * 8
    path.write_bytes(data)
    samples = list(open_source(path, SourceOptions(key_column=None)).samples())
    assert sum(sample.problem is None for sample in samples) == 4
    lost = [sample.problem for sample in samples if sample.problem]
    assert [problem.kind for problem in lost] == ["bad-row"]
    assert "damaged" in lost[0].message


@pytest.mark.parametrize(
    ("before", "header", "first"),
    [
        ("# exported 2024-05-01\n# by a tool, of ours\n", "image,caption", "{},a"),
        ("\n \n,,\n", "image,caption", "{},a"),
        ("sep=;\n\n# a comment; of two cells\n", "image;caption", "{};a"),
        ("# all pictures\n", "image", "{}"),
        ("Our pictures\n", "image,caption", "{},a"),
        ('"Pictures, 2024",\n\n"of the sea"\n', "caption,image", "a,{}"),
        ("Report;;\n;;\n", "n;url;file_name", "1;;{}"),
        ('"sep=;"\n', "image;caption", "{};a"),
        ("", "#id,image", "1,{}"),
        ("", "# id,image", "1,{}"),
    ],
)
def test_empty_lines_and_comments_before_the_header_are_passed_over(before, header, first, tmp_path, jpeg):
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(jpeg())
    rows = "".join(f"{first.format(name)}\n" for name in ("a.jpg", "b.jpg", "c.jpg"))
    (tmp_path / "t.csv").write_text(f"{before}{header}\n{rows}")
    source = open_source(tmp_path / "t.csv")
    assert [sample.key for sample in source.samples()] == ["a.jpg", "b.jpg", "c.jpg"]
    assert [sample.key for part in source.shards(3) for sample in part.samples()] == [
        "a.jpg",
        "b.jpg",
        "c.jpg",
    ]
    if before.startswith(("#", " ", "sep")) or not before:
        (tmp_path / "t.csv").write_text(before + rows)
        source = open_source(tmp_path / "t.csv", SourceOptions(header_row=False))
        assert [sample.key for sample in source.samples()] == ["a.jpg", "b.jpg", "c.jpg"]


@pytest.mark.parametrize("title", ["image", "path\n1", "Our pictures\nno names, at all\nimage,n"])
def test_a_line_that_may_be_the_header_is_no_title(title, tmp_path, jpeg):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    put(tmp_path, "t.csv", f"{title}\na.jpg\n")
    if "at all" in title:
        with pytest.raises(ConfigError, match="The columns are 'Our pictures'"):
            open_source(tmp_path / "t.csv")
    else:
        assert "a.jpg" in keys(tmp_path / "t.csv")


def test_comments_between_rows_are_passed_over_and_no_row_is_taken_for_one(tmp_path, jpeg):
    for name in ("a.jpg", "#b.jpg", "c.jpg"):
        (tmp_path / name).write_bytes(jpeg())
    put(tmp_path, "t.csv", "image,n\na.jpg,1\n# half of them\n#b.jpg,2\n#b.jpg\n\n#\nc.jpg,3\n# the end")
    assert keys(tmp_path / "t.csv") == ["a.jpg", "#b.jpg", "#b.jpg#2", "c.jpg"]
    source = open_source(tmp_path / "t.csv")
    assert source.count() == 4
    assert [each.key for part in source.shards(4) for each in part.samples()] == keys(tmp_path / "t.csv")


@pytest.mark.parametrize("ending", ["json", "jsonl"])
@pytest.mark.parametrize("between", ["\n", "", ",\n", "\r\n\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_objects_one_after_the_other_over_several_lines_are_rows(ending, between, encoding, tmp_path, jpeg):
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(jpeg())
    objects = [json.dumps({"image": name, "deep": {"n": [1, 2]}}, indent=2) for name in ("a.jpg", "b.jpg")]
    (tmp_path / f"t.{ending}").write_bytes((between.join(objects) + "\n").encode(encoding))
    assert keys(tmp_path / f"t.{ending}") == ["a.jpg", "b.jpg"]
    (tmp_path / f"t.{ending}").write_bytes((between.join(objects)[:-9] + "\n").encode(encoding))
    with pytest.raises(ConfigError, match="JSON"):
        open_source(tmp_path / f"t.{ending}")


def test_json_is_read_whichever_of_its_two_endings_it_has(tmp_path, jpeg):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    (tmp_path / "b.jpg").write_bytes(jpeg())
    rows = [{"image": "a.jpg", "text": "one"}, {"image": "b.jpg", "text": "two"}]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    for name, content in (
        ("lines.json", lines),
        ("one.json", json.dumps(rows[0])[:-1] + ', "rows": [{"image": "a.jpg"}]}'),
        ("array.jsonl", json.dumps(rows)),
        ("indented.jsonl", "\ufeff\n" + json.dumps(rows, indent=2)),
    ):
        (tmp_path / name).write_text(content, encoding="utf-8")
        keys = [sample.key for sample in open_source(tmp_path / name).samples()]
        assert keys == (["a.jpg"] if name == "one.json" else ["a.jpg", "b.jpg"]), name


def test_damaged_base64_is_a_failure_and_no_long_text_is_shown(tmp_path, jpeg):
    whole = base64.b64encode(jpeg()).decode()
    other = base64.b64encode(b"no picture" * 1000).decode()
    (tmp_path / "t.csv").write_text(f"id,image_b64\n1,{whole}\n2,{whole[:-9]}!!\n3,{other}\n")
    out = tmp_path / "o.jsonl"
    code, text = captioned(tmp_path / "t.csv", out)
    assert code == 1
    assert "1 caption · 1 skipped (1 no-image) · 1 failed (1 decode)" in text
    assert "a picture in base64 that is damaged" in text
    assert max(map(len, text.splitlines())) < 300


def test_a_table_that_is_one_line_is_not_read_whole_for_its_header(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"image," + b"x" * 60_000_000)
    tracemalloc.start()
    try:
        open_source(tmp_path / "t.csv")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_a_long_cell_in_the_first_line_is_no_obstacle(tmp_path):
    (tmp_path / "t.csv").write_text("image," + "x" * 200_000 + "\na.jpg,1\n")
    assert keys(tmp_path / "t.csv") == ["a.jpg"]
