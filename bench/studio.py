"""Measure the studio on a large folder: hard links of a few pictures, each with a caption of its own.

    python bench/studio.py [--rows 100000] [--thumbnails 10000] [--json FILE] [--check]

Times are those on the clock, and beside them the processor's, which tell more on a busy machine.
The folder is made in a temporary one, and removed. See docs/design/studio.md.
"""

from __future__ import annotations

import argparse
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

from figures import Figure, save, show
from pictures import picture

from cutline.dataset import edits
from cutline.dataset.dataset import Dataset
from cutline.dataset.records import EditInfo
from cutline.imaging import Picture
from cutline.imaging.thumbnails import small_jpeg
from cutline.locations.stored import LocalFile
from cutline.studio.thumbnail_store import FileVersion, ThumbnailStore

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
    measure("preview, remove a tag", 2, lambda: dataset.preview(edits.RemoveTag(tags=("sunset",))))
    measure(f"apply to {len(found.rows):,}", 20, lambda: dataset.apply(found))
    measure("undo", 20, dataset.undo)
    info = EditInfo(kind="text", summary="edit")
    texts = iter(f"number {number}" for number in range(100))
    measure("one save", 0.01, lambda: dataset.set_captions({7: next(texts)}, info), 50)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    figures.all.append(Figure(case="memory", name="peak", value=peak / 1e6, unit="MB", most=500))
    store = ThumbnailStore(cache / "thumbnails.sqlite")

    def make(row: int) -> None:
        path = dataset.picture(row)
        store.put(FileVersion.of(path), small_jpeg(Picture(LocalFile(path)), 320))

    def make_all() -> None:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(make, range(min(thumbnails, len(dataset)))))
        store.flush()

    measure(f"{thumbnails:,} thumbnails", thumbnails / 400, make_all)
    store.close()
    dataset.close()
    return figures.all


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--thumbnails", type=int, default=10_000)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-studio-") as name:
        print(f"making {options.rows:,} pictures …", file=sys.stderr, flush=True)
        fill(Path(name, "photos"), options.rows)
        figures = run(Path(name, "photos"), Path(name, "cache"), options.thumbnails)
    show(figures)
    if options.json:
        save(figures, options.json)
    return 1 if options.check and any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
