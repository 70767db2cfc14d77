"""Measure the studio on a large folder: hard links of a few pictures, each with a caption of its own.

    python bench/studio.py [--rows 100000] [--thumbnails 10000] [--json FILE] [--check]

Times are those on the clock, and beside them the processor's, which tell more on a busy machine.
The folder is made in a temporary one, and removed. See docs/design/studio.md.
"""

from __future__ import annotations

import concurrent.futures
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import map_page
from figures import Figure, arguments, conclude
from pictures import picture
from studio_server import StudioServer

from cutline.dataset import edits, tag_edits
from cutline.dataset.dataset import Dataset
from cutline.dataset.records import EditInfo
from cutline.imaging import Picture
from cutline.imaging.thumbnails import colored_jpeg
from cutline.locations.stored import LocalFile
from cutline.studio.thumbnail_store import PictureVersion, ThumbnailStore

TEXT = (
    "a photo of cat dog mat on the table with blue red light window street people walking near water "
    "mountain, sunset"
)


class Figures:
    """Collects the time and the processor's time of each step."""

    def __init__(self) -> None:
        self.all: list[Figure] = []

    def measure(self, name: str, most: float | None, call: Callable[[], Any], times: int = 1) -> Any:
        start, used = time.perf_counter(), time.process_time()
        for _ in range(times):
            result = call()
        wall, used = time.perf_counter() - start, time.process_time() - used
        self.all.append(Figure(case=name, name="time", value=wall / times, unit="s", most=most))
        self.all.append(Figure(case=name, name="processor", value=used / times, unit="CPU-s"))
        return result


def fill(folder: Path, rows: int) -> None:
    """Pictures of 1024 x 768 and captions of 69 words, a thousand in a folder."""
    rng, words = random.Random(1), TEXT.split()
    originals = folder.parent / "originals"
    originals.mkdir()
    for seed in range(40):
        picture(1024, 768, seed).save(originals / f"{seed}.jpg", quality=88)
    for row in range(rows):
        place = folder / f"{row // 1000:04}"
        place.mkdir(parents=True, exist_ok=True)
        os.link(originals / f"{row % 40}.jpg", place / f"{row % 1000:04}.jpg")
        text = place / f"{row % 1000:04}.txt"
        text.write_text(" ".join(rng.choices(words, k=69)))
        os.utime(text, (1.7e9, 1.7e9))


def run(folder: Path, cache: Path, thumbnails: int) -> list[Figure]:
    figures = Figures()
    measure = figures.measure

    def opened() -> Dataset:
        return Dataset(os.fspath(folder), cache=cache)

    measure("list the pictures", 3, opened).close()
    dataset = opened()
    measure("read the captions, first", 15, dataset.read_texts)
    dataset.close()

    def again() -> Dataset:
        dataset = opened()
        dataset.read_texts()
        return dataset

    dataset = measure("open again, captions too", 3, again)
    measure("find a text", 0.15, lambda: dataset.find("cat"), 5)
    measure("find by regex", 0.8, lambda: dataset.find(r"re:/c.t\b/"))
    measure("find by words, first", 0.8, lambda: dataset.find("words>70"))
    plain = edits.Replace(old="cat", new="cow")
    dataset.preview(plain)  # memory that is new to the process comes slowly
    found = measure("preview, text", 0.5, lambda: dataset.preview(plain))
    measure(
        "preview, whole words", 0.5, lambda: dataset.preview(edits.Replace(old="cat", new="cow", word=True))
    )
    pattern = edits.Replace(old=r"\b(c)at\b", new=r"\1ow", regex=True)
    measure("preview, regex", 2, lambda: dataset.preview(pattern))
    measure("preview, remove a tag", 2, lambda: dataset.preview(tag_edits.RemoveTag(tags=("sunset",))))
    measure(f"apply to {len(found.rows):,}", 20, lambda: dataset.apply(found))
    measure("undo", 20, dataset.undo)
    info = EditInfo(kind="text", summary="edit")
    texts = iter(f"number {number}" for number in range(100))
    measure("one save", 0.01, lambda: dataset.set_captions({7: next(texts)}, info), 50)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    figures.all.append(Figure(case="memory", name="peak", value=peak / 1e6, unit="MB", most=500))
    store = ThumbnailStore(cache / "thumbnails.sqlite")

    def make(row: int) -> None:
        path = dataset.location(row).file() or ""
        store.put(PictureVersion.of(LocalFile(path)), *colored_jpeg(Picture(LocalFile(path)), 320))

    def make_all() -> None:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(make, range(min(thumbnails, len(dataset)))))
        store.flush()

    measure(f"{thumbnails:,} thumbnails", thumbnails / 400, make_all)
    store.close()
    dataset.close()
    return figures.all


def screen(server: StudioServer, first: int) -> None:
    """A screen of the grid: thirty rows and their thumbnails, six at a time as browsers do."""
    rows = list(range(first, first + 30))
    server.call("rows", {"rows": rows})
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda row: server.call(f"thumbnails/{row}"), rows))


def show_picture(server: StudioServer, row: int) -> None:
    server.call("rows", {"rows": [row]})
    server.call(f"pictures/{row}")


def serve(folder: Path, cache: Path, rows: int) -> list[Figure]:
    """What the page waits for, and the server's memory; the folder is opened for the first time."""
    figures: list[Figure] = []
    start = time.perf_counter()
    server = StudioServer(folder, cache)

    def measure(name: str, most: float, call: Callable[[], Any]) -> None:
        begun, used = time.perf_counter(), server.used()
        call()
        figures.append(Figure(case=name, name="time", value=time.perf_counter() - begun, unit="s", most=most))
        figures.append(Figure(case=name, name="processor", value=server.used() - used, unit="CPU-s"))

    def memory(name: str) -> None:
        figures.append(Figure(case=name, name="server", value=server.memory(), unit="MB", most=500))

    try:
        server.wait_until_open()
        screen(server, 0)
        first = time.perf_counter() - start
        figures.append(
            Figure(case="first screen, captions unread", name="time", value=first, unit="s", most=3)
        )
        server.wait_until_read()
        far = rows // 2
        measure("jump, without thumbnails", 0.5, lambda: screen(server, far))
        measure("jump, with thumbnails", 0.06, lambda: screen(server, far))
        measure("next picture", 0.05, lambda: show_picture(server, far))
        memory("memory, captions read")
        edit = {"kind": "replace", "old": "cat", "new": "cow"}
        preview = server.call("preview", {"edit": edit})["preview"]
        measure("apply, in the server", 20, lambda: server.job("apply", {"preview": preview}))
        measure("undo, in the server", 20, lambda: server.job("undo", {}))
        memory("memory, after a bulk edit")
    finally:
        server.stop()
    return figures


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--thumbnails", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-studio-") as name:
        print(f"making {options.rows:,} pictures …", file=sys.stderr, flush=True)
        fill(Path(name, "photos"), options.rows)
        figures = serve(Path(name, "photos"), Path(name, "server-cache"), options.rows)
        figures += run(Path(name, "photos"), Path(name, "cache"), options.thumbnails)
    figures += map_page.run(options.rows)
    return conclude(figures, options)


if __name__ == "__main__":
    sys.exit(main())
