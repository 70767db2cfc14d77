"""What is measured, one function a case; each yields its figures."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from contenders import FLOOR, USUAL, Result, compare, cutline, script
from figures import Figure
from material import Material
from throttled import throttled
from weighing import BENCH, RunFailedError, endpoint, server, stats, weigh

FIXED = (32, 64, 96, 128)
HEAVY = {"PIL", "aiohttp", "fsspec", "numpy", "pyarrow", "pydantic"}


def untouched(material: Material) -> Iterator[Figure]:
    """Photos that need no change: what is left is reading, encoding as text and sending."""
    scale = material.scale
    fixed = FIXED if scale.rounds > 1 else (64,)
    names = {number: f"{number} requests" for number in fixed}
    contenders = [cutline(), *(_fixed(number, names[number]) for number in fixed), FLOOR]
    if scale.rounds > 1:
        contenders.append(USUAL)  # it takes a minute
    source, one = material.untouched(scale.untouched), material.untouched(1)
    results = compare(contenders, source, one, scale.untouched, scale.rounds)
    ours = results["cutline"]
    best = max(results[name].rate for name in names.values())
    case = "untouched"
    yield _cpu(case, "cutline", ours, most=0.6)
    for name in (name for name in ("floor", "usual") if name in results):
        yield _cpu(case, name, results[name])
        yield _share(case, name, results[name])
    yield Figure(case=case, name="cutline, start-up", value=ours.start_up, unit="CPU-s")
    yield _share(case, "cutline, adaptive", ours, least=0.97)
    yield _share(case, f"cutline, {names[64]}", results[names[64]], least=0.97)
    for number in fixed:
        yield _rate(case, f"cutline, {names[number]}", results[names[number]])
    yield _rate(case, "cutline, adaptive", ours)
    yield Figure(case=case, name="adaptive to the best fixed", value=ours.rate / best, least=0.95)
    yield from _peaks(case, results)


def mix(material: Material) -> Iterator[Figure]:
    """70 % need no change, 20 % are 1600 x 1200, 10 % have 12 megapixels."""
    yield from _against_both("mix", material, material.mix, material.scale.mix, floor=1.15, usual=4)


def large(material: Material) -> Iterator[Figure]:
    """Photos of 12 megapixels, as cameras and telephones make them."""
    yield from _against_both("large", material, material.large, material.scale.large, floor=None, usual=5)


def _against_both(
    case: str,
    material: Material,
    made: Callable[[int], Path],
    count: int,
    *,
    floor: float | None,
    usual: float,
) -> Iterator[Figure]:
    results = compare([cutline(), FLOOR, USUAL], made(count), made(1), count, material.scale.rounds)
    ours = results["cutline"].cpu
    for name, result in results.items():
        yield _cpu(case, name, result)
    yield Figure(
        case=case, name="cutline to floor", value=ours / results["floor"].cpu, unit="CPU", most=floor
    )
    yield Figure(
        case=case, name="usual to cutline", value=results["usual"].cpu / ours, unit="CPU", least=usual
    )
    for name, result in results.items():
        yield _share(case, name, result)
    yield from _peaks(case, results)


def urls(material: Material) -> Iterator[Figure]:
    """A list of URLs: each picture comes from one server and goes to another."""
    pictures = material.distinct("small")[0].parent
    count = material.scale.urls
    with server(str(BENCH / "web.py"), str(pictures)) as address:
        contenders = [cutline("--allow-private-urls"), script("floor")]
        source, one = material.urls(address, count), material.urls(address, 1)
        results = compare(contenders, source, one, count, material.scale.rounds)
    yield _cpu("urls", "cutline", results["cutline"], most=1.5)
    yield _cpu("urls", "floor", results["floor"])
    for name, result in results.items():
        yield _share("urls", name, result)
    yield from _peaks("urls", results)


def memory(material: Material) -> Iterator[Figure]:
    """Memory follows the window: ten times the pictures take hardly more."""
    few, many = material.scale.samples
    peaks = {}
    for count in (few, many):
        source = material.tiny(count)
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            out = Path(folder) / "captions.jsonl"
            command = [sys.executable, "-m", "cutline", "caption", str(source), str(out)]
            weighed = weigh([*command, "--model", "fake:latency=0.001"], Path(folder) / "log")
        peaks[count] = weighed.peak
        rate = count / weighed.wall
        yield Figure(case="memory", name=f"{count:,} samples", value=rate, unit="pictures/s")
        yield Figure(
            case="memory", name=f"{count:,} samples", value=weighed.cpu / count * 1000, unit="CPU-s/1,000"
        )
    yield Figure(case="memory", name=f"{few:,} samples", value=peaks[few], unit="MB")
    most = 1.1 * peaks[few] + 30
    yield Figure(case="memory", name=f"{many:,} samples", value=peaks[many], unit="MB", most=most)


def help_text(material: Material) -> Iterator[Figure]:
    """How long a person waits for ``cutline --help``, and what that loads."""
    command = [sys.executable, "-m", "cutline", "--help"]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        weighed = [
            weigh(command, Path(folder) / "log") for _ in range(15 if material.scale.rounds > 1 else 7)
        ]
    times = [run.wall for run in weighed]
    yield Figure(case="help", name="wall time, median", value=statistics.median(times), unit="s", most=0.25)
    yield Figure(case="help", name="wall time, best", value=min(times), unit="s")
    yield Figure(
        case="help", name="processor", value=statistics.median(run.cpu for run in weighed), unit="CPU-s"
    )
    traced = subprocess.run(
        [sys.executable, "-X", "importtime", *command[1:]], capture_output=True, text=True, check=True
    )
    modules = {line.rpartition("|")[2].strip() for line in traced.stderr.splitlines()}
    heavy = HEAVY & {name.partition(".")[0] for name in modules}
    name = "heavy libraries imported" + (f": {', '.join(sorted(heavy))}" if heavy else "")
    yield Figure(case="help", name=name, value=len(heavy), most=0)
    yield Figure(case="help", name="modules imported", value=len(modules))


def similarity(material: Material) -> Iterator[Figure]:
    """How near the downscaled pictures are to Lanczos resampling, on real photos where there are some."""
    command = [sys.executable, str(BENCH / "similarity.py")]
    if material.scale.rounds == 1:
        command.append("--quick")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 3:
        print(f"    ssim: {done.stdout.strip()}", file=sys.stderr)
        return
    if done.returncode:
        raise RunFailedError(done.stderr)
    for line in done.stdout.splitlines():
        name, value, least = line.split("\t")
        yield Figure(case="ssim", name=name, value=float(value), least=float(least) if least else None)


def throughput(material: Material) -> Iterator[Figure]:
    """How soon the adaptive window fills an endpoint of 64 slots."""
    count = material.scale.untouched // 3
    source = material.untouched(count)
    waited = []
    for _ in range(material.scale.rounds):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, endpoint() as address:
            command = cutline().command(source, Path(folder) / "captions.jsonl", address)
            run = threading.Thread(target=weigh, args=(command, Path(folder) / "log"))
            run.start()
            waited.append(_time_to_fill(address, 0.9 * 64, run))
            run.join()
    name, seconds = "until 90 % of 64 slots are busy", statistics.median(waited)
    yield Figure(case="throughput", name=name, value=seconds, unit="s", most=5)


def _time_to_fill(address: str, requests: float, run: threading.Thread) -> float:
    start = 0.0
    while run.is_alive():
        seen = stats(address)
        if not start and seen["requests"]:
            start = time.perf_counter()
        if seen["in_flight"] >= requests:
            return time.perf_counter() - start
        time.sleep(0.02)
    return float("inf")


def _fixed(number: int, name: str):
    return cutline("--max-concurrent-requests", str(number), name=name)


def _cpu(case: str, name: str, result: Result, most: float | None = None) -> Figure:
    return Figure(case=case, name=name, value=result.cpu, unit="CPU-s/1,000", most=most)


def _share(case: str, name: str, result: Result, least: float | None = None) -> Figure:
    return Figure(case=case, name=name, value=result.share, unit="of the endpoint", least=least)


def _rate(case: str, name: str, result: Result) -> Figure:
    return Figure(case=case, name=name, value=result.rate, unit="replies/s")


def _peaks(case: str, results: dict[str, Result]) -> Iterator[Figure]:
    for name in ("cutline", "floor", "usual"):
        if name in results:
            yield Figure(case=case, name=name, value=results[name].peak, unit="MB at most")


CASES = {
    "untouched": untouched,
    "mix": mix,
    "large": large,
    "urls": urls,
    "memory": memory,
    "help": help_text,
    "ssim": similarity,
    "throughput": throughput,
    "throttled": throttled,
}
