"""Draws the sample pictures: scenes made by arithmetic, so that nobody's photographs are needed.

Usage: python examples/make_pictures.py OUTPUT_FOLDER

The same pictures come out every time. Needs Pillow and numpy.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

Floats = NDArray[np.float32]
WIDTH, HEIGHT = 1024, 768


def colour(code: str) -> Floats:
    return np.array(list(bytes.fromhex(code)), dtype=np.float32) / 255


def ramp(t: Floats, *stops: tuple[float, str]) -> Floats:
    """Colours along ``t`` (any shape, 0..1) between (position, hex code) stops."""
    places = [place for place, _ in stops]
    codes = np.array([colour(code) for _, code in stops])
    return np.stack([np.interp(t, places, codes[:, k]) for k in range(3)], axis=-1).astype(np.float32)


def grid(width: int = WIDTH, height: int = HEIGHT) -> tuple[Floats, Floats]:
    """Pixel positions: x from 0 to width / height, y from 0 (top) to 1."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32) / height
    return x, y


def clouds(seed: int, width: int = WIDTH, height: int = HEIGHT, *, stretch: float = 1.0, finest: int = 6) -> Floats:
    """Soft noise 0..1: layers of ever finer random grids, each half as strong."""
    random = np.random.default_rng(seed)
    total = np.zeros((height, width), dtype=np.float32)
    weight = 0.0
    for level in range(1, finest + 1):
        rows, columns = 2**level + 1, max(2, round((2**level) * width / height / stretch)) + 1
        layer = Image.fromarray(random.random((rows, columns), dtype=np.float32))
        total += np.asarray(layer.resize((width, height), Image.Resampling.BICUBIC)) * 0.55**level
        weight += 0.55**level
    total /= weight
    low, high = np.quantile(total, (0.01, 0.99))
    return ((total - low) / (high - low)).clip(0, 1).astype(np.float32)


def ridge(seed: int, width: int, *, rough: float = 0.55, levels: int = 8) -> Floats:
    """A mountain line, 0..1, one value a column."""
    random = np.random.default_rng(seed)
    x = np.linspace(0, 1, width)
    line = np.zeros(width)
    for level in range(1, levels):
        knots = 2**level + 1
        line += np.interp(x, np.linspace(0, 1, knots), random.random(knots)) * rough**level
    return ((line - line.min()) / np.ptp(line)).astype(np.float32)


def mix(below: Floats, above: Floats, share: Floats) -> Floats:
    return below + (above - below) * share[..., None]


def glow(x: Floats, y: Floats, at: tuple[float, float], size: float) -> Floats:
    return np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * size**2)).astype(np.float32)


def finish(scene: Floats, *, grain: float = 0.012, vignette: float = 0.25, seed: int = 1) -> Image.Image:
    """A film-like end: darker corners, fine grain, 8 bits."""
    height, width = scene.shape[:2]
    x, y = grid(width, height)
    away = ((x / x.max() - 0.5) ** 2 + (y - 0.5) ** 2) * 2
    scene = scene * (1 - vignette * away**1.5)[..., None]
    noise = np.random.default_rng(seed).standard_normal((height, width, 1), dtype=np.float32)
    return Image.fromarray(((scene + grain * noise) * 255).clip(0, 255).astype(np.uint8))


def smooth(draw: Callable[[ImageDraw.ImageDraw, int], None], ground: Image.Image, scale: int = 2) -> Image.Image:
    """``ground`` with ``draw`` on it, drawn larger and reduced so that edges are soft."""
    large = ground.resize((ground.width * scale, ground.height * scale), Image.Resampling.BICUBIC)
    draw(ImageDraw.Draw(large, "RGBA"), scale)
    return large.resize(ground.size, Image.Resampling.LANCZOS)


def as_floats(image: Image.Image) -> Floats:
    return np.asarray(image.convert("RGB"), dtype=np.float32) / 255


def sunset(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    x, y = grid(width, height)
    level, sun = 0.58, (0.62 * width / height, 0.5)
    sky = ramp(y / level, (0, "1d2a5e"), (0.35, "6b3f7c"), (0.65, "d9604f"), (0.88, "f9a24b"), (1, "ffd98a"))
    veil = clouds(3, width, height, stretch=3.5)
    lit = ramp(y / level, (0, "5a4a80"), (0.5, "f0806a"), (1, "ffe0a0"))
    sky = mix(sky, lit, ((veil - 0.5) * 2.4).clip(0, 0.85))
    sky += glow(x, y, sun, 0.16)[..., None] * colour("ff9a3c") * 0.55
    disc = ((0.055 - np.hypot(x - sun[0], y - sun[1])) * height / 1.5).clip(0, 1)
    sky = mix(sky, np.broadcast_to(colour("fff3c8"), sky.shape), disc)
    depth = ((y - level) / (1 - level)).clip(0, 1)
    sea = ramp(depth, (0, "d98a5a"), (0.12, "8a5670"), (0.5, "34366a"), (1, "141a3c"))
    ripple = np.sin((y - level + 0.02) ** 0.55 * 420 + 9 * clouds(4, width, height, stretch=6)) if False else None
    waves = clouds(5, width, height, stretch=14, finest=8)
    del ripple
    path = np.exp(-(((x - sun[0]) / (0.035 + 0.16 * depth)) ** 2))
    glitter = ((waves - 0.5 + 0.2 * path) * 6).clip(0, 1) * path
    sea = mix(sea, np.broadcast_to(colour("ffd08a"), sea.shape), (glitter * (1 - 0.5 * depth)).clip(0, 1))
    sea *= (0.82 + 0.36 * waves)[..., None]
    shore = ((y - level) * height).clip(0, 1)
    return finish(mix(sky, sea, shore))


def skyline() -> Image.Image:
    x, y = grid()
    scene = ramp(y, (0, "070b22"), (0.45, "14204a"), (0.75, "3c3f78"), (1, "8a5a74"))
    scene += glow(x, y, (1.08, 0.16), 0.10)[..., None] * 0.22
    moon = ((0.042 - np.hypot(x - 1.08, y - 0.16)) * HEIGHT / 1.5).clip(0, 1)
    scene = mix(scene, np.broadcast_to(colour("f6efdc"), scene.shape), moon)
    random = np.random.default_rng(8)
    stars = random.random((HEIGHT, WIDTH)) > 0.9994
    scene[stars & (y < 0.55)] = 0.9
    image = finish(scene, vignette=0.1)

    def towers(pen: ImageDraw.ImageDraw, s: int) -> None:
        for layer, (shade, low, high) in enumerate((("1d2550", 0.34, 0.6), ("10163a", 0.28, 0.56), ("080b20", 0.16, 0.42))):
            at = -20
            while at < WIDTH:
                wide = int(random.integers(44, 96))
                top = int(HEIGHT * (1 - random.uniform(low, high)) * 0.93)
                pen.rectangle((at * s, top * s, (at + wide) * s, HEIGHT * s), fill=f"#{shade}")
                if random.random() < 0.25:
                    pen.line(((at + wide // 2) * s, (top - 40) * s, (at + wide // 2) * s, top * s), fill=f"#{shade}", width=2 * s)
                for wy in range(top + 10, HEIGHT - 70, 14):
                    for wx in range(at + 7, at + wide - 8, 11):
                        if layer and random.random() < 0.42:
                            tint = random.choice(["ffd27a", "ffe9b0", "ffb65c", "cfe4ff"])
                            pen.rectangle((wx * s, wy * s, (wx + 5) * s, (wy + 7) * s), fill=f"#{tint}{'ff' if layer == 2 else '99'}")
                at += wide + int(random.integers(0, 10))

    city = smooth(towers, image)
    light = city.filter(ImageFilter.GaussianBlur(7))
    shown = as_floats(city) + 0.45 * as_floats(light)
    top = int(HEIGHT * 0.86)
    mirror = shown[top - (HEIGHT - top) * 2 : top : 2][::-1][: HEIGHT - top]
    sway = (np.sin(np.arange(HEIGHT - top) * 0.9) * np.arange(HEIGHT - top) * 0.03).astype(int)
    shown[top : top + len(mirror)] = np.stack([np.roll(row, shift, axis=0) for row, shift in zip(mirror, sway, strict=False)]) * 0.55
    shown[top : top + 3] *= 0.3
    return finish(shown, vignette=0.15)


def sphere(scene: Floats, at: tuple[float, float], radius: float, tint: str, *, seed: int, dimple: float = 0.0) -> Floats:
    """A round fruit with light from the upper left, and its shadow on the table."""
    x, y = grid(scene.shape[1], scene.shape[0])
    shadow = np.exp(-(((x - at[0] - radius * 0.45) / (radius * 1.15)) ** 2 + ((y - at[1] - radius * 0.86) / (radius * 0.3)) ** 2) * 1.6)
    scene = scene * (1 - 0.62 * shadow)[..., None]
    u, v = (x - at[0]) / radius, (y - at[1]) / radius
    inside = np.hypot(u, v)
    depth = np.sqrt((1 - u**2 - v**2).clip(0, 1))
    lambert = (-0.52 * u - 0.6 * v + 0.61 * depth).clip(0, 1)
    shine = (-0.36 * u - 0.42 * v + 0.83 * depth).clip(0, 1) ** 46
    skin = clouds(seed, scene.shape[1], scene.shape[0], finest=8)
    body = colour(tint) * (0.2 + 0.95 * lambert)[..., None] * (0.86 + 0.26 * skin)[..., None]
    body = body * (1 - dimple * np.exp(-((u * 3) ** 2 + ((v + 0.82) * 5) ** 2)))[..., None] + 0.6 * shine[..., None]
    body += 0.09 * ((1 - depth) * (v > 0))[..., None] * colour("c8824a")
    return mix(scene, body, ((1 - inside) * radius * scene.shape[0] / 1.5).clip(0, 1))


def still_life() -> Image.Image:
    x, y = grid()
    wall = ramp((0.25 + 0.5 * x / x.max() + 0.4 * y).clip(0, 1), (0, "7d8a80"), (0.5, "4e5a56"), (1, "2a302f"))
    wall *= (0.9 + 0.2 * clouds(21))[..., None]
    wood = ramp(clouds(22, stretch=16, finest=8), (0, "6e4526"), (0.5, "94633a"), (1, "b98552"))
    wood *= (1.25 - 0.5 * x / x.max())[..., None]
    scene = mix(wall, wood, ((y - 0.62) * HEIGHT / 2).clip(0, 1))
    scene = sphere(scene, (0.47, 0.55), 0.17, "e8871e", seed=23, dimple=0.35)
    scene = sphere(scene, (0.86, 0.53), 0.175, "c92a22", seed=24, dimple=0.6)
    scene = sphere(scene, (0.66, 0.66), 0.14, "8fae2e", seed=25, dimple=0.5)
    scene = sphere(scene, (1.06, 0.69), 0.085, "5b2a56", seed=26, dimple=0.2)
    scene = sphere(scene, (0.27, 0.7), 0.09, "e9c62c", seed=27, dimple=0.2)

    def stalks(pen: ImageDraw.ImageDraw, s: int) -> None:
        for px, py, dx in ((660, 282, 12), (507, 410, -10)):
            pen.line((px * s, py * s, (px + dx) * s, (py - 42) * s), fill="#4a3018", width=6 * s)

    return finish(as_floats(smooth(stalks, finish(scene, grain=0.0, vignette=0))), vignette=0.45)


def mountains(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    x, y = grid(width, height)
    scene = ramp(y, (0, "3f7fc4"), (0.4, "9fc6ea"), (0.7, "e8eef4"))
    scene = mix(scene, np.ones_like(scene), ((clouds(31, width, height, stretch=3) - 0.58) * 2.2 * (1 - y)).clip(0, 0.9))
    steps = ((41, 0.34, 0.30, "a9bdd4", "dfe8f2"), (42, 0.42, 0.34, "5f7896", "f4f7fb"), (44, 0.66, 0.16, "2c4a4a", "3a5f50"))
    for seed, top, tall, rock, snow in steps:
        line = top + tall * (1 - ridge(seed, width, rough=0.52))
        below = ((y - line[None]) * height / 1.2).clip(0, 1)
        lit = clouds(seed + 60, width, height, finest=8)
        slope = np.gradient(ridge(seed, width, rough=0.52) * 60)[None] + (lit - 0.5) * 1.6
        depth = (y - line[None]) / max(tall, 0.05)
        share = (1.15 - depth * 1.1 + (lit - 0.5) * 1.5).clip(0, 1)
        face = mix(np.broadcast_to(colour(rock), scene.shape), np.broadcast_to(colour(snow), scene.shape), share)
        face = face * (0.86 + 0.16 * np.tanh(slope * 2))[..., None]
        scene = mix(scene, face, below)
    firs = 0.84 + 0.03 * ridge(45, width, rough=0.9, levels=10) - 0.05 * (np.arange(width) % 23 < 2) * ridge(46, width)
    scene = mix(scene, np.broadcast_to(colour("14291f"), scene.shape), ((y - firs[None]) * height / 2).clip(0, 1))
    return finish(scene, vignette=0.2)


def text_page() -> Image.Image:
    lines = (
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
    page = Image.new("RGB", (960, 1240), "#f7f3ea")
    pen = ImageDraw.Draw(page)
    pen.text((100, 120), "The Cutline", "#1e1c1a", font=ImageFont.load_default(64))
    pen.line((100, 215, 860, 215), fill="#8a2a20", width=4)
    for row, line in enumerate(lines):
        pen.text((100, 270 + 56 * row), line, "#2b2826", font=ImageFont.load_default(30))
    pen.text((100, 1120), "Page 1 of the sample pictures", "#8a8378", font=ImageFont.load_default(22))
    paper = as_floats(page) * (0.97 + 0.04 * clouds(51, 960, 1240))[..., None]
    return finish(paper, grain=0.006, vignette=0.06)


def poster() -> Image.Image:
    image = Image.new("RGB", (768, 1024), "#f2dfb8")

    def shapes(pen: ImageDraw.ImageDraw, s: int) -> None:
        pen.rectangle((0, 0, 768 * s, 640 * s), fill="#12606a")
        for turn in range(24):
            if turn % 2:
                pen.pieslice((-316 * s, -260 * s, 1084 * s, 1140 * s), turn * 15, turn * 15 + 15, fill="#1b7680")
        pen.rectangle((0, 640 * s, 768 * s, 1024 * s), fill="#f2dfb8")
        pen.ellipse((214 * s, 170 * s, 554 * s, 510 * s), fill="#f4a62a")
        pen.polygon([(p[0] * s, p[1] * s) for p in ((120, 640), (330, 330), (470, 520), (560, 420), (700, 640))], fill="#d1432c")
        pen.polygon([(p[0] * s, p[1] * s) for p in ((330, 330), (282, 402), (324, 428), (352, 402), (386, 408))], fill="#f2dfb8")
        pen.text((384 * s, 700 * s), "SUMMIT", "#12606a", font=ImageFont.load_default(132 * s), anchor="mt")
        pen.text((384 * s, 850 * s), "FESTIVAL OF MOUNTAIN FILMS", "#d1432c", font=ImageFont.load_default(40 * s), anchor="mt")
        pen.line((120 * s, 920 * s, 648 * s, 920 * s), fill="#12606a", width=4 * s)
        pen.text((384 * s, 945 * s), "12 - 18 OCTOBER", "#12606a", font=ImageFont.load_default(36 * s), anchor="mt")

    return smooth(shapes, image)


def checked_cloth() -> Image.Image:
    x, y = grid()
    u, v = x + 0.018 * np.sin(y * 9), y + 0.018 * np.sin(x * 8 + 1)
    stripe_u, stripe_v = (u * 9) % 1 < 0.5, (v * 9) % 1 < 0.5
    weave = 0.94 + 0.06 * np.sin(u * 900) * np.sin(v * 900)
    both = stripe_u.astype(np.float32) + stripe_v
    cloth = ramp(both / 2, (0, "f6f0e4"), (0.5, "e07a6c"), (1, "bf2a26")) * weave[..., None]
    folds = 0.82 + 0.3 * clouds(61, finest=3) + 0.1 * np.sin(x * 5 + y * 3)
    return finish(cloth * folds[..., None], vignette=0.35)


def autumn_wood() -> Image.Image:
    x, y = grid()
    random = np.random.default_rng(71)
    back = ramp(y, (0, "f3d79a"), (0.5, "e8b25e"), (0.72, "a8642c"), (1, "5b3318"))
    scene = back * (0.75 + 0.5 * clouds(72, finest=7))[..., None] + glow(x, y, (0.75, 0.3), 0.3)[..., None] * 0.35
    image = finish(scene.clip(0, 1), grain=0, vignette=0)
    for layer, (count, wide, shade) in enumerate(((26, 9, "9a7448"), (14, 20, "5e4024"), (6, 42, "2e1e12"))):
        def trunks(pen: ImageDraw.ImageDraw, s: int, count: int = count, wide: int = wide, shade: str = shade) -> None:
            for _ in range(count):
                px, lean = random.uniform(0, WIDTH), random.normal(0, 12)
                foot = HEIGHT * (0.66 + 0.11 * layer)
                half = wide * random.uniform(0.35, 0.6)
                pen.polygon([(a * s, b * s) for a, b in ((px - half, foot), (px + half, foot), (px + lean + half * 0.6, 0), (px + lean - half * 0.6, 0))], fill=f"#{shade}")
            for _ in range(900):
                px, py = random.uniform(0, WIDTH), HEIGHT * abs(random.normal(0, 0.2 + 0.03 * layer))
                tint = random.choice(["e8a22c", "d9741f", "c2481c", "f0c64a", "b5651d", "8a9a3a"])
                size = random.uniform(2, 5 + 2.4 * layer)
                pen.ellipse(((px - size) * s, (py - size * 0.7) * s, (px + size) * s, (py + size * 0.7) * s), fill=f"#{tint}c8")
            for _ in range(1100):
                py = HEIGHT * random.uniform(0.64 + 0.1 * layer, 0.78 + 0.12 * layer)
                px, size = random.uniform(0, WIDTH), random.uniform(2, 4 + 2 * layer)
                tint = random.choice(["c9772a", "b0521e", "e0a03a", "8a4a1c", "6e3a18"])
                pen.ellipse(((px - size * 1.4) * s, (py - size * 0.5) * s, (px + size * 1.4) * s, (py + size * 0.5) * s), fill=f"#{tint}d0")

        image = smooth(trunks, image).filter(ImageFilter.GaussianBlur((1.6, 0.6, 0)[layer]))
    light = as_floats(image) + glow(x, y, (0.75, 0.28), 0.25)[..., None] * colour("ffdf9a") * 0.3
    return finish(light, vignette=0.4)


def dunes() -> Image.Image:
    x, y = grid()
    scene = ramp(y, (0, "2f6fb0"), (0.3, "8fbce0"), (0.48, "f3dcb8"))
    for step in range(5):
        line = 0.44 + 0.12 * step + (0.05 + 0.015 * step) * np.sin(x * (2.1 - 0.25 * step) + step * 2.3 + 0.5 * np.sin(x * 1.3 + step))
        rise = (y - line).clip(0, 1)
        crest = np.cos(x * (2.1 - 0.25 * step) + step * 2.3)
        light = (0.62 + 0.38 * np.tanh(crest * 2.4 + 10 * rise - 0.3)).clip(0.2, 1)
        wind = 1 + 0.045 * np.sin((y * 1.6 + 0.25 * x + 0.02 * clouds(80 + step)) * 260 / (1 + 0.25 * step)) * (0.3 + 0.14 * step)
        sand = ramp(light, (0, "6e3f22"), (0.45, "b8733a"), (0.8, "e6a95e"), (1, "f7d394")) * wind[..., None]
        scene = mix(scene, sand, (rise * HEIGHT / 1.3).clip(0, 1))
    return finish(scene, vignette=0.2)


def lighthouse() -> Image.Image:
    width, height = 768, 1024
    x, y = grid(width, height)
    scene = ramp(y, (0, "22345c"), (0.35, "5c5f8e"), (0.62, "e09a86"), (0.74, "f6d2a8"))
    scene = mix(scene, np.broadcast_to(colour("f2b8a4"), scene.shape), ((clouds(91, width, height, stretch=3) - 0.5) * 1.8).clip(0, 0.7))
    sea = ramp(y, (0.74, "b98a86"), (0.85, "4a5a78"), (1, "1c2a44")) * (0.85 + 0.3 * clouds(92, width, height, stretch=10, finest=8))[..., None]
    scene = mix(scene, sea, ((y - 0.74) * height).clip(0, 1))
    angle = np.arctan2(y - 0.265, x - 0.33)
    for direction in (0.12, np.pi - 0.2):
        off = np.abs((angle - direction + np.pi) % (2 * np.pi) - np.pi)
        scene += (np.exp(-((off / 0.07) ** 2)) * np.exp(-np.hypot(x - 0.33, y - 0.265) * 2.2))[..., None] * colour("fff0c0") * 0.5
    image = finish(scene.clip(0, 1), grain=0, vignette=0)

    def tower(pen: ImageDraw.ImageDraw, s: int) -> None:
        rocks = [(0, 860), (60, 820), (120, 835), (170, 790), (330, 785), (400, 830), (470, 845), (540, 900), (560, 1024), (0, 1024)]
        pen.polygon([(a * s, b * s) for a, b in rocks], fill="#1c1e26")
        for band in range(6):
            top, low = 320 + band * 80, 320 + (band + 1) * 80
            a, b = 34 + band * 5, 34 + (band + 1) * 5
            pen.polygon([(p * s, q * s) for p, q in ((253 - a, top), (253 + a, top), (253 + b, low), (253 - b, low))], fill="#efe6da" if band % 2 else "#c0392f")
        pen.rectangle((200 * s, 308 * s, 306 * s, 322 * s), fill="#2a2c34")
        pen.rectangle((224 * s, 240 * s, 282 * s, 308 * s), fill="#ffe9a8")
        for px in (224, 243, 262, 281):
            pen.line((px * s, 240 * s, px * s, 308 * s), fill="#2a2c34", width=3 * s)
        pen.polygon([(216 * s, 242 * s), (290 * s, 242 * s), (253 * s, 196 * s)], fill="#8a241e")
        for py in (420, 560, 690):
            pen.rectangle((245 * s, py * s, 261 * s, (py + 28) * s), fill="#2c3040")
        for step in range(40):
            pen.polygon([(p * s, q * s) for p, q in ((253 + step * 1.6, 320), (287, 320), (317, 800), (253 + step * 1.6, 800))], fill="#10141e06")

    done = as_floats(smooth(tower, image)) + glow(x, y, (0.33, 0.268), 0.05)[..., None] * colour("fff0c0") * 0.5
    return finish(done, vignette=0.25)


def foggy_field() -> Image.Image:
    x, y = grid()
    scene = ramp(y, (0, "c9d2d6"), (0.55, "e9ebe6"), (0.62, "d5dacf"), (1, "8f9c7c"))
    image = finish(scene, grain=0, vignette=0)
    random = np.random.default_rng(101)
    for px, foot, tall, shade in ((180, 452, 110, "bfc9c8"), (420, 462, 90, "c3ccca"), (860, 470, 170, "a5b2b0"), (640, 520, 250, "71827f")):
        def tree(pen: ImageDraw.ImageDraw, s: int, px: int = px, foot: int = foot, tall: int = tall, shade: str = shade) -> None:
            pen.polygon([(a * s, b * s) for a, b in ((px - tall * 0.035, foot), (px + tall * 0.035, foot), (px + 2, foot - tall * 0.6), (px - 2, foot - tall * 0.6))], fill=f"#{shade}")
            for _ in range(520):
                a, r = random.uniform(0, 2 * np.pi), tall * 0.36 * np.sqrt(random.random())
                cx, cy, size = px + r * np.cos(a), foot - tall * 0.66 + r * 0.85 * np.sin(a), tall * random.uniform(0.012, 0.03)
                pen.ellipse(((cx - size) * s, (cy - size) * s, (cx + size) * s, (cy + size) * s), fill=f"#{shade}70")

        image = smooth(tree, image)
    fog = (0.75 * np.exp(-(((y - 0.6) / 0.1) ** 2)) * (0.4 + 0.6 * clouds(102, stretch=5))).clip(0, 1)
    field = mix(as_floats(image), np.broadcast_to(colour("eef0ec"), scene.shape), fog)
    grass = clouds(103, finest=9, stretch=0.4) - 0.5
    field += (grass * 0.22 * ((y - 0.66) / 0.34).clip(0, 1))[..., None] * colour("c8d2a8")
    return finish(field, vignette=0.12)


def bar_chart() -> Image.Image:
    image = Image.new("RGB", (WIDTH, HEIGHT), "#ffffff")
    values = (("Mon", 42), ("Tue", 57), ("Wed", 49), ("Thu", 71), ("Fri", 88), ("Sat", 64), ("Sun", 35))

    def chart(pen: ImageDraw.ImageDraw, s: int) -> None:
        pen.text((80 * s, 48 * s), "Pictures captioned per day", "#22303c", font=ImageFont.load_default(40 * s))
        for tick in range(0, 101, 20):
            py = 660 - tick * 5
            pen.line((120 * s, py * s, 960 * s, py * s), fill="#d5dce2", width=2 * s)
            pen.text((104 * s, py * s), str(tick), "#5a6a78", font=ImageFont.load_default(22 * s), anchor="rm")
        for column, (day, value) in enumerate(values):
            left = 160 + column * 114
            fill = "#e8743b" if value == 88 else "#2f7fb8"
            pen.rounded_rectangle((left * s, (660 - value * 5) * s, (left + 74) * s, 660 * s), radius=6 * s, fill=fill)
            pen.text(((left + 37) * s, 690 * s), day, "#22303c", font=ImageFont.load_default(26 * s), anchor="mm")
            pen.text(((left + 37) * s, (642 - value * 5) * s), str(value), "#22303c", font=ImageFont.load_default(24 * s), anchor="mm")

    return smooth(chart, image)


def emblem() -> Image.Image:
    """A leaf on nothing: the ground is transparent."""
    size = 800
    x, y = grid(size, size)
    u, v = x - 0.5, y - 0.5
    along, across = (u - v) * 0.7071, (u + v) * 0.7071
    half = 0.2 * np.cos(along * np.pi / 0.84) ** 0.8 if False else 0.21 * (1 - (along / 0.42) ** 2).clip(0, 1)
    alpha = ((half - np.abs(across)) * size / 1.5).clip(0, 1)
    veins = np.abs(np.sin((along * 1.0 - np.abs(across) * 0.9) * 46)) ** 14
    body = ramp((0.5 + across * 1.6 + 0.2 * along).clip(0, 1), (0, "1d6b3a"), (0.5, "3f9a4a"), (1, "9ccb5a"))
    body = body * (1 - 0.16 * veins)[..., None]
    middle = np.exp(-((across / 0.006) ** 2)) * (np.abs(along) < 0.41)
    body = mix(body, np.broadcast_to(colour("d5ecb0"), body.shape), middle.astype(np.float32))
    stem = ((0.009 - np.abs(across)) * size).clip(0, 1) * ((along < -0.38) & (along > -0.55))
    body = mix(body, np.broadcast_to(colour("2c6a34"), body.shape), stem.astype(np.float32) * (1 - alpha))
    rgba = np.dstack([body, np.maximum(alpha, stem)])
    return Image.fromarray((rgba * 255).clip(0, 255).astype(np.uint8))


def moon_frames() -> list[Image.Image]:
    """A moon that rises: for an animated file."""
    x, y = grid(480, 360)
    frames = []
    for step in range(12):
        at = (0.3 + 0.06 * step, 0.72 - 0.045 * step)
        scene = ramp(y, (0, "0b1030"), (0.7, "2c2a5c"), (1, "6a4a78"))
        scene = scene + glow(x, y, at, 0.14)[..., None] * 0.3
        disc = ((0.075 - np.hypot(x - at[0], y - at[1])) * 200).clip(0, 1)
        scene = mix(scene, np.broadcast_to(colour("fbf3d8"), scene.shape), disc)
        hill = 0.78 + 0.05 * np.sin(x * 4 + 1)
        scene = mix(scene, np.broadcast_to(colour("0a0c18"), scene.shape), ((y - hill) * 300).clip(0, 1))
        frames.append(finish(scene, grain=0, vignette=0.2))
    return frames


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
    large = mountains(2000, 1500).resize((4000, 3000), Image.Resampling.BICUBIC)
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
