"""How near cutline's smaller pictures are to Pillow's Lanczos, on real photos kept beside the project.

Prints lines of name, value and target, with tabs between; ends with 3 where there are no photos.
"""

from __future__ import annotations

import argparse
import io
import statistics
import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.metrics import structural_similarity

from cutline.imaging import Limits, Picture

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
SIDES = (200, 320, 500)


class Held:
    """Bytes in memory, as a place where a picture can be."""

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self._data = data

    def read(self) -> bytes:
        return self._data


def photos(*, quick: bool) -> list[tuple[Held, int]]:
    """Photos and the side they are brought to; the small ones also side by side, as one of 12 megapixels."""
    found = sorted((DATA / "photos-coco" / "images").glob("*.jpg"))[: 8 if quick else None]
    made = [(Held(path.name, path.read_bytes()), side) for path in found for side in SIDES]
    tiles = sorted((DATA / "photos-cid22" / "images").glob("*.png"))
    for quality in (85, 95):
        made.append((wall(tiles, quality), 1024))
        if not quick:
            made.append((wall(tiles, quality), 1400))
    return made


def wall(tiles: list[Path], quality: int) -> Held:
    whole = Image.new("RGB", (4096, 3072))
    for number in range(48):
        with Image.open(tiles[number % len(tiles)]) as tile:
            whole.paste(tile.convert("RGB"), (number % 8 * 512, number // 8 * 512))
    buffer = io.BytesIO()
    whole.save(buffer, "JPEG", quality=quality)
    return Held(f"wall-{quality}", buffer.getvalue())


def as_jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return Image.open(buffer)


def near(one: Image.Image, other: Image.Image) -> float:
    return float(structural_similarity(np.asarray(one), np.asarray(other), channel_axis=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if not (DATA / "photos-coco").is_dir():
        print("no photos beside the project, so this is left out")
        sys.exit(3)
    pixels, ours, theirs = [], [], []
    for held, side in photos(quick=options.quick):
        with Image.open(io.BytesIO(held.read())) as opened:
            image = opened.convert("RGB")
        encoded = Picture(held).fit(Limits(max_side=side))
        reference = image.resize((encoded.width, encoded.height), Image.Resampling.LANCZOS)
        pixels.append(near(Picture(held).image(max_side=side), reference))
        ours.append(near(Image.open(io.BytesIO(encoded.data)).convert("RGB"), reference))
        theirs.append(near(as_jpeg(reference), reference))
    print(f"pixels, least of {len(pixels)}\t{min(pixels):.4f}\t0.98")
    print(f"pixels, median\t{statistics.median(pixels):.4f}\t")
    print(f"as sent, median\t{statistics.median(ours):.4f}\t")
    print(f"Lanczos as Pillow would send it, median\t{statistics.median(theirs):.4f}\t")


if __name__ == "__main__":
    main()
