"""The folders of pictures that are captioned: a few distinct ones, linked under many names."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from weighing import BENCH

SIZES = {"small": "1024x768", "middle": "1600x1200", "large": "4000x3000", "tiny": "64x48"}
_TENTHS = ("small", "small", "middle", "small", "small", "large", "small", "small", "middle", "small")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How much is measured; ``distinct`` pictures of each size, fewer of the large ones."""

    rounds: int
    distinct: int
    untouched: int
    mix: int
    large: int
    urls: int
    samples: tuple[int, int]


FULL = Scale(rounds=3, distinct=60, untouched=6000, mix=600, large=150, urls=3000, samples=(10_000, 100_000))
QUICK = Scale(rounds=1, distinct=12, untouched=1500, mix=100, large=16, urls=400, samples=(1000, 5000))


class Material:
    """Makes pictures in ``folder`` when they are first needed."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        self._folder = folder
        self.scale = scale

    def distinct(self, kind: str) -> list[Path]:
        """Different pictures of one size: those that are linked under many names."""
        folder = self._folder / "distinct" / kind
        if not folder.exists():
            count = max(2, self.scale.distinct // {"large": 8, "middle": 3}.get(kind, 1))
            # A process of its own: numpy's memory would count as that of every program measured later.
            maker = [sys.executable, str(BENCH / "pictures.py"), str(folder)]
            subprocess.run([*maker, "--size", SIZES[kind], "--count", str(count)], check=True)
        return sorted(folder.iterdir())

    def folder(self, name: str, count: int, kinds: tuple[str, ...]) -> Path:
        """``count`` pictures, their sizes taking turns through ``kinds``."""
        folder = self._folder / f"{name}-{count}"
        if not folder.exists():
            pictures = {kind: self.distinct(kind) for kind in kinds}
            used = dict.fromkeys(kinds, 0)
            folder.mkdir()
            for number in range(count):
                kind = kinds[number % len(kinds)]
                picture = pictures[kind][used[kind] % len(pictures[kind])]
                used[kind] += 1
                os.link(picture, folder / f"{number:06}.jpg")
        return folder

    def untouched(self, count: int) -> Path:
        return self.folder("untouched", count, ("small",))

    def mix(self, count: int) -> Path:
        """70 % that fit as they are, 20 % a little too large, 10 % of 12 megapixels."""
        return self.folder("mix", count, _TENTHS)

    def large(self, count: int) -> Path:
        return self.folder("large", count, ("large",))

    def tiny(self, count: int) -> Path:
        return self.folder("tiny", count, ("tiny",))

    def urls(self, address: str, count: int) -> Path:
        path = self._folder / f"urls-{count}.txt"
        path.write_text("".join(f"{address}/{number}.jpg\n" for number in range(count)))
        return path
