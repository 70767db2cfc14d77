"""A row, member or file that moved or was replaced never gets the caption of another picture."""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
import urllib.request

import pyarrow as pa
import pyarrow.parquet
import pytest
from coloured_runs import bmp
from PIL import Image

from engine_outputs import lines, report
from processes import cutline_here

A, B, C = "#404040", "#808080", "#c0c0c0"
"""Greys, which a JPEG keeps as they are."""


def tar(path, colours, mode="w"):
    """Members named by position, without times, as deterministic writers leave them."""
    with tarfile.open(path, mode) as file:
        for number, colour in enumerate(colours):
            member = tarfile.TarInfo(f"{number:04}.bmp")
            data = bmp(colour)
            member.size = len(data)
            file.addfile(member, io.BytesIO(data))


def packed(path, colours):
    tar(path, colours, "w:gz")


def parquet(path, colours):
    pa.parquet.write_table(pa.table({"image": [bmp(colour) for colour in colours]}), path)


def cells(path, colours):
    """As Hugging Face's datasets have them, without names."""
    rows = [{"bytes": bmp(colour), "path": None} for colour in colours]
    pa.parquet.write_table(pa.table({"image": rows}), path)


def feather(path, colours):
    pa.ipc.new_file(path, pa.schema([("image", pa.binary())])).close()
    table = pa.table({"image": [bmp(colour) for colour in colours], "image_id": list(range(len(colours)))})
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def named_by_position(path, colours):
    """A table whose paths are given out again each time."""
    for number, colour in enumerate(colours):
        (path.parent / f"{number}.bmp").write_bytes(bmp(colour))
    path.write_text("path\n" + "".join(f"{number}.bmp\n" for number in range(len(colours))))


def keyed_by_position(path, colours):
    for colour in colours:
        (path.parent / f"{colour[1:]}.bmp").write_bytes(bmp(colour))
    rows = [{"n": number, "path": f"{colour[1:]}.bmp"} for number, colour in enumerate(colours)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


SOURCES = {
    "member": (tar, "in.tar", ()),
    "packed-member": (packed, "in.tgz", ()),
    "bytes": (parquet, "in.parquet", ()),
    "bytes-and-no-path": (cells, "in.parquet", ()),
    "bytes-by-number": (feather, "in.arrow", ()),
    "path": (named_by_position, "in.csv", ()),
    "key-column": (keyed_by_position, "in.jsonl", ("--key-column", "n")),
}


def shards(output):
    """Each picture's own colour, and its caption."""
    for path in sorted(output.glob("*.tar")):
        with tarfile.open(path) as file:
            data = {member.name: file.extractfile(member).read() for member in file}
        for name, text in data.items():
            if name.endswith(".txt"):
                with Image.open(io.BytesIO(data[f"{name[:-4]}.bmp"])) as picture:
                    yield (
                        "#{:02x}{:02x}{:02x}".format(*picture.convert("RGB").getpixel((0, 0))),
                        text.decode(),
                    )


@pytest.mark.parametrize("kind", SOURCES)
def test_an_input_with_a_new_first_row_gets_its_own_captions(kind, run, tmp_path):
    write, name, options = SOURCES[kind]
    source, output = tmp_path / name, tmp_path / "out.jsonl"
    write(source, [A, B])
    assert run(source, output, *options) == 2
    write(source, [C, A, B])
    assert 1 <= run(source, output, *options) <= 3
    assert [row["caption"] for row in lines(output)] == [f"It is all {each}." for each in (C, A, B)]
    assert run(source, output, *options) == 0


@pytest.mark.parametrize("kind", ["member", "packed-member", "bytes"])
def test_shards_never_pair_a_picture_with_the_caption_of_another(kind, run, tmp_path):
    write, name, _ = SOURCES[kind]
    source, output, state = tmp_path / name, tmp_path / "shards", tmp_path / "kept"
    write(source, [A, B])
    run(source, output, "--output-format", "webdataset", "--state", state)
    write(source, [C, A, B])
    run(source, output, "--output-format", "webdataset", "--state", state)
    assert list(shards(output)) == [(each, f"It is all {each}.") for each in (C, A, B)]


@pytest.mark.parametrize("kind", ["bytes", "bytes-and-no-path"])
def test_rows_that_only_moved_are_not_requested_again(kind, run, tmp_path):
    write, name, _ = SOURCES[kind]
    source, output = tmp_path / name, tmp_path / "out.jsonl"
    write(source, [A, B, C])
    run(source, output)
    write(source, [C, A, B])
    assert run(source, output) == 0
    assert [row["caption"] for row in lines(output)] == [f"It is all {each}." for each in (C, A, B)]


def test_a_file_replaced_by_one_of_equal_size_and_time_is_noticed(run, tmp_path):
    folder, output = tmp_path / "pictures", tmp_path / "out.jsonl"
    folder.mkdir()
    for name, colour in (("a.bmp", A), ("b.bmp", B)):
        (folder / name).write_bytes(bmp(colour))
    run(folder, output)
    status = (folder / "a.bmp").stat()
    (folder / "a.bmp").write_bytes(bmp(C))
    os.utime(folder / "a.bmp", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert run(folder, output) == 1
    assert [row["caption"] for row in lines(output)] == [f"It is all {C}.", f"It is all {B}."]


@pytest.mark.parametrize("kind", ["folder", "member"])
def test_a_copy_with_new_times_is_not_requested_again(kind, run, tmp_path):
    output = tmp_path / "out.jsonl"
    if kind == "folder":
        source = tmp_path / "pictures"
        source.mkdir()
        (source / "a.bmp").write_bytes(bmp(A))
        files = [source / "a.bmp"]
    else:
        source = tmp_path / "in.tar"
        tar(source, [A])
        files = [source]
    run(source, output)
    for file in files:
        os.utime(file, ns=(1, 1))
    assert run(source, output) == 0
    state = tmp_path / "out.jsonl.cutline"
    size = (state / "journal.jsonl").stat().st_size
    assert run(source, output) == 0
    assert (state / "journal.jsonl").stat().st_size == size, "the new time is recorded once"
    assert [row["caption"] for row in lines(output)] == [f"It is all {A}."]


def titles(path, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("path", "title", "note"), *rows])


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_changed_variable_of_the_prompt_makes_another_request(form, run, tmp_path):
    for name, colour in (("a.bmp", A), ("b.bmp", B)):
        (tmp_path / name).write_bytes(bmp(colour))
    source, output = tmp_path / "in.csv", tmp_path / f"out.{form}"
    prompt = ("--prompt", "Describe {title}.")
    titles(source, [("a.bmp", "one", "x"), ("b.bmp", "two", "x")])
    assert run(source, output, *prompt) == 2
    titles(source, [("a.bmp", "one", "another note"), ("b.bmp", "three", "x")])
    assert run(source, output, *prompt) == 1
    assert report(output)["this_run"]["captions"] == 1
    assert run(source, output, *prompt) == 0


def test_captions_are_kept_under_another_prompt_where_the_user_decides_so(run, tmp_path):
    (tmp_path / "a.bmp").write_bytes(bmp(A))
    source, output = tmp_path / "in.csv", tmp_path / "out.jsonl"
    titles(source, [("a.bmp", "one", "x")])
    run(source, output, "--prompt", "Describe {title}.")
    assert run(source, output, "--prompt", "Describe {note}.", "--on-change", "keep") == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"n": "x", "path": "a.bmp"}, {"n": "x", "path": "b.bmp"}], "is not the first with 'x' in 'n'"),
        ([{"n": "x", "path": "a.bmp"}, {"n": "", "path": "b.bmp"}], "has no name in 'n'"),
        ([{"m": "x", "path": "a.bmp"}], "has no column 'n'; it has 'm', 'path'"),
    ],
    ids=["twice", "empty", "missing"],
)
def test_a_key_column_names_every_row_or_nothing_is_requested(rows, message, run, tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "a.bmp").write_bytes(bmp(A))
    done = cutline_here("caption", source, tmp_path / "out.jsonl", "--model", "fake", "--key-column", "n")
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out.jsonl").exists()


def test_a_key_column_is_refused_where_there_are_no_columns(pictures, tmp_path):
    done = cutline_here(
        "caption", pictures(1), tmp_path / "out.jsonl", "--model", "fake", "--key-column", "n"
    )
    assert done.returncode == 2
    assert "does not support --key-column; remove it, or set --source-type table" in done.stderr


def test_rows_of_one_url_get_the_names_of_their_column(tmp_path):
    (tmp_path / "a.bmp").write_bytes(bmp(A))
    source, output = tmp_path / "in.csv", tmp_path / "out.jsonl"
    titles(source, [("a.bmp", "left", "x"), ("a.bmp", "right", "x")])
    assert cutline_here("caption", source, output, "--model", "fake", "--key-column", "title").returncode == 0
    assert [row["image_id"] for row in lines(output)] == ["left", "right"]


def older(state, *, key=None):
    """The journal as the version before wrote it: without what tells one picture from another."""
    path = state / "journal.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if "stamp" in row:
            row["stamp"] = ""
            row["key"] = key or row["key"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (state / "mark.json").unlink()


def test_a_state_of_an_older_version_is_refused_with_cures_that_work(run, tmp_path):
    source, output = tmp_path / "in.tar", tmp_path / "out.jsonl"
    tar(source, [A, B])
    run(source, output)
    older(tmp_path / "out.jsonl.cutline")
    before = output.read_bytes()
    done = cutline_here(
        "caption", source, output, "--model", "colours", "--endpoint", "http://localhost:9/v1"
    )
    assert done.returncode == 2
    assert "--on-change" in done.stderr
    assert output.read_bytes() == before
    assert run(source, output, code=2) == 0
    assert run(source, output, "--on-change", "keep") == 0
    assert run(source, output) == 0, "the decision is remembered"
    tar(source, [C, B])
    assert run(source, output) >= 1
    assert [row["caption"] for row in lines(output)] == [f"It is all {C}.", f"It is all {B}."]


def test_a_state_of_an_older_version_is_made_anew_on_demand(run, tmp_path):
    source, output = tmp_path / "in.parquet", tmp_path / "out.jsonl"
    parquet(source, [A])
    run(source, output)
    older(tmp_path / "out.jsonl.cutline", key="row-00000000")
    assert run(source, output, code=2) == 0
    assert run(source, output, "--on-change", "redo-all") == 1
    assert run(source, output) == 0
    assert [row["caption"] for row in lines(output)] == [f"It is all {A}."]


@pytest.mark.parametrize("form", ["txt", "csv"])
def test_a_picture_replaced_behind_its_url_is_noticed_by_a_recheck(form, colours, run, tmp_path):
    site, output = colours.url.removesuffix("/v1"), tmp_path / "out.jsonl"
    kinds = ("etag", "date", "plain")

    def put(kind, colour):
        data = bmp(colour) if colour else b""
        urllib.request.urlopen(urllib.request.Request(f"{site}/{form}-{kind}", data, method="PUT"))

    def checked(*options):
        before = colours.get("/stats")["bodies"]
        requests = run(source, output, "--allow-private-urls", *keys, *options)
        return requests, colours.get("/stats")["bodies"] - before, [row["caption"] for row in lines(output)]

    for kind in kinds:
        put(kind, A)
    source = tmp_path / f"list.{form}"
    urls = [f"{site}/{kind}/{form}-{kind}" for kind in kinds]
    keys = () if form == "txt" else ("--key-column", "n")
    head = "" if form == "txt" else "n,url\n"
    source.write_text(
        head + "".join(f"{url}\n" if not head else f"{n},{url}\n" for n, url in enumerate(urls))
    )
    assert checked() == (3, 3, [f"It is all {A}."] * 3)
    assert checked() == (0, 0, [f"It is all {A}."] * 3)
    assert checked("--recheck") == (0, 1, [f"It is all {A}."] * 3), "only the last has no validator"
    put("etag", B)
    put("plain", C)
    assert checked() == (0, 0, [f"It is all {A}."] * 3), "nothing is downloaded unless it is called for"
    after = [f"It is all {each}." for each in (B, A, C)]
    assert checked("--recheck") == (2, 4, after)
    put("etag", B)  # another version of the same bytes, noted for the next time
    put("date", "")
    assert checked("--recheck") == (0, 2, after)
    assert report(output)["unchecked"] == 1
    assert checked("--recheck") == (0, 1, after)


@pytest.mark.parametrize(
    "options", [("--recheck",), ("--output-format", "webdataset")], ids=["jsonl", "shards"]
)
def test_rows_of_one_url_share_no_caption_of_the_picture_before(options, colours, run, tmp_path):
    site, output = colours.url.removesuffix("/v1"), tmp_path / "out.jsonl"

    def put(colour):
        request = urllib.request.Request(f"{site}/{options[0][2:]}.bmp", bmp(colour), method="PUT")
        urllib.request.urlopen(request)

    source, state = tmp_path / "in.csv", tmp_path / "state"
    source.write_text("n,url\n" + "".join(f"{n},{site}/etag/{options[0][2:]}.bmp\n" for n in range(3)))
    arguments = ("--allow-private-urls", "--key-column", "n", "--state", state)
    put(A)
    assert run(source, output, *arguments) == 1
    put(B)
    if options[0] == "--recheck":
        assert run(source, output, *arguments, *options) == 1
        assert [row["caption"] for row in lines(output)] == [f"It is all {B}."] * 3
    else:
        assert run(source, tmp_path / "shards", *arguments, *options) == 1
        assert list(shards(tmp_path / "shards")) == [(B, f"It is all {B}.")] * 3
