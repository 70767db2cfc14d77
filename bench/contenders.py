"""Who is measured, and the one way in which all of them are."""

from __future__ import annotations

import dataclasses
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from weighing import BENCH, RunFailedError, Served, Weighed, endpoint, served, weigh


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """``command`` makes the command line from the source, the output and the endpoint."""

    name: str
    command: Callable[[Path, Path, str], list[str]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Medians over the rounds. ``cpu``: seconds per 1,000 pictures, over those of one picture."""

    cpu: float
    start_up: float
    peak: float
    wall: float
    share: float
    rate: float


def cutline(*options: str, name: str = "cutline") -> Contender:
    def command(source: Path, out: Path, address: str) -> list[str]:
        start = [sys.executable, "-m", "cutline", "caption", str(source), str(out)]
        return [*start, "--endpoint", f"{address}/v1", "--model", "test", *options]

    return Contender(name=name, command=command)


def script(name: str, *options: str) -> Contender:
    def command(source: Path, out: Path, address: str) -> list[str]:
        start = [sys.executable, str(BENCH / f"{name}.py"), str(source), str(out)]
        return [*start, "--endpoint", f"{address}/v1", *options]

    return Contender(name=name, command=command)


USUAL = script("usual")
FLOOR = script("floor")


def compare(
    contenders: Sequence[Contender], source: Path, one: Path, count: int, rounds: int
) -> dict[str, Result]:
    """Each contender over ``source``, taking turns; ``one`` is the same kind of source with one picture."""
    starts: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    runs: dict[str, list[tuple[Weighed, Served]]] = {contender.name: [] for contender in contenders}
    for _ in range(rounds):
        for contender in contenders:
            starts[contender.name].append(run(contender, one, 1)[0].cpu)
            runs[contender.name].append(run(contender, source, count))
            weighed, seen = runs[contender.name][-1]
            note = f"{weighed.wall:.1f} s, {weighed.cpu:.2f} CPU-s, share {seen.share:.1%}"
            print(f"    {source.name}: {contender.name}: {note}", file=sys.stderr, flush=True)
    return {name: _median(starts[name], runs[name], count) for name in runs}


def run(contender: Contender, source: Path, count: int) -> tuple[Weighed, Served]:
    """One run against a fresh endpoint; refuses to count a run that did not caption every picture."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, endpoint() as address:
        out = Path(folder) / "captions.jsonl"
        weighed = weigh(contender.command(source, out, address), Path(folder) / "log")
        with out.open("rb") as file:
            rows = sum(1 for _ in file)
        if rows != count:
            raise RunFailedError(f"{contender.name} wrote {rows} of {count} captions")
        return weighed, served(address)


def _median(starts: list[float], runs: list[tuple[Weighed, Served]], count: int) -> Result:
    start_up = statistics.median(starts)
    return Result(
        cpu=(statistics.median(weighed.cpu for weighed, _ in runs) - start_up) / (count - 1) * 1000,
        start_up=start_up,
        peak=statistics.median(weighed.peak for weighed, _ in runs),
        wall=statistics.median(weighed.wall for weighed, _ in runs),
        share=statistics.median(seen.share for _, seen in runs),
        rate=statistics.median(seen.rate for _, seen in runs),
    )
