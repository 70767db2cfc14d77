"""Draws the sample pictures: scenes made by arithmetic, so that nobody's photographs are needed.

Usage: python examples/make_pictures.py OUTPUT_FOLDER

The same pictures come out every time. They are those of the studio's first steps, and a few more.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from PIL import Image

from cutline.sample_pictures import draw_all


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: python examples/make_pictures.py OUTPUT_FOLDER", file=sys.stderr)
        return 2
    start = time.perf_counter()
    folder = Path(sys.argv[1])
    for path in draw_all(folder):
        with Image.open(path) as image:
            print(f"{path}  {image.width}x{image.height} {image.format}  {path.stat().st_size // 1024} KB")
    print(f"made in {time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
