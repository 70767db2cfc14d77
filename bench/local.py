"""Measure local models: cutline against transformers' own pipeline, on a model of full size.

    python bench/local.py [--photos FOLDER] [--pictures 64] [--rounds 3] [--threads 2] [--only NAME …]

Every run is a process of its own; contenders take turns, and medians are shown. The same tokens are requested
for: 20 tokens a picture. See docs/design/local-speed.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from figures import Figure, arguments, conclude
from local_contender import CONTENDERS
from weighing import BENCH

MAIN = ("pipeline", "cutline", "cutline float32")
REFERENCE = "generate"
KINDS = (".jpg", ".jpeg", ".png")


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--photos", type=Path, help="a folder of real photos; without it they are drawn")
    parser.add_argument("--threads", type=int, default=2, help="of each contender, on a CPU")
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=MAIN, metavar="NAME")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-local-") as name:
        folder = Path(name)
        python("local_model.py", str(folder / "model"))
        photos = collect(folder, options.photos, options.pictures)
        figures = compare(folder, photos, options)
    return conclude(figures, options)


def python(*command: str, threads: int = 2) -> None:
    """Run one of the programs beside this one to its end."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"}
    subprocess.run(
        [sys.executable, "-W", "ignore", str(BENCH / command[0]), *command[1:]],
        check=True,
        env=environment,
        stdout=subprocess.DEVNULL,
    )


def collect(folder: Path, source: Path | None, count: int) -> Path:
    """So many pictures in a folder of their own."""
    photos = folder / "photos"
    if source is None:
        python("pictures.py", str(photos), "--size", "640x480", "--count", str(count))
        return photos
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in KINDS)[:count]
    if len(found) < count:
        raise SystemExit(f"{source} holds {len(found)} pictures: name another folder, or --pictures")
    photos.mkdir()
    for number, path in enumerate(found):
        (photos / f"{number:03}{path.suffix.lower()}").symlink_to(path.resolve())
    return photos


def compare(folder: Path, photos: Path, options: argparse.Namespace) -> list[Figure]:
    """Each contender in each round, one after the other."""
    runs: dict[str, list[dict]] = {name: [] for name in options.only}

    def run(name: str, number: str) -> dict:
        result = folder / "result.json"
        python(
            "local_contender.py",
            name,
            str(folder / "model"),
            str(photos),
            str(result),
            threads=options.threads,
        )
        made = json.loads(result.read_bytes())
        load = os.getloadavg()[0]
        print(
            f"{time.strftime('%X')} {number} {name}: {made['wall']:.1f} s, {made['cpu']:.1f} CPU-s, "
            f"loaded in {made['loading']:.1f} s; load {load:.1f}",
            file=sys.stderr,
            flush=True,
        )
        return made

    expected = run(REFERENCE, "once")["captions"]
    for number in range(options.rounds):
        for name in options.only:
            runs[name].append(run(name, f"round {number + 1}"))
    print(f"{len(set(expected))} of {len(expected)} captions are different from each other")
    return [figure for name in options.only for figure in figures_of(name, runs, expected)]


def figures_of(name: str, runs: dict[str, list[dict]], expected: list[str]) -> list[Figure]:
    count = len(expected)
    rates = [count / run["wall"] for run in runs[name]]
    same = min(sum(a == b for a, b in zip(run["captions"], expected, strict=True)) for run in runs[name])
    exact = count if "float32" in name else None
    figures = [
        Figure(case=name, name="pictures a second", value=statistics.median(rates)),
        Figure(
            case=name, name="CPU-s a picture", value=statistics.median(r["cpu"] for r in runs[name]) / count
        ),
        Figure(case=name, name=f"same tokens as generate, of {count}", value=same, least=exact),
    ]
    if "pipeline" in runs and name != "pipeline":
        # Each round against the pipeline's run of the same round: other programs slow both.
        pairs = list(zip(runs[name], runs["pipeline"], strict=True))
        least = {"cutline": 4.0, "cutline float32": 2.0}.get(name)
        if name == "cutline" and not fast_bfloat16():
            least = None
        figures += [
            Figure(
                case=name,
                name="times the pipeline's pictures a second",
                value=statistics.median(other["wall"] / own["wall"] for own, other in pairs),
                least=least,
            ),
            Figure(
                case=name,
                name="the pipeline's CPU-s as a multiple of its own",
                value=statistics.median(other["cpu"] / own["cpu"] for own, other in pairs),
            ),
        ]
    return figures


def fast_bfloat16() -> bool:
    """Whether ``--dtype auto`` means bfloat16 here, determined in a process of its own."""
    code = "from cutline.weights import choose_hardware; print(choose_hardware().dtype)"
    probe = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return probe.stdout.strip() == "bfloat16"


if __name__ == "__main__":
    sys.exit(main())
