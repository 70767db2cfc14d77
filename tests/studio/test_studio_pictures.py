"""Thumbnails and pictures over HTTP, and the cache of thumbnails."""

from __future__ import annotations

import io
import os
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cutline.locations.stored import LocalFile
from cutline.studio.thumbnail_store import PictureVersion, ThumbnailStore
from studio_process import start_studio, stop_studio, wait_until_open

HERE = LocalFile("/p")

NAMES = ("alpha.png", "anim.gif", "broken.jpg", "cmyk.jpg", "evil.png", "page.png", "photo.tif", "turned.jpg")


def fill(folder: Path) -> None:
    folder.mkdir()
    Image.new("RGBA", (500, 400), (0, 0, 255, 0)).save(folder / "alpha.png")
    frames = [Image.new("P", (400, 300), color) for color in (1, 2)]
    frames[0].save(folder / "anim.gif", save_all=True, append_images=frames[1:])
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    Image.new("CMYK", (700, 500), (0, 255, 255, 0)).save(folder / "cmyk.jpg")
    (folder / "evil.png").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>")
    (folder / "page.png").write_text("<!doctype html><script>1</script>")
    Image.new("RGB", (3000, 90), (9, 90, 9)).save(folder / "photo.tif")
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (800, 400), (200, 9, 9)).save(folder / "turned.jpg", exif=exif)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    folder = tmp_path_factory.mktemp("pictures") / "photos"
    fill(folder)
    started = wait_until_open(start_studio(folder))
    yield started
    stop_studio(started)


def fetch(studio: Any, path: str, etag: str = "") -> tuple[int, bytes, Any]:
    request = urllib.request.Request(f"{studio.url}/studio/{path}", headers={"If-None-Match": etag})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, response.read(), response.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("alpha.png", (320, 256)),
        ("anim.gif", (320, 240)),
        ("cmyk.jpg", (320, 229)),
        ("photo.tif", (320, 10)),
        ("turned.jpg", (160, 320)),
    ],
)
def test_every_kind_of_picture_has_an_upright_thumbnail(
    studio: Any, name: str, size: tuple[int, int]
) -> None:
    status, data, headers = fetch(studio, f"thumbnails/{NAMES.index(name)}")
    image = Image.open(io.BytesIO(data))
    assert (status, image.format, image.mode, image.size) == (200, "JPEG", "RGB", size)
    assert headers["X-Content-Type-Options"] == "nosniff"
    again, data, _ = fetch(studio, f"thumbnails/{NAMES.index(name)}", headers["ETag"])
    assert (again, data) == (304, b"")


@pytest.mark.parametrize("name", ["broken.jpg", "evil.png", "page.png"])
def test_what_is_no_picture_is_refused(studio: Any, name: str) -> None:
    for _ in range(2):
        status, data, headers = fetch(studio, f"thumbnails/{NAMES.index(name)}")
        assert (status, headers["Content-Type"]) == (415, "application/json")
        assert f"{name} cannot be shown" in data.decode()
    status, data, headers = fetch(studio, f"pictures/{NAMES.index(name)}")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "html" not in headers["Content-Type"]
    assert "svg" not in headers["Content-Type"]
    assert status == (200 if name == "broken.jpg" else 415)


def test_a_picture_is_sent_as_it_is_where_browsers_show_it(studio: Any) -> None:
    for name, kind in (("alpha.png", "png"), ("anim.gif", "gif"), ("turned.jpg", "jpeg")):
        status, data, headers = fetch(studio, f"pictures/{NAMES.index(name)}")
        assert (status, headers["Content-Type"]) == (200, f"image/{kind}")
        assert data == (studio.folder / name).read_bytes()
        assert fetch(studio, f"pictures/{NAMES.index(name)}", headers["ETag"])[0] == 304
    status, data, headers = fetch(studio, f"pictures/{NAMES.index('photo.tif')}")
    assert Image.open(io.BytesIO(data)).size == (2048, 61)


def test_a_replaced_picture_shows_anew_and_the_cache_outlives_the_studio(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    fill(folder)
    cache = tmp_path / "cache" / "cutline" / "thumbnails.sqlite"
    cache.parent.mkdir(parents=True)
    cache.write_bytes(b"no database at all" * 100)
    studio = wait_until_open(start_studio(folder))
    row = NAMES.index("cmyk.jpg")
    first, etag = fetch(studio, f"thumbnails/{row}")[1], fetch(studio, f"thumbnails/{row}")[2]["ETag"]
    Image.new("RGB", (90, 900), (0, 0, 0)).save(folder / "cmyk.jpg")
    status, second, _ = fetch(studio, f"thumbnails/{row}", etag)
    assert status == 200
    assert Image.open(io.BytesIO(second)).size == (32, 320)
    assert second != first
    (folder / "cmyk.jpg").unlink()
    assert fetch(studio, f"thumbnails/{row}")[0] == 404
    assert fetch(studio, f"thumbnails/{NAMES.index('turned.jpg')}")[0] == 200
    stop_studio(studio)
    with sqlite3.connect(cache) as database:
        paths = {os.fsdecode(path) for (path,) in database.execute("SELECT path FROM thumbnails")}
    assert os.path.realpath(folder / "turned.jpg") in paths
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        set(NAMES) - {"cmyk.jpg"}
    )  # nothing beside the pictures


def test_the_oldest_thumbnails_make_room(tmp_path: Path) -> None:
    store = ThumbnailStore(tmp_path / "thumbnails.sqlite", max_bytes=300_000)
    versions = [PictureVersion(f"/p/{number}\udcff.jpg", 1, number, HERE) for number in range(100)]
    for version in versions:
        store.put(version, os.urandom(10_000), 0)
        store.flush()
    assert store.get(versions[-1]) is not None
    assert store.get(versions[0]) is None
    assert store.is_full
    store.close()
    assert (tmp_path / "thumbnails.sqlite").stat().st_size < 600_000
    assert store.get(versions[-1]) is not None  # opened again
    assert store.get(PictureVersion(versions[-1].path, 2, 99, HERE)) is None  # replaced


def test_without_a_cache_thumbnails_are_made_each_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = ThumbnailStore(tmp_path / "file" / "thumbnails.sqlite")
    store.put(PictureVersion("/p", 1, 1, HERE), b"x", 0)
    store.close()
    assert store.get(PictureVersion("/p", 1, 1, HERE)) is None
