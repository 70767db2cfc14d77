"""Filters of pictures wherever they are: remote storage, URLs, tables with their bytes, tars."""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import re
import tarfile
import threading
from collections import Counter

import pytest

from measured_pictures import blurred, file_of, scene
from processes import PATIENCE, cutline_here, start_cutline, wait_until

KEEP = ("--keep", "side>=100", "--keep", "sharpness>=0.75", "--dedup", "near")
FILES = {
    "a.png": file_of(scene(seed=1)),
    "b.jpg": file_of(scene(seed=2), "JPEG"),
    "copy.jpg": file_of(scene(seed=1).resize((240, 180)), "JPEG"),
    "soft.png": file_of(blurred(scene(seed=3))),
    "tiny.png": file_of(scene(64, 48, seed=4)),
}
RULES = {"copy.jpg": "near duplicate", "soft.png": "sharpness>=0.75", "tiny.png": "side>=100"}


def run(*arguments, expect=0):
    done = cutline_here(*arguments)
    assert done.returncode == expect, done.stderr
    return done


def rows(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def rejected(path):
    return {row["image_id"].rpartition("/")[2]: row["rule"] for row in rows(path)}


def kept(path):
    return sorted(line.rpartition("/")[2] for line in path.read_text().splitlines())


@pytest.fixture
def photos(bucket):
    for name, data in FILES.items():
        bucket.write(f"photos/{name}", data)
    return f"{bucket.url}/photos"


@pytest.fixture
def web():
    """A web server of the files, and how often each was fetched."""
    fetched = Counter()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path[1:]
            fetched[name] += 1
            self.send_response(200 if name in FILES else 404)
            self.send_header("Content-Length", str(len(FILES.get(name, b""))))
            self.end_headers()
            self.wfile.write(FILES.get(name, b""))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", fetched
        server.shutdown()


def test_pictures_on_s3(photos, tmp_path):
    pytest.importorskip("s3fs")
    done = run("filter", photos, tmp_path / "kept.txt", *KEEP)
    assert "2 kept · 3 rejected" in done.stdout + done.stderr
    assert kept(tmp_path / "kept.txt") == ["a.png", "b.jpg"]
    assert rejected(tmp_path / "kept.txt.rejected.jsonl") == RULES
    next_command = (done.stdout + done.stderr).partition("caption them: ")[2].splitlines()[0]
    assert next_command.endswith(f"--image-root {photos}")
    run(*next_command.split()[1:], "-o", tmp_path / "out.jsonl", "--model", "fake")
    assert len(rows(tmp_path / "out.jsonl")) == 2


def measured_on(bucket, state="_out.jsonl.cutline"):
    """The lines of measures beside a remote output."""
    names = [name for name in bucket.names() if name.startswith(f"{state}/measures/")]
    return [line for name in names for line in bucket.read(name).splitlines()]


def test_measures_of_a_killed_run_come_to_another_machine(bucket, tmp_path, machine):
    """A server that holds back the last pictures stands for a pass of hours."""
    held = threading.Event()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            if self.path.endswith("held.png"):
                held.wait(PATIENCE)
            self.send_response(200)
            data = FILES["a.png" if self.path.endswith("held.png") else self.path[1:]]
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            with contextlib.suppress(OSError):  # the run was killed
                self.wfile.write(data)

        def log_message(self, *_):
            pass

    output = f"{bucket.url}/out.jsonl"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        (tmp_path / "list.txt").write_text("".join(f"{address}/{name}\n" for name in [*FILES, "held.png"]))
        arguments = (
            "caption",
            tmp_path / "list.txt",
            output,
            "--model",
            "fake",
            "--allow-private-urls",
            *KEEP,
        )
        machine("one")
        first = start_cutline(*arguments)
        wait_until(lambda: len(measured_on(bucket)) == len(FILES))
        first.kill()
        first.communicate()
        held.set()
        for part in [name for name in bucket.names() if "/lock/" in name]:
            bucket.remove(part)  # as if the lease had run out
        machine("two")
        done = run(*arguments)
        server.shutdown()
    keys = [json.loads(line)["key"].rpartition("/")[2] for line in measured_on(bucket)]
    assert sorted(keys) == sorted([*FILES, "held.png"])
    assert re.search(r"^2 captions ·", done.stderr, re.MULTILINE)


def test_damaged_measures_on_the_storage_are_measured_again(bucket, photos, machine):
    machine("one")
    output = f"{bucket.url}/out.jsonl"
    run("caption", photos, output, "--model", "fake", *KEEP)
    (part,) = (name for name in bucket.names() if "/measures/" in name)
    data = bucket.read(part)
    bucket.write(part, data.replace(b'"digest":"', b'"digest":"0'))
    machine("two")
    run("caption", photos, output, "--model", "fake", *KEEP)
    assert len(bucket.read("out.jsonl").splitlines()) == 2


def test_measures_of_a_remote_output_come_to_another_machine(bucket, photos, machine):
    machine("one")
    output = f"{bucket.url}/out.jsonl"
    run("caption", photos, output, "--model", "fake", *KEEP)
    assert "_out.jsonl.cutline/rejected.jsonl" in bucket.names()
    measured = measured_on(bucket)
    assert len(measured) == len(FILES)
    machine("two")
    done = run("caption", photos, output, "--model", "fake", "--keep", "side>=100")
    assert "measuring" not in done.stderr
    assert measured_on(bucket) == measured
    assert len(bucket.read("out.jsonl").splitlines()) == 4
    listed = bucket.read("_out.jsonl.cutline/rejected.jsonl").splitlines()
    assert [json.loads(line)["rule"] for line in listed] == ["side>=100"]


def test_pictures_that_were_fetched_to_be_measured_are_kept_for_their_captions(web, tmp_path):
    address, fetched = web
    (tmp_path / "list.txt").write_text("".join(f"{address}/{name}\n" for name in [*FILES, "gone.png"]))
    arguments = ("caption", tmp_path / "list.txt", tmp_path / "out.jsonl", "--model", "fake", *KEEP)
    done = run(*arguments, "--allow-private-urls", expect=1)
    assert rejected(tmp_path / "out.jsonl.rejected.jsonl") == RULES
    assert {name: fetched[name] for name in FILES} == dict.fromkeys(FILES, 1)
    assert "1 failed (1 fetch)" in done.stderr or "1 failed (1 missing)" in done.stderr
    fetched.clear()
    done = run(
        "filter", tmp_path / "list.txt", tmp_path / "kept.txt", *KEEP, "--allow-private-urls", expect=1
    )
    assert kept(tmp_path / "kept.txt") == ["a.png", "b.jpg"]
    fetched.clear()
    run(
        "filter",
        tmp_path / "list.txt",
        tmp_path / "kept.txt",
        "--keep",
        "side>=1",
        "--allow-private-urls",
        expect=1,
    )
    assert set(fetched) == {"gone.png"}, "only what could not be had is tried again"


def test_a_table_that_holds_the_pictures(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table(
        {
            "name": list(FILES),
            "image": [{"bytes": data, "path": name} for name, data in FILES.items()],
            "price": [1.5, 2.5, 3.5, 4.5, 5.5],
        }
    )
    parquet.write_table(table, tmp_path / "in.parquet")
    options = ("--key-column", "name")
    done = run("filter", tmp_path / "in.parquet", tmp_path / "kept.txt", *KEEP, *options, expect=2)
    assert "give the list a name that ends in .parquet" in done.stderr
    run("filter", tmp_path / "in.parquet", tmp_path / "kept.parquet", *KEEP, *options)
    assert rejected(tmp_path / "kept.parquet.rejected.jsonl") == RULES
    run("caption", tmp_path / "kept.parquet", tmp_path / "out.jsonl", "--model", "fake")
    captions = rows(tmp_path / "out.jsonl")
    assert [row["image_id"] for row in captions] == ["a.png", "b.jpg"]
    assert [row["metadata"]["price"] for row in captions] == [1.5, 2.5]


def test_tars(tmp_path):
    with tarfile.open(tmp_path / "00000.tar", "w") as tar:
        for name, data in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    run("filter", tmp_path / "00000.tar", tmp_path / "kept.parquet", *KEEP)
    found = rejected(tmp_path / "kept.parquet.rejected.jsonl")
    assert found == {name.partition(".")[0]: rule for name, rule in RULES.items()}
    run(
        "caption",
        tmp_path / "00000.tar",
        tmp_path / "shards",
        "--output-format",
        "webdataset",
        "--model",
        "fake",
        *KEEP,
    )
    assert rejected(tmp_path / "shards.rejected.jsonl") == found
    with tarfile.open(tmp_path / "shards/00000.tar") as tar:
        assert len([name for name in tar.getnames() if name.endswith(".txt")]) == 2


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_list_has_the_columns_of_the_input(tmp_path, ending):
    (tmp_path / "photos").mkdir()
    for name, data in FILES.items():
        (tmp_path / "photos" / name).write_bytes(data)
    lines = [
        {"file_name": name, "price": number + 0.5, "tags": ["x", "y"], "sharpness": f"own {number}"}
        for number, name in enumerate(FILES)
    ]
    lines[1]["more"] = {"colour": "red"}
    (tmp_path / "photos/table.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    options = ("--image-column", "file_name")
    listed = tmp_path / f"kept.{ending}"
    run("filter", tmp_path / "photos/table.jsonl", listed, *KEEP, *options)
    run("caption", listed, tmp_path / "out.jsonl", "--model", "fake")
    first, second = (row["metadata"] for row in rows(tmp_path / "out.jsonl"))
    assert float(second["price"]) == 1.5
    assert (first["sharpness"], second["sharpness"]) == ("own 0", "own 1"), "the input's own is kept"
    tags, more = second["tags"], second["more"]
    if ending == "csv":
        tags, more = json.loads(tags), json.loads(more)
    assert (tags, more) == (["x", "y"], {"colour": "red"})
    assert float(first["side"]) == 360


def test_names_of_any_kind_come_through_the_lists(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    names = [
        "a b.png",
        "two\nlines.png",
        "emoji\N{GRINNING FACE}.png",
        "quote\"'.png",
        "wr\u00f6ng\udcff.png",
    ]
    for number, name in enumerate(names):
        (folder / name).write_bytes(file_of(scene(seed=number)))
    done = run("filter", folder, tmp_path / "all.csv", expect=2)
    assert "rename it, or give the list a name that ends in .parquet" in done.stderr
    run("filter", folder, tmp_path / "all.parquet")
    run("caption", tmp_path / "all.parquet", tmp_path / "all.jsonl", "--model", "fake")
    assert len(rows(tmp_path / "all.jsonl")) == len(names)
    (folder / names.pop()).unlink()
    for ending in ("csv", "jsonl"):
        run("filter", folder, tmp_path / f"rest.{ending}")
        run("caption", tmp_path / f"rest.{ending}", tmp_path / f"{ending}.jsonl", "--model", "fake")
        assert len(rows(tmp_path / f"{ending}.jsonl")) == len(names)
    run("filter", folder, tmp_path / "rest.txt", expect=2)
