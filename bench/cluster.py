"""Measure runs on a Ray cluster: against Ray Data's own HTTP request processor, and against one process.

    python bench/cluster.py [--quick] [--rounds 3]

One cluster of two nodes on this machine, and an endpoint of 64 slots and 200 ms for each run, serve all
of them in turn. A rate is what the endpoint saw between 30 and 90 % of a run's pictures, so that all
workers have started; start-up is what comes before the first request. What the cluster's processes use
counts too, also what they use when idle. See docs/design/ray.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from contenders import Contender
from figures import Figure, arguments, conclude
from material import FULL, QUICK, Material
from process_tree import Cost, ProcessTree, cost_of
from weighing import BENCH, RunFailedError, Served, endpoint, served, stats

IN_FLIGHT = 64
IDLE = 10.0  # seconds for which the idle cluster is looked at
LOCAL = ("cutline", "cutline, adaptive")
STEADY = (0.3, 0.9)  # the part of a run whose rate is measured


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """``rate`` is the steady one, in pictures a second; ``seen`` is about the whole run."""

    cost: Cost
    seen: Served
    rate: float
    count: int

    @property
    def start_up(self) -> float:
        """Seconds in which the endpoint had no request of it."""
        return self.cost.wall - self.count / self.seen.rate


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--quick", action="store_true", help="rough figures in some minutes")
    parser.add_argument("--rounds", type=int, help="how often each is run; 3, or 1 with --quick")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="contenders, such as 'cutline on Ray'")
    options = parser.parse_args()
    scale = QUICK if options.quick else FULL
    rounds = options.rounds or scale.rounds
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # the cluster ends too
    with tempfile.TemporaryDirectory(prefix="bench-") as name, cluster(Path(name)) as (address, pid):
        material = Material(Path(name), scale)
        idle = figures_of_idle(pid)
        runs = measure(list(contenders(address)), material, rounds, pid, options.only)
    return conclude([*idle, *figures_of(runs)], options)


def figures_of_idle(pid: int) -> list[Figure]:
    """What the cluster costs before anything runs on it."""
    with cost_of(ProcessTree([pid])) as cost:
        time.sleep(IDLE)
    (made,) = cost
    return [
        Figure(case="the idle cluster", name="memory", value=made.peak, unit="MB"),
        Figure(case="the idle cluster", name="a minute", value=made.cpu * 60 / made.wall, unit="CPU-s"),
    ]


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, int]]:
    """Two nodes with as many CPUs each as this machine has, as Ray Data takes some beside its actors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "cluster.log"
    command = [sys.executable, "-m", "cutline", "ray", "up", "--port", str(port), "--no-dashboard"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--cpus-per-node", "2"], stdout=file, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        begun = time.perf_counter()
        while "nodes at" not in log.read_text():
            if process.poll() is not None:
                raise RunFailedError(log.read_text())
            time.sleep(0.1)
        print(f"the cluster was up after {time.perf_counter() - begun:.1f} s", file=sys.stderr)
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def contenders(address: str) -> Iterator[tuple[Contender, int]]:
    """With how many times fewer pictures each is measured: the slow ones would take minutes for the rest."""
    fixed = ("--max-concurrent-requests", str(IN_FLIGHT))
    on_ray = ("--engine", "ray", "--address", address, "--actors", "2")
    yield cutline("cutline", *fixed), 1
    yield cutline("cutline on Ray", *fixed, *on_ray), 1
    yield cutline("cutline, adaptive"), 1
    yield cutline("cutline on Ray, adaptive", *on_ray), 1
    yield peer("Ray Data's HTTP processor", "processor", address), 20
    yield peer("the same, batches of 8", "processor-8", address), 20
    yield peer("Ray Data and aiohttp by hand", "by-hand", address), 4
    yield peer("Ray Data and cutline.ray.Captioner", "captioner", address), 4


def cutline(name: str, *options: str) -> Contender:
    def command(source: Path, out: Path, url: str) -> list[str]:
        start = [sys.executable, "-m", "cutline", "caption", str(source), str(out)]
        return [*start, "--endpoint", f"{url}/v1", "--model", "test", *options]

    return Contender(name=name, command=command)


def peer(name: str, which: str, address: str) -> Contender:
    def command(source: Path, out: Path, url: str) -> list[str]:
        start = [sys.executable, str(BENCH / "cluster_contender.py"), which, str(source), str(out)]
        return [*start, "--endpoint", f"{url}/v1", "--address", address]

    return Contender(name=name, command=command)


def measure(
    compared: list[tuple[Contender, int]],
    material: Material,
    rounds: int,
    pid: int,
    only: list[str] | None,
) -> dict[str, tuple[list[Measured], list[Measured]]]:
    """Runs of one picture and of many, by contender."""
    runs: dict[str, tuple[list[Measured], list[Measured]]] = {}
    for number in range(rounds):
        for contender, fewer in compared:
            if only and contender.name not in only:
                continue
            one, many = runs.setdefault(contender.name, ([], []))
            roots = [] if contender.name in LOCAL else [pid]
            one.append(run(contender, material, 1, roots))
            many.append(run(contender, material, material.scale.untouched // fewer, roots))
            made = many[-1]
            print(
                f"{time.strftime('%X')} round {number + 1}, {contender.name}: {made.rate:.1f}/s, share "
                f"{made.seen.share:.1%}, {made.cost.cpu:.1f} CPU-s, start-up {made.start_up:.1f} s; "
                f"load {os.getloadavg()[0]:.1f}",
                file=sys.stderr,
                flush=True,
            )
    return runs


def run(contender: Contender, material: Material, count: int, roots: list[int]) -> Measured:
    """One run; refuses to count one that did not caption every picture.

    What ``roots`` and their descendants use belongs to it too.
    """
    source = material.untouched(count)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, endpoint(slots=IN_FLIGHT) as url:
        out, log = Path(name) / "captions.jsonl", Path(name) / "log"
        tree = ProcessTree(roots)
        with cost_of(tree) as cost, log.open("wb") as file:
            command = contender.command(source, out, url)
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, cwd=name)
            tree.add(process.pid)
            replies = _watch(url, process)
        if process.returncode:
            tail = log.read_text(errors="replace")[-2000:]
            raise RunFailedError(f"{contender.name} ended with {process.returncode}:\n{tail}")
        with out.open("rb") as file:
            rows = sum(1 for _ in file)
        if rows != count:
            raise RunFailedError(f"{contender.name} wrote {rows} of {count} captions")
        seen = served(url)
        return Measured(cost=cost[0], seen=seen, rate=_steady(replies, count) or seen.rate, count=count)


def _watch(url: str, process: subprocess.Popen[bytes]) -> list[tuple[float, float]]:
    """When the endpoint had given how many replies, until the program ends."""
    replies = []
    while True:
        try:
            process.wait(0.2)
        except subprocess.TimeoutExpired:
            replies.append((time.perf_counter(), stats(url)["answered"]))
        else:
            return replies


def _steady(replies: list[tuple[float, float]], count: int) -> float:
    """Replies a second in the steady part of a run; 0 where it is too short."""
    first, last = (share * count for share in STEADY)
    part = [(when, number) for when, number in replies if first <= number <= last]
    if len(part) < 2:
        return 0.0
    return (part[-1][1] - part[0][1]) / (part[-1][0] - part[0][0])


def figures_of(runs: dict[str, tuple[list[Measured], list[Measured]]]) -> list[Figure]:
    figures: list[Figure] = []
    costs: dict[str, float] = {}
    for name, (one, many) in runs.items():
        middle = statistics.median
        start_up = middle(made.cost.cpu for made in one)
        count = many[0].count
        costs[name] = max(0.0, middle(made.cost.cpu for made in many) - start_up) / (count - 1) * 1000
        values: dict[str, tuple[Callable[[Measured], float], str]] = {
            "pictures a second, once started": (lambda made: made.rate, ""),
            "share of the endpoint, in the whole run": (lambda made: made.seen.share, ""),
            "start-up": (lambda made: made.start_up, "s"),
            "memory, with that of the cluster": (lambda made: made.cost.peak, "MB"),
        }
        for label, (value, unit) in values.items():
            figures.append(Figure(case=name, name=label, value=middle(map(value, many)), unit=unit))
        figures.append(Figure(case=name, name="start-up, of the processor", value=start_up, unit="CPU-s"))
        figures.append(Figure(case=name, name="1,000 pictures", value=costs[name], unit="CPU-s"))
    return [*figures, *targets(runs, costs)]


def targets(
    runs: dict[str, tuple[list[Measured], list[Measured]]], costs: dict[str, float]
) -> Iterator[Figure]:
    """Each round against the other's run of the same round: other programs slow both."""

    def ratio(name: str, other: str, least: float) -> Iterator[Figure]:
        if name in runs and other in runs:
            pairs = zip(runs[name][1], runs[other][1], strict=True)
            value = statistics.median(own.rate / their.rate for own, their in pairs)
            label = f"rate of '{name}' to '{other}'"
            yield Figure(case="targets", name=label, value=value, least=least)

    processors = ("Ray Data's HTTP processor", "the same, batches of 8")
    for processor in processors:
        yield from ratio("cutline on Ray", processor, 20)
        if processor in runs and "cutline on Ray" in runs:
            share = costs["cutline on Ray"] / costs[processor] if costs[processor] else 1.0
            label = f"CPU of 'cutline on Ray' to '{processor}'"
            yield Figure(case="targets", name=label, value=share, most=1)
    yield from ratio("cutline on Ray", "cutline", 0.8)
    yield from ratio("cutline on Ray, adaptive", "cutline, adaptive", 0.9)


if __name__ == "__main__":
    sys.exit(main())
