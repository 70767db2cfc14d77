"""Flat drawings that are no pages of text: icons, shapes on white, line drawings, plots, comics and posters."""

from __future__ import annotations

import math
import random

from PIL import Image, ImageDraw, ImageFont


def _colour(drawn: random.Random) -> tuple[int, int, int]:
    return drawn.randint(0, 220), drawn.randint(0, 220), drawn.randint(0, 220)


def _shape(
    draw: ImageDraw.ImageDraw, drawn: random.Random, box: tuple[float, ...], **options: object
) -> None:
    left, top, right, bottom = box
    kind = drawn.randrange(4)
    if kind == 0:
        draw.ellipse(box, **options)
    elif kind == 1:
        draw.rectangle(box, **options)
    elif kind == 2:
        draw.polygon([(left, bottom), ((left + right) / 2, top), (right, bottom)], **options)
    else:
        draw.rounded_rectangle(box, (right - left) / 5, **options)


def icon(number: int) -> Image.Image:
    """A few shapes upon each other, on a plain colour."""
    drawn = random.Random(7 * number + 1)
    image = Image.new("RGB", (512, 512), "white" if number % 2 else _colour(drawn))
    draw = ImageDraw.Draw(image)
    for size in (190, 130, 70):
        x, y = drawn.randint(200, 312), drawn.randint(200, 312)
        _shape(draw, drawn, (x - size, y - size, x + size, y + size), fill=_colour(drawn))
    return image


def shapes(number: int) -> Image.Image:
    """Nine things on white, as a catalogue has them."""
    drawn = random.Random(11 * number + 2)
    image = Image.new("RGB", (800, 800), "white")
    draw = ImageDraw.Draw(image)
    for place in range(9):
        x, y = 140 + 260 * (place % 3), 140 + 260 * (place // 3)
        w, h = drawn.randint(40, 110), drawn.randint(40, 110)
        _shape(draw, drawn, (x - w, y - h, x + w, y + h), fill=_colour(drawn))
    return image


def line_drawing(number: int) -> Image.Image:
    """Curves of a pen."""
    drawn = random.Random(13 * number + 3)
    image = Image.new("RGB", (900, 700), "white")
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        x, y, turn = drawn.uniform(100, 800), drawn.uniform(100, 600), drawn.uniform(0, 6.3)
        bend, points = drawn.uniform(-0.06, 0.06), []
        for _ in range(60):
            points.append((x, y))
            x, y, turn = x + 9 * math.cos(turn), y + 9 * math.sin(turn), turn + bend
        draw.line(points, fill="black", width=4)
    return image


def plot(number: int) -> Image.Image:
    """Two curves with axes, ticks and a legend."""
    drawn = random.Random(17 * number + 4)
    image = Image.new("RGB", (960, 640), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((90, 40, 920, 570), outline="black", width=2)
    for tick in range(9):
        draw.line((90 + 104 * tick, 570, 90 + 104 * tick, 580), fill="black", width=2)
        draw.text((80 + 104 * tick, 585), str(tick), "black", font=ImageFont.load_default(20))
        draw.text((40, 555 - 64 * tick), str(10 * tick), "black", font=ImageFont.load_default(20))
    for colour in ((31, 119, 180), (255, 127, 14)):
        level, points = drawn.uniform(150, 450), []
        for x in range(92, 918, 6):
            level = min(560, max(50, level + drawn.gauss(0, 18)))
            points.append((x, level))
        draw.line(points, fill=colour, width=4)
    draw.text((760, 60), "train\ntest", "black", font=ImageFont.load_default(24))
    return image


def comic(number: int) -> Image.Image:
    """Six panels with flat figures and bubbles."""
    drawn = random.Random(19 * number + 5)
    image = Image.new("RGB", (900, 1200), "white")
    draw = ImageDraw.Draw(image)
    for panel in range(6):
        left, top = 20 + 440 * (panel % 2), 20 + 390 * (panel // 2)
        draw.rectangle((left, top, left + 420, top + 370), fill=_colour(drawn), outline="black", width=5)
        for _ in range(4):
            x, y, size = left + drawn.randint(60, 360), top + drawn.randint(150, 310), drawn.randint(25, 55)
            _shape(
                draw, drawn, (x - size, y - size, x + size, y + size), fill=_colour(drawn), outline="black"
            )
        draw.ellipse((left + 30, top + 15, left + 300, top + 100), fill="white", outline="black", width=3)
        draw.text((left + 70, top + 40), f"{drawn.choice(['Oh', 'Well', 'No'])}, {drawn.randint(0, 99)}!",
                  "black", font=ImageFont.load_default(30))  # fmt: skip
    return image


def poster(number: int) -> Image.Image:
    """A coloured ground, a figure, and two lines of large letters."""
    drawn = random.Random(23 * number + 6)
    image = Image.new("RGB", (700, 1000), _colour(drawn))
    draw = ImageDraw.Draw(image)
    for _ in range(5):
        x, y, size = drawn.randint(100, 600), drawn.randint(250, 750), drawn.randint(60, 180)
        _shape(draw, drawn, (x - size, y - size, x + size, y + size), fill=_colour(drawn))
    words = ["JAZZ", "OPERA", "CIRCUS", "FILM", "DANCE", "MARKET"]
    draw.text((60, 60), drawn.choice(words), "white", font=ImageFont.load_default(110))
    draw.text(
        (60, 860), f"{drawn.randint(1, 28)} {drawn.choice(words)}", "white", font=ImageFont.load_default(80)
    )
    return image


DRAWINGS = {
    "icon": icon,
    "shapes": shapes,
    "line drawing": line_drawing,
    "plot": plot,
    "comic": comic,
    "poster": poster,
}
