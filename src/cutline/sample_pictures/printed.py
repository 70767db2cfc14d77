"""A page, a poster and a chart."""

from __future__ import annotations

import math

from PIL import Image

from cutline.sample_pictures.brushes import HEIGHT, WIDTH, Pen, as_floats, clouds, finish, smooth

LINES = (
    "A cutline is the line of text under a picture in a",
    "newspaper. It names what the picture shows, and says",
    "what the picture cannot: who, where and when.",
    "",
    "Good ones are short. They do not repeat what every",
    "reader can see, and they never guess.",
    "",
    "This page was set by a small script with the font",
    "that comes with its drawing library, so that there is",
    "something to read among the sample pictures.",
)
WEEK = (("Mon", 42), ("Tue", 57), ("Wed", 49), ("Thu", 71), ("Fri", 88), ("Sat", 64), ("Sun", 35))


def text_page() -> Image.Image:
    page = smooth(_print_page, Image.new("RGB", (960, 1240), "#f7f3ea"))
    paper = as_floats(page) * (0.97 + 0.04 * clouds(51, 960, 1240))[..., None]
    return finish(paper, grain=0.006, vignette=0.06)


def _print_page(pen: Pen) -> None:
    pen.text(100, 120, "The Cutline", "#1e1c1a", 64)
    pen.line([(100, 215), (860, 215)], "#8a2a20", 4)
    for row, line in enumerate(LINES):
        pen.text(100, 270 + 56 * row, line, "#2b2826", 30)
    pen.text(100, 1120, "Page 1 of the sample pictures", "#8a8378", 22)


def poster() -> Image.Image:
    return smooth(_print_poster, Image.new("RGB", (768, 1024), "#f2dfb8"))


def _print_poster(pen: Pen) -> None:
    cream, sea, red = "#f2dfb8", "#12606a", "#d1432c"
    pen.box(0, 0, 768, 640, sea)
    for turn in range(1, 24, 2):
        ends = [math.radians(15 * turn), math.radians(15 * turn + 15)]
        ray = [(384 + 900 * math.cos(end), 340 + 900 * math.sin(end)) for end in ends]
        pen.polygon([(384, 340), *ray], "#1b7680")
    pen.box(0, 640, 768, 1024, cream)
    pen.oval(384, 340, 170, 170, "#f4a62a")
    pen.polygon(((120, 640), (330, 330), (470, 520), (560, 420), (700, 640)), red)
    pen.polygon(((330, 330), (282, 402), (324, 428), (352, 402), (386, 408)), cream)
    pen.text(384, 700, "SUMMIT", sea, 132, "mt")
    pen.text(384, 850, "FESTIVAL OF MOUNTAIN FILMS", red, 40, "mt")
    pen.line([(120, 920), (648, 920)], sea, 4)
    pen.text(384, 945, "12 - 18 OCTOBER", sea, 36, "mt")


def bar_chart() -> Image.Image:
    return smooth(_print_chart, Image.new("RGB", (WIDTH, HEIGHT), "#ffffff"))


def _print_chart(pen: Pen) -> None:
    pen.text(80, 48, "Pictures captioned per day", "#22303c", 40)
    for tick in range(0, 101, 20):
        pen.line([(120, 660 - tick * 5), (960, 660 - tick * 5)], "#d5dce2", 2)
        pen.text(104, 660 - tick * 5, str(tick), "#5a6a78", 22, "rm")
    for column, (day, value) in enumerate(WEEK):
        left, top = 160 + column * 114, 660 - value * 5
        pen.box(left, top, left + 74, 660, "#e8743b" if value == 88 else "#2f7fb8", radius=6)
        pen.text(left + 37, 690, day, "#22303c", 26, "mm")
        pen.text(left + 37, top - 18, str(value), "#22303c", 24, "mm")
