"""Draws and saves the sample pictures, the same ones every time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from PIL import Image

from cutline.sample_pictures.buildings import lighthouse, skyline
from cutline.sample_pictures.outdoors import (
    autumn_wood,
    dunes,
    foggy_field,
    moon_frames,
    mountains,
    sunset,
)
from cutline.sample_pictures.printed import bar_chart, poster, text_page
from cutline.sample_pictures.things import checked_cloth, emblem, still_life


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A picture by its file name; ``caption`` None where it is left to be captioned."""

    name: str
    draw: Callable[[], Image.Image]
    caption: str | None = None

    @property
    def options(self) -> dict[str, Any]:
        """How it is saved."""
        quality = {"jpg": 90, "webp": 88}.get(self.name.rpartition(".")[2])
        return {} if quality is None else {"quality": quality}


SAMPLES: Final = (
    Sample(
        name="sunset.jpg", draw=sunset, caption="The image shows a sunset over the sea, with an orange sky."
    ),
    Sample(
        name="skyline.jpg", draw=skyline, caption="A city at night, with lit windows and a dark blue sky."
    ),
    Sample(name="still_life.jpg", draw=still_life, caption="A still life, with fruit on a table."),
    Sample(name="checked_cloth.jpg", draw=checked_cloth, caption="cloth, checked pattern, red, white"),
    Sample(
        name="autumn_wood.jpg", draw=autumn_wood, caption="The image shows a wood in autumn, with red leaves."
    ),
    Sample(name="dunes.jpg", draw=dunes, caption="desert, dunes, sand, blue sky"),
    Sample(name="foggy_field.jpg", draw=foggy_field, caption="field, fog, trees, grey sky"),
    Sample(name="lighthouse.jpg", draw=lighthouse, caption="A lighthouse by the sea, with a striped tower."),
    Sample(name="text_page.png", draw=text_page),
    Sample(name="poster.png", draw=poster),
    Sample(name="bar_chart.png", draw=bar_chart),
    Sample(name="mountains.webp", draw=mountains, caption="mountains, snow, lake, blue sky"),
    Sample(name="leaf_on_nothing.png", draw=emblem),
)


def draw_samples(folder: Path, *, captions: bool = False) -> Iterator[Path]:
    """Draw the pictures into a folder, one by one; with ``captions`` as ``.txt`` beside most of them.

    Raises:
        FileExistsError: a file of that name is there.
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        path = folder / sample.name
        with path.open("xb") as file:
            sample.draw().save(file, Image.registered_extensions()[path.suffix], **sample.options)
        if captions and sample.caption is not None:
            with path.with_suffix(".txt").open("x", encoding="utf-8", newline="") as text:
                text.write(sample.caption + "\n")
        yield path


def draw_all(folder: Path) -> list[Path]:
    """Draw all, larger, turned and animated ones too; returns the files in the order they were made.

    Files of the same names are replaced.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made: list[Path] = []

    def save(image: Image.Image, name: str, **options: Any) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save(path, **options)
        made.append(path)

    for sample in SAMPLES:
        save(sample.draw(), sample.name, **sample.options)
    large = mountains(1600, 1200).resize((4000, 3000), Image.Resampling.BICUBIC)
    save(large, "large/mountains_12_megapixels.jpg", quality=88)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = sunset(768, 1024).transpose(Image.Transpose.ROTATE_90)
    save(turned, "from_phone/sunset_turned.jpg", quality=90, exif=exif)
    frames = moon_frames()
    save(frames[0], "moonrise.gif", save_all=True, append_images=frames[1:], duration=120, loop=0)
    return made
