"""Draws the sample pictures: scenes made by arithmetic, so that nobody's photographs are needed.

Usage: python examples/make_pictures.py OUTPUT_FOLDER

The same pictures come out every time. Needs Pillow and numpy.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from PIL import Image
from scenes.buildings import lighthouse, skyline
from scenes.outdoors import autumn_wood, dunes, foggy_field, moon_frames, mountains, sunset
from scenes.printed import bar_chart, poster, text_page
from scenes.things import checked_cloth, emblem, still_life


def save_all(folder: Path) -> list[Path]:
    """Draw and save everything; returns the files in the order they were made."""
    made: list[Path] = []

    def save(image: Image.Image, name: str, **options: object) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **options)
        made.append(path)

    for scene in (sunset, skyline, still_life, checked_cloth, autumn_wood, dunes, foggy_field, lighthouse):
        save(scene(), f"{scene.__name__}.jpg", quality=90)
    for flat in (text_page, poster, bar_chart):
        save(flat(), f"{flat.__name__}.png")
    save(mountains(), "mountains.webp", quality=88)
    save(emblem(), "leaf_on_nothing.png")
    large = mountains(1600, 1200).resize((4000, 3000), Image.Resampling.BICUBIC)
    save(large, "large/mountains_12_megapixels.jpg", quality=88)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = sunset(768, 1024).transpose(Image.Transpose.ROTATE_90)
    save(turned, "from_phone/sunset_turned.jpg", quality=90, exif=exif)
    frames = moon_frames()
    save(frames[0], "moonrise.gif", save_all=True, append_images=frames[1:], duration=120, loop=0)
    return made


def main() -> int:
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print("usage: python examples/make_pictures.py OUTPUT_FOLDER", file=sys.stderr)
        return 2
    start = time.perf_counter()
    folder = Path(sys.argv[1])
    for path in save_all(folder):
        with Image.open(path) as image:
            print(f"{path}  {image.width}x{image.height} {image.format}  {path.stat().st_size // 1024} KB")
    print(f"made in {time.perf_counter() - start:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
