"""Measure this version of cutline against another one, in turns.

    git worktree add ../before REVISION
    python bench/versions.py ../before [--quick] [--only help start …] [--json FILE] [--check]

Both use the installed packages. A figure is the processor time of this version as a multiple of the other's:
the median over the rounds, as other programs slow both runs of a round; and the least of each.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from contenders import Contender, run
from figures import Figure, arguments, conclude
from material import FULL, QUICK, Material
from weighing import BENCH, compile_modules, server, weigh

MOST = 1.05
HERE = BENCH.parent


def program(checkout: Path) -> list[str]:
    """The command that runs a checkout's cutline, wherever it is called."""
    modules = str(checkout / "src")
    code = f"import sys; sys.path.insert(0, {modules!r}); from cutline.cli import main; sys.exit(main())"
    return [sys.executable, "-c", code]


class Versions:
    """The two versions, and the material for both."""

    def __init__(self, before: Path, material: Material) -> None:
        self.programs = {"before": program(before), "now": program(HERE)}
        self.material = material

    def help(self) -> Iterator[Figure]:
        yield from self._alone("help", 8, "--help")

    def start(self) -> Iterator[Figure]:
        """One picture with ``fake``: what every command costs."""
        yield from self._alone("start", 8, "caption", self.material.tiny(1), "o.jsonl", "--model", "fake")

    def engine(self) -> Iterator[Figure]:
        """Small pictures with ``fake``: the pipeline alone."""
        yield from self._alone("engine", 2, "caption", self.material.tiny(4000), "o.jsonl", "--model", "fake")

    def untouched(self) -> Iterator[Figure]:
        count = self.material.scale.untouched
        yield from self._against_endpoint("untouched", self.material.untouched(count), count)

    def mix(self) -> Iterator[Figure]:
        count = self.material.scale.mix
        yield from self._against_endpoint("mix", self.material.mix(count), count)

    def large(self) -> Iterator[Figure]:
        count = self.material.scale.large
        yield from self._against_endpoint("large", self.material.large(count), count)

    def urls(self) -> Iterator[Figure]:
        count = self.material.scale.urls
        with server(str(BENCH / "web.py"), str(self.material.distinct("small")[0].parent)) as address:
            source = self.material.urls(address, count)
            yield from self._against_endpoint("urls", source, count, "--allow-private-urls")

    def _alone(self, case: str, times: int, *arguments: str | Path) -> Iterator[Figure]:
        """Runs without an endpoint, in an empty folder each, this many in a round."""

        def cpu(program: list[str]) -> float:
            with tempfile.TemporaryDirectory(prefix="bench-") as folder:
                return weigh([*program, *map(str, arguments)], Path(folder) / "log").cpu

        yield from self._compare(case, cpu, times * self.material.scale.rounds)

    def _against_endpoint(self, case: str, source: Path, count: int, *options: str) -> Iterator[Figure]:
        def cpu(program: list[str]) -> float:
            def command(source: Path, out: Path, address: str) -> list[str]:
                model = ["--endpoint", f"{address}/v1", "--model", "test"]
                return [*program, "caption", str(source), str(out), *model, *options]

            return run(Contender(name=case, command=command), source, count)[0].cpu

        yield from self._compare(case, cpu, self.material.scale.rounds)

    def _compare(self, case: str, cpu: Callable[[list[str]], float], rounds: int) -> Iterator[Figure]:
        seconds: dict[str, list[float]] = {name: [] for name in self.programs}
        for _ in range(rounds):
            for name, command in self.programs.items():
                seconds[name].append(cpu(command))
        ratios = [now / before for now, before in zip(seconds["now"], seconds["before"], strict=True)]
        yield Figure(case=case, name="now to before, median", value=statistics.median(ratios), most=MOST)
        least = min(seconds["now"]) / min(seconds["before"])
        yield Figure(case=case, name="now to before, least of each", value=least)
        for name, values in seconds.items():
            yield Figure(case=case, name=f"{name}, least", value=min(values), unit="CPU-s")


CASES = ("help", "start", "engine", "untouched", "mix", "large", "urls")


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("before", type=Path, help="a checkout of the other version")
    parser.add_argument("--quick", action="store_true", help="fewer pictures, one round; figures are rough")
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="NAME", help=f"of {', '.join(CASES)}")
    options = parser.parse_args()
    for checkout in (options.before, HERE):
        compile_modules(checkout)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="bench-pictures-") as folder:
        versions = Versions(
            options.before.resolve(), Material(Path(folder), QUICK if options.quick else FULL)
        )
        for name in options.only or CASES:
            print(f"{name} …", file=sys.stderr, flush=True)
            figures.extend(getattr(versions, name)())
    return conclude(figures, options)


if __name__ == "__main__":
    sys.exit(main())
