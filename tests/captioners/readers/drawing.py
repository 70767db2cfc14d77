"""Pictures drawn by code, and the words for them: coloured shapes at nine places on light grounds.

Training and test share it, with different seeds. The words are the whole truth about a picture, so an
answer can be compared letter by letter.
"""

from __future__ import annotations

import dataclasses
import random

import numpy as np
from PIL import Image, ImageDraw

# The exchange of red and blue makes each of these another one of them, or leaves it as it is.
COLOURS = {
    "red": (220, 30, 30),
    "orange": (245, 140, 20),
    "yellow": (240, 220, 30),
    "green": (30, 160, 30),
    "cyan": (30, 220, 240),
    "azure": (20, 140, 245),
    "blue": (30, 30, 220),
    "violet": (130, 40, 220),
    "crimson": (220, 40, 130),
    "grey": (125, 125, 125),
    "black": (15, 15, 15),
}
GREYS = ("grey", "black")
EXCHANGED = {"red": "blue", "orange": "azure", "yellow": "cyan", "violet": "crimson"}
EXCHANGED |= {second: first for first, second in EXCHANGED.items()}
SHAPES = ("circle", "square", "triangle")
ROWS = ("top", "middle", "bottom")
COLUMNS = ("left", "middle", "right")

DESCRIBE = "Describe this image in detail."
COLOUR = "Which colour?"
SHAPE = "Which shape is it?"
PLACE = "Where in this picture is it to be found?"
QUESTIONS = (DESCRIBE, COLOUR, SHAPE, PLACE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One shape. ``row`` and ``column`` are 0, 1 or 2."""

    colour: str
    shape: str
    row: int
    column: int

    @property
    def place(self) -> str:
        row, column = ROWS[self.row], COLUMNS[self.column]
        return row if row == column else f"{row} {column}"

    def __str__(self) -> str:
        return f"a{'n' if self.colour[0] in 'ao' else ''} {self.colour} {self.shape} at the {self.place}"


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """One or two things at different places, in the order in which one reads."""

    things: tuple[Thing, ...]

    def answer(self, question: str) -> str:
        if question == DESCRIBE:
            return " and ".join(str(thing) for thing in self.things)
        name = {COLOUR: "colour", SHAPE: "shape", PLACE: "place"}[question]
        return " and ".join(getattr(thing, name) for thing in self.things)

    def turned(self, orientation: int) -> Scene:
        """What is seen when the picture's stored pixels are those of EXIF ``orientation``, and shown as
        they are."""
        return self._changed(lambda thing: _stored_place(thing, orientation))

    def exchanged(self) -> Scene:
        """With red and blue exchanged."""
        return self._changed(lambda thing: {"colour": EXCHANGED.get(thing.colour, thing.colour)})

    def _changed(self, change) -> Scene:
        things = [dataclasses.replace(thing, **change(thing)) for thing in self.things]
        return Scene(tuple(sorted(things, key=lambda thing: (thing.row, thing.column))))


# EXIF's table (tag 0x0112): which side of the upright picture the first row of the stored pixels is, and
# which side their first column.
_SIDES = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


def _stored_place(thing: Thing, orientation: int) -> dict[str, int]:
    from_side = {"top": thing.row, "bottom": 2 - thing.row, "left": thing.column, "right": 2 - thing.column}
    first_row, first_column = _SIDES[orientation]
    return {"row": from_side[first_row], "column": from_side[first_column]}


def stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Upright pixels in the order in which a file with EXIF ``orientation`` keeps them."""
    first_row, first_column = _SIDES[orientation]
    if "bottom" in {first_row, first_column}:
        pixels = pixels[::-1]
    if "right" in {first_row, first_column}:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels.swapaxes(0, 1) if first_row in {"left", "right"} else pixels)


def some_scene(dice: random.Random, *, things: int | None = None, colours: tuple[str, ...] = ()) -> Scene:
    """A scene by chance; two times in three it has one thing."""
    count = things or dice.choice((1, 1, 2))
    places = sorted(dice.sample(range(9), count))
    return Scene(
        tuple(
            Thing(
                colour=dice.choice(colours or tuple(COLOURS)),
                shape=dice.choice(SHAPES),
                row=place // 3,
                column=place % 3,
            )
            for place in places
        )
    )


def draw(scene: Scene, dice: random.Random, *, width: int, height: int, clear: bool = False) -> Image.Image:
    """RGB, no two alike: the sizes, the exact places and colours, and the ground are by chance.

    ``clear``: RGBA, and the ground is black but fully transparent.
    """
    image = Image.fromarray(_ground(dice, width, height))
    if clear:
        image = Image.new("RGBA", (width, height))
    pen = ImageDraw.Draw(image)
    for thing in scene.things:
        size = dice.uniform(0.25, 0.32) * min(width, height)
        x = width * (2 * thing.column + 1 + dice.uniform(-0.2, 0.2)) / 6
        y = height * (2 * thing.row + 1 + dice.uniform(-0.2, 0.2)) / 6
        shift = dice.randint(-12, 12) if thing.colour in GREYS else None
        colour = tuple(
            min(255, max(0, value + (dice.randint(-15, 15) if shift is None else shift)))
            for value in COLOURS[thing.colour]
        )
        box = (x - size / 2, y - size / 2, x + size / 2, y + size / 2)
        if thing.shape == "circle":
            pen.ellipse(box, fill=colour)
        elif thing.shape == "square":
            pen.rectangle(box, fill=colour)
        else:
            pen.polygon((box[0], box[3], x, box[1], box[2], box[3]), fill=colour)
    return image


def _ground(dice: random.Random, width: int, height: int) -> np.ndarray:
    """From one light colour to another in some direction, with a little noise."""
    first, second = ([dice.randint(195, 255) for _ in range(3)] for _ in range(2))
    across = dice.random()
    x, y = np.linspace(0, 1, width), np.linspace(0, 1, height)
    share = (across * x[None, :] + (1 - across) * y[:, None])[..., None]
    noise = np.random.default_rng(dice.getrandbits(32)).normal(0, dice.uniform(0, 4), (height, width, 1))
    ground = np.asarray(first) * (1 - share) + np.asarray(second) * share + noise
    return ground.clip(0, 255).round().astype(np.uint8)
