"""Pages and screens of text in one layout, which differ in a few words."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw, ImageFont

_WORDS = [
    "the",
    "of",
    "and",
    "in",
    "is",
    "that",
    "for",
    "it",
    "as",
    "was",
    "with",
    "be",
    "by",
    "on",
    "not",
    "he",
    "his",
    "but",
    "at",
    "are",
    "this",
    "have",
    "from",
    "or",
    "had",
    "an",
    "they",
    "which",
    "one",
    "you",
    "were",
    "all",
    "she",
    "there",
    "would",
    "their",
    "we",
    "him",
    "been",
    "has",
    "when",
    "who",
    "will",
    "more",
    "no",
    "if",
    "out",
    "so",
    "said",
    "what",
    "up",
    "its",
    "about",
    "into",
    "than",
    "them",
    "can",
    "only",
    "other",
    "new",
    "some",
    "could",
    "time",
    "these",
    "two",
    "may",
    "then",
    "do",
    "first",
    "any",
    "my",
    "now",
    "such",
    "like",
    "our",
    "over",
    "man",
    "even",
]


def _text(drawn: random.Random, count: int) -> str:
    return " ".join(drawn.choice(_WORDS) for _ in range(count))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def form(number: int) -> Image.Image:
    """Sixteen fields, of which two hold other words on each form."""
    image = Image.new("RGB", (1240, 1754), "white")
    draw = ImageDraw.Draw(image)
    layout, own = random.Random(1), random.Random(7919 * number)
    draw.text((80, 60), "APPLICATION FOR A PERMIT", "black", font=_font(44))
    for field in range(16):
        top = 180 + 90 * field
        draw.text((80, top), _text(layout, 3).title(), "black", font=_font(26))
        draw.rectangle((420, top - 8, 1150, top + 40), outline="black", width=2)
        filled = _text(layout, 3)
        draw.text((440, top), _text(own, 3) if field in {3, 9} else filled, (20, 20, 90), font=_font(28))
    return image


def invoice(number: int) -> Image.Image:
    """Twenty rows whose amounts differ, on yellowish paper."""
    image = Image.new("RGB", (1240, 1754), (250, 248, 240))
    draw = ImageDraw.Draw(image)
    layout, own = random.Random(2), random.Random(104729 * number + 1)
    draw.text((80, 60), "INVOICE", "black", font=_font(60))
    for row in range(20):
        top = 240 + 56 * row
        draw.line((80, top - 10, 1160, top - 10), fill="grey", width=2)
        draw.text((90, top), _text(layout, 3), "black", font=_font(26))
        draw.text((980, top), f"{own.randint(1, 999)}.{own.randint(10, 99)}", "black", font=_font(26))
    return image


def slide(number: int) -> Image.Image:
    """White on blue; two of six points differ."""
    image = Image.new("RGB", (1280, 720), (20, 40, 90))
    draw = ImageDraw.Draw(image)
    layout, own = random.Random(3), random.Random(1299709 * number + 1)
    draw.text((80, 50), _text(layout, 4).title(), "white", font=_font(56))
    for point in range(6):
        words = _text(own if point in {1, 4} else layout, 5)
        draw.text((110, 180 + 80 * point), f"\N{BULLET} {words}", "white", font=_font(34))
    draw.rectangle((0, 680, 1280, 720), fill=(200, 160, 30))
    return image


def prose(number: int) -> Image.Image:
    """Lines of words."""
    image = Image.new("RGB", (1240, 1754), "white")
    draw = ImageDraw.Draw(image)
    own = random.Random(15485863 * number + 1)
    for line in range(44):
        draw.text((110, 100 + 35 * line), _text(own, 11), "black", font=_font(27))
    return image


def dashboard(number: int) -> Image.Image:
    """A dark bar, and a table of numbers below it, all of which differ."""
    image = Image.new("RGB", (1280, 800), "white")
    draw = ImageDraw.Draw(image)
    own = random.Random(32452843 * number + 1)
    draw.rectangle((0, 0, 1280, 60), fill=(30, 60, 120))
    draw.text((20, 14), "Sales by month", "white", font=_font(28))
    for row in range(22):
        for column in range(6):
            draw.text((20 + 210 * column, 80 + 32 * row), f"{own.uniform(0, 9999):.2f}", "black", _font(20))
    return image


def chat(number: int) -> Image.Image:
    """Messages in bubbles on a telephone, of which two differ."""
    image = Image.new("RGB", (600, 1200), (229, 221, 213))
    draw = ImageDraw.Draw(image)
    layout, own = random.Random(4), random.Random(49979687 * number + 1)
    draw.rectangle((0, 0, 600, 60), fill=(7, 94, 84))
    for message in range(11):
        left, top = (160, 20)[message % 2], 80 + 100 * message
        fill = "white" if message % 2 else (220, 248, 198)
        draw.rounded_rectangle((left, top, left + 400, top + 85), 12, fill=fill)
        for line in range(2):
            words = _text(own if message in {3, 8} else layout, 5)
            draw.text((left + 12, top + 10 + 32 * line), words, "black", font=_font(20))
    return image


def terminal(number: int) -> Image.Image:
    """Grey on black; the output of two of eight commands differs."""
    image = Image.new("RGB", (1000, 640), (12, 12, 12))
    draw = ImageDraw.Draw(image)
    layout, own = random.Random(5), random.Random(67867967 * number + 1)
    for line in range(24):
        if line % 3 == 0:
            draw.text((10, 8 + 26 * line), "user@host:~$", (80, 220, 80), font=_font(18))
            draw.text((140, 8 + 26 * line), _text(layout, 4), "white", font=_font(18))
        else:
            words = _text(own if line in {7, 8, 16, 17} else layout, 9)
            draw.text((10, 8 + 26 * line), words, (200, 200, 200), font=_font(18))
    return image


def spreadsheet(number: int) -> Image.Image:
    """Grey headings, a green bar and a grid; the numbers of two of eight columns differ."""
    image = Image.new("RGB", (1200, 760), "white")
    draw = ImageDraw.Draw(image)
    layout, own = random.Random(6), random.Random(86028121 * number + 1)
    draw.rectangle((0, 0, 1200, 48), fill=(33, 115, 70))
    draw.rectangle((0, 48, 1200, 78), fill=(230, 230, 230))
    draw.rectangle((0, 48, 60, 760), fill=(230, 230, 230))
    for row in range(24):
        draw.line((0, 78 + 28 * row, 1200, 78 + 28 * row), fill=(200, 200, 200))
        for column in range(8):
            draw.line((60 + 142 * column, 48, 60 + 142 * column, 760), fill=(200, 200, 200))
            cells = own if column in {2, 5} else layout
            text = f"{cells.randint(10, 99999)}"
            draw.text((70 + 142 * column, 82 + 28 * row), text, "black", font=_font(18))
    return image


def editor(number: int) -> Image.Image:
    """A dark editor with a sidebar; four of twenty lines differ."""
    image = Image.new("RGB", (1280, 760), (30, 30, 30))
    draw = ImageDraw.Draw(image)
    layout, own = random.Random(7), random.Random(122949823 * number + 1)
    draw.rectangle((0, 0, 240, 760), fill=(37, 37, 38))
    draw.rectangle((0, 735, 1280, 760), fill=(0, 122, 204))
    for line in range(20):
        draw.text((16, 20 + 34 * line), _text(layout, 2), (204, 204, 204), font=_font(18))
        words = _text(own if line in {4, 5, 12, 13} else layout, 7)
        left = 280 + 30 * layout.randint(0, 4)
        colour = [(206, 145, 120), (86, 156, 214), (212, 212, 212)][layout.randint(0, 2)]
        draw.text((left, 20 + 34 * line), words, colour, font=_font(20))
    return image


def dialog(number: int) -> Image.Image:
    """A settings window on a coloured desktop; three of ten values differ."""
    image = Image.new("RGB", (1280, 800), (0, 110, 140))
    draw = ImageDraw.Draw(image)
    layout, own = random.Random(8), random.Random(141650939 * number + 1)
    draw.rectangle((180, 60, 1100, 740), fill=(243, 243, 243))
    draw.rectangle((180, 60, 1100, 100), fill=(60, 60, 60))
    draw.text((200, 66), "Settings", "white", font=_font(24))
    for row in range(10):
        top = 130 + 60 * row
        draw.text((220, top), _text(layout, 3).capitalize(), (40, 40, 40), font=_font(22))
        draw.rectangle((620, top - 6, 1060, top + 36), fill="white", outline=(150, 150, 150))
        words = _text(own if row in {1, 5, 8} else layout, 4)
        draw.text((632, top), words, "black", font=_font(22))
    return image


PAGES = {"form": form, "invoice": invoice, "slide": slide, "prose": prose}
SCREENS = {
    "dashboard": dashboard,
    "chat": chat,
    "terminal": terminal,
    "spreadsheet": spreadsheet,
    "editor": editor,
    "dialog": dialog,
}
