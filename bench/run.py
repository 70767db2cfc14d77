"""Measure cutline against the usual way of doing it and against a hand-tuned floor.

    python bench/run.py [--quick] [--only untouched mix …] [--json FILE] [--check]

Every run is a process of its own, the endpoint another; contenders take turns, and medians are shown.
Start-up is what the same command costs on one picture, and is taken off. See docs/design/speed.md.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from cases import CASES
from figures import Figure, arguments, conclude
from material import FULL, QUICK, Material
from weighing import BENCH, RunFailedError, compile_modules


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a small form, in a minute or so; figures are rough"
    )
    parser.add_argument("--only", nargs="+", choices=CASES, metavar="NAME", help=f"of {', '.join(CASES)}")
    options = parser.parse_args()
    # The growth of memory shows only over many samples.
    names = options.only or [name for name in CASES if not (options.quick and name == "memory")]
    compile_modules(BENCH.parent)
    figures: list[Figure] = []
    failed: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bench-pictures-") as folder:
        material = Material(Path(folder), QUICK if options.quick else FULL)
        for name in names:
            start = time.perf_counter()
            print(f"{name} …", file=sys.stderr, flush=True)
            try:
                figures.extend(CASES[name](material))
            except RunFailedError as error:
                failed.append(name)
                print(f"{name} cannot be measured: {error}", file=sys.stderr)
            print(f"{name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    return conclude(figures, options, failed=bool(failed))


if __name__ == "__main__":
    sys.exit(main())
