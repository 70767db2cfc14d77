"""What refusals of an endpoint cost: at random, and above a rate that it allows."""

from __future__ import annotations

import statistics
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from contenders import Contender, cutline
from figures import Figure
from material import Material
from weighing import RunFailedError, endpoint, stats, weigh

LATENCY = 0.1
ALLOWED = 100  # requests a second
NONE = "none"
RANDOM: dict[str, tuple[tuple[str, ...], float | None]] = {
    NONE: ((), None),
    "1 % of 429": (("--fault", "429=0.01"), 0.85),
    "3 % of 429": (("--fault", "429=0.03"), 0.70),
    "1 % of 503": (("--fault", "503-after=0.01"), 0.85),
    "3 % of 503": (("--fault", "503-after=0.03"), 0.70),
}
LIMITED = {
    "Retry-After": ("--rate", str(ALLOWED)),
    "x-ratelimit": ("--rate", str(ALLOWED), "--openai-headers"),
    "a burst of 100": ("--rate", str(ALLOWED), "--burst", "100"),
}


def throttled(material: Material) -> Iterator[Figure]:
    """Refusals at random beside none, and a token bucket; with the number of requests found and given."""
    rounds, count = material.scale.rounds, 6000
    for contender in (cutline(name="adaptive"), cutline("--max-concurrent-requests", "64", name="64")):
        rates: dict[str, list[float]] = {}
        for _ in range(rounds):
            for name, faults in {
                "none": (),
                **{name: faults for name, (faults, _) in RANDOM.items()},
            }.items():
                rates.setdefault(name, []).append(_run(contender, material, count, *faults)[0])
        none = statistics.median(rates.pop("none"))
        yield Figure(case="throttled", name=f"{contender.name}, no refusals", value=none, unit="replies/s")
        for name, measured in rates.items():
            share = statistics.median(measured) / none
            label = f"{contender.name}, {name}, to none"
            yield Figure(case="throttled", name=label, value=share, least=RANDOM[name][1])
        yield from _limited(contender, material, rounds, count // 2)


def _limited(contender: Contender, material: Material, rounds: int, count: int) -> Iterator[Figure]:
    for name, options in LIMITED.items():
        runs = [_run(contender, material, count, *options) for _ in range(rounds)]
        used = statistics.median(rate for rate, _ in runs) / ALLOWED
        refused = statistics.median(share for _, share in runs)
        label = f"{contender.name}, {ALLOWED}/s by {name}"
        yield Figure(case="throttled", name=f"{label}, used", value=used, least=0.95)
        yield Figure(case="throttled", name=f"{label}, refused", value=refused, most=0.05)


def _run(contender: Contender, material: Material, count: int, *options: str) -> tuple[float, float]:
    """Replies per second, from the first request to the last reply, and the share of requests refused."""
    source = material.untouched(count)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        endpoint("--retry-after", "1", *options, latency=LATENCY) as address,
    ):
        weigh(contender.command(source, Path(folder) / "captions.jsonl", address), Path(folder) / "log")
        seen = stats(address)
    if seen["answered"] != count:
        raise RunFailedError(f"{seen['answered']} of {count} were answered")
    refused = 1 - count / seen["requests"]
    rate = count / seen["seconds"]
    print(
        f"    {contender.name} {' '.join(options)}: {rate:.0f}/s, {refused:.1%} refused",
        file=sys.stderr,
        flush=True,
    )
    return rate, refused
