"""What is remote and which driver is missing: one answer for inputs, outputs and state."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import cutline
from cutline.engine.state import state_folder
from cutline.sources import SourceOptions, open_source
from cutline.sources.listed import ListedSource
from cutline.storage import is_http, is_remote, is_url, local_path, try_writing


@pytest.mark.parametrize(
    ("path", "url", "remote"),
    [
        ("photos/a:b.jpg", False, False),
        ("file:///photos", True, False),
        ("local://photos", True, False),
        ("FILE:///photos", True, False),
        ("s3://bucket/a", True, True),
        ("https://example.com/a.parquet", True, True),
        ("zip://a::file:///b.zip", True, True),
    ],
)
def test_one_meaning_of_remote(path, url, remote):
    assert (is_url(path), is_remote(path)) == (url, remote)
    assert local_path(path) == (path if remote or not url else path.partition("://")[2])


@pytest.mark.parametrize("url", ["file:/a b/c", "file://localhost/a b/c", "File:///a b/c", "local:/a b/c"])
def test_every_form_of_a_local_url_is_its_path(url):
    assert (is_url(url), is_remote(url), local_path(url)) == (True, False, "/a b/c")


def test_only_one_module_knows_drivers():
    """What is remote, over which driver, and what installs it is in ``storage``."""
    folder = Path(cutline.__file__).parent
    users = [
        file for file in folder.rglob("*.py") if re.search(r"import fsspec|s3fs|gcsfs", file.read_text())
    ]
    assert users == [folder / "storage.py"]


def test_an_http_url_is_one_in_any_case():
    assert is_http("HTTPS://example.org/a.jpg")
    assert not is_http("httpd/a.jpg")
    [sample] = ListedSource(["HTTP://example.org/a.jpg"]).samples()
    assert sample.location.url() == "HTTP://example.org/a.jpg"


def test_a_local_url_is_read_and_written_as_its_path(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"picture")
    (tmp_path / "photos" / "a.txt").write_text("text")
    [plain] = open_source(tmp_path / "photos").samples()
    for scheme in ("file://", "file:", "file://localhost"):
        [by_url] = open_source(f"{scheme}{tmp_path}/photos").samples()
        assert by_url == plain
        assert state_folder(f"{scheme}{tmp_path}/out.jsonl", None) == tmp_path / "out.jsonl.cutline"
    try_writing(f"file://{tmp_path}/out.jsonl")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photos"]


def test_a_table_of_a_local_url_reads_only_its_own_folder(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "outside.jpg").write_bytes(b"picture")
    (tmp_path / "set" / "a.jpg").write_bytes(b"picture")
    (tmp_path / "set" / "t.csv").write_text(f"image\na.jpg\n../outside.jpg\nfile://{tmp_path}/outside.jpg\n")
    inside, *others = open_source(f"file://{tmp_path}/set/t.csv").samples()
    assert inside.location.read() == b"picture"
    assert {sample.problem.kind for sample in others} == {"blocked-path"}
    rooted = SourceOptions(image_root=f"file://{tmp_path}")
    upwards = list(open_source(tmp_path / "set" / "t.csv", rooted).samples())[1]
    assert upwards.location.read() == b"picture", "from the table's folder, and within the root"


WITHOUT_DRIVERS = """
import sys
from pathlib import Path
sys.modules["s3fs"] = sys.modules["gcsfs"] = None  # as if they were not installed
from cutline import sinks
from cutline.errors import MissingExtra
from cutline.sources import open_source
from cutline.storage import open_storage

url, state = sys.argv[1:]
for call in (
    lambda: open_storage(url),
    lambda: list(open_source(f"{url}.tar").samples()),
    lambda: list(open_source(url).samples()),
    lambda: sinks.open_sink(f"{url}.json", None, Path(state), sinks.SinkOptions()),
):
    try:
        call()
    except MissingExtra as error:
        print(error)
"""
"""In a process of its own, as fsspec keeps the drivers that an earlier test used."""


@pytest.mark.parametrize(("url", "extra"), [("s3://bucket/a", "s3"), ("gs://bucket/a", "gcs")])
def test_a_missing_driver_is_named_the_same_everywhere(url, extra, tmp_path):
    command = [sys.executable, "-c", WITHOUT_DRIVERS, url, tmp_path]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    message = f"access to {url.partition('bucket')[0]} needs an extra: pip install 'cutline[{extra}]'"
    lines = done.stdout.splitlines()
    assert len(lines) == 4
    assert all(line.startswith(message) for line in lines), lines
