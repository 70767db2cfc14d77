"""Measure the studio on a large folder: hard links of a few pictures, each with a caption of its own.

    python bench/studio.py [--rows 100000] [--thumbnails 10000] [--json FILE] [--check]

Times are those on the clock, and beside them the processor's, which tell more on a busy machine.
The folder is made in a temporary one, and removed. See docs/design/studio.md.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import map_page
import psutil
from figures import Figure, save, show
from pictures import picture

from cutline.dataset import edits
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


class Server:
    """`cutline studio` in another process, and requests to it as its page sends them."""

    def __init__(self, folder: Path, cache: Path) -> None:
        command = [sys.executable, "-m", "cutline", "studio", os.fspath(folder), "--port", "0", "--no-open"]
        environment = {**os.environ, "XDG_CACHE_HOME": os.fspath(cache)}
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
        assert self._process.stderr is not None
        found = re.search(r"http://\S+:\d+", self._process.stderr.readline())
        assert found, "the studio does not start"
        self._url = found[0]

    def call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self._url}/studio/{path}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as response:
            content = response.read()
            return json.loads(content) if "json" in response.headers.get("Content-Type", "") else content

    def screen(self, first: int) -> None:
        """A screen of the grid: thirty rows and their thumbnails, six at a time as browsers do."""
        rows = list(range(first, first + 30))
        self.call("rows", {"rows": rows})
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda row: self.call(f"thumbnails/{row}"), rows))

    def picture(self, row: int) -> None:
        self.call("rows", {"rows": [row]})
        self.call(f"pictures/{row}")

    def wait_until_read(self) -> None:
        while not self.call("state")["is_read"]:
            time.sleep(0.05)

    def job(self, path: str, body: Any) -> None:
        number = self.call(path, body)["job"]
        while not next(job for job in self.call("jobs") if job["job"] == number)["is_over"]:
            time.sleep(0.1)

    def memory(self) -> float:
        """MB in memory."""
        return psutil.Process(self._process.pid).memory_info().rss / 1e6

    def used(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()


def serve(folder: Path, cache: Path, rows: int) -> list[Figure]:
    """What the page waits for, and the server's memory; the folder is opened for the first time."""
    figures: list[Figure] = []
    start = time.perf_counter()
    server = Server(folder, cache)

    def measure(name: str, most: float, call: Callable[[], Any]) -> None:
        begun, used = time.perf_counter(), server.used()
        call()
        figures.append(Figure(case=name, name="time", value=time.perf_counter() - begun, unit="s", most=most))
        figures.append(Figure(case=name, name="processor", value=server.used() - used, unit="CPU-s"))

    def memory(name: str) -> None:
        figures.append(Figure(case=name, name="server", value=server.memory(), unit="MB", most=500))

    try:
        server.screen(0)
        first = time.perf_counter() - start
        figures.append(
            Figure(case="first screen, captions unread", name="time", value=first, unit="s", most=3)
        )
        server.wait_until_read()
        far = rows // 2
        measure("jump, without thumbnails", 0.5, lambda: server.screen(far))
        measure("jump, with thumbnails", 0.06, lambda: server.screen(far))
        measure("next picture", 0.05, lambda: server.picture(far))
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
        figures = serve(Path(name, "photos"), Path(name, "server-cache"), options.rows)
        figures += run(Path(name, "photos"), Path(name, "cache"), options.thumbnails)
    figures += map_page.run(options.rows)
    show(figures)
    if options.json:
        save(figures, options.json)
    return 1 if options.check and any(figure.met is False for figure in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
