"""Land and sea."""

from __future__ import annotations

from functools import partial

import numpy as np
from PIL import Image, ImageFilter

from cutline.sample_pictures.brushes import (
    HEIGHT,
    WIDTH,
    Pen,
    as_floats,
    clouds,
    colour,
    finish,
    flat,
    glow,
    grid,
    mix,
    ramp,
    ridge,
    smooth,
)  # fmt: skip


def sunset(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    x, y = grid(width, height)
    level, sun = 0.58, (0.62 * width / height, 0.5)
    sky = ramp(y / level, (0, "1d2a5e"), (0.35, "6b3f7c"), (0.65, "d9604f"), (0.88, "f9a24b"), (1, "ffd98a"))
    veil = clouds(3, width, height, stretch=3.5)
    lit = ramp(y / level, (0, "5a4a80"), (0.5, "f0806a"), (1, "ffe0a0"))
    sky = mix(sky, lit, ((veil - 0.5) * 2.4).clip(0, 0.85))
    sky += glow(x, y, sun, 0.16)[..., None] * colour("ff9a3c") * 0.55
    disc = ((0.055 - np.hypot(x - sun[0], y - sun[1])) * height / 1.5).clip(0, 1)
    sky = mix(sky, flat("fff3c8", sky), disc)
    depth = ((y - level) / (1 - level)).clip(0, 1)
    sea = ramp(depth, (0, "d98a5a"), (0.12, "8a5670"), (0.5, "34366a"), (1, "141a3c"))
    waves = clouds(5, width, height, stretch=9, levels=(5, 9))
    path = np.exp(-(((x - sun[0]) / (0.035 + 0.16 * depth)) ** 2))
    glitter = ((waves - 0.5 + 0.2 * path) * 6).clip(0, 1) * path
    sea = mix(sea, flat("ffd08a", sea), (glitter * (1 - 0.5 * depth)).clip(0, 1))
    sea *= (0.82 + 0.36 * waves)[..., None]
    shore = ((y - level) * height).clip(0, 1)
    return finish(mix(sky, sea, shore))


def mountains(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    _, y = grid(width, height)
    scene = ramp(y, (0, "3f7fc4"), (0.4, "9fc6ea"), (0.7, "e8eef4"))
    scene = mix(
        scene,
        np.ones_like(scene),
        ((clouds(31, width, height, stretch=3) - 0.58) * 2.2 * (1 - y)).clip(0, 0.9),
    )
    steps = (
        (41, 0.34, 0.30, "a9bdd4", "dfe8f2"),
        (42, 0.42, 0.34, "5f7896", "f4f7fb"),
        (44, 0.66, 0.16, "2c4a4a", "3a5f50"),
    )
    for seed, top, tall, rock, snow in steps:
        line = top + tall * (1 - ridge(seed, width, rough=0.52))
        below = ((y - line[None]) * height / 1.2).clip(0, 1)
        lit = clouds(seed + 60, width, height, levels=(1, 8))
        # Light from the upper left on a rough surface: what rises towards it is bright.
        step = height // 160
        rough = lit + clouds(seed + 70, width, height, levels=(3, 8))
        slope = (rough - np.pad(rough, ((step, 0), (step, 0)), mode="edge")[:-step, :-step]) * 5
        depth = (y - line[None]) / max(tall, 0.05)
        share = (1.15 - depth * 1.1 + (lit - 0.5) * 1.5).clip(0, 1)
        face = mix(flat(rock, scene), flat(snow, scene), share)
        face = face * (0.84 + 0.2 * np.tanh(slope * 2))[..., None]
        scene = mix(scene, face, below)
    across = np.arange(width) / height * 38
    tips = np.random.default_rng(45).uniform(0.03, 0.11, int(across[-1]) + 1)[across.astype(int)]
    firs = 0.89 - tips * (1 - 2 * np.abs(across % 1 - 0.5)) + 0.012 * ridge(46, width, rough=0.9, levels=11)
    scene = mix(scene, flat("14291f", scene), ((y - firs[None]) * height / 2).clip(0, 1))
    return finish(scene, vignette=0.2)


def dunes() -> Image.Image:
    x, y = grid()
    scene = ramp(y, (0, "2f6fb0"), (0.3, "8fbce0"), (0.48, "f3dcb8"))
    for step in range(5):
        line = (
            0.44
            + 0.12 * step
            + (0.05 + 0.015 * step)
            * np.sin(x * (2.1 - 0.25 * step) + step * 2.3 + 0.5 * np.sin(x * 1.3 + step))
        )
        rise = (y - line).clip(0, 1)
        crest = np.cos(x * (2.1 - 0.25 * step) + step * 2.3)
        light = (0.62 + 0.38 * np.tanh(crest * 2.4 + 10 * rise - 0.3)).clip(0.2, 1)
        wind = 1 + 0.045 * np.sin(
            (y * 1.6 + 0.25 * x + 0.02 * clouds(80 + step)) * 260 / (1 + 0.25 * step)
        ) * (0.3 + 0.14 * step)
        sand = ramp(light, (0, "6e3f22"), (0.45, "b8733a"), (0.8, "e6a95e"), (1, "f7d394")) * wind[..., None]
        scene = mix(scene, sand, (rise * HEIGHT / 1.3).clip(0, 1))
    return finish(scene, vignette=0.2)


def autumn_wood() -> Image.Image:
    x, y = grid()
    random = np.random.default_rng(71)
    back = ramp(y, (0, "f3d79a"), (0.5, "e8b25e"), (0.72, "a8642c"), (1, "5b3318"))
    scene = back * (0.75 + 0.5 * clouds(72, levels=(1, 7)))[..., None]
    scene += glow(x, y, (0.75, 0.3), 0.3)[..., None] * 0.35
    image = finish(scene.clip(0, 1), grain=0, vignette=0)
    for depth, blur in enumerate((1.6, 0.6, 0)):
        image = smooth(partial(_trunks_and_leaves, random=random, depth=depth), image)
        image = image.filter(ImageFilter.GaussianBlur(blur))
    light = as_floats(image) + glow(x, y, (0.75, 0.28), 0.25)[..., None] * colour("ffdf9a") * 0.3
    return finish(light, vignette=0.4)


def _trunks_and_leaves(pen: Pen, random: np.random.Generator, depth: int) -> None:
    """One row of trees: ``depth`` 0 is the farthest."""
    count, wide, shade = ((26, 9, "#9a7448"), (14, 20, "#5e4024"), (6, 42, "#2e1e12"))[depth]
    for _ in range(count):
        x, lean = random.uniform(0, WIDTH), random.normal(0, 12)
        foot, half = HEIGHT * (0.66 + 0.11 * depth), wide * random.uniform(0.35, 0.6)
        top = x + lean
        pen.polygon(((x - half, foot), (x + half, foot), (top + half * 0.6, 0), (top - half * 0.6, 0)), shade)
    for _ in range(900):
        x, y = random.uniform(0, WIDTH), HEIGHT * abs(random.normal(0, 0.2 + 0.03 * depth))
        tint = random.choice(["e8a22c", "d9741f", "c2481c", "f0c64a", "b5651d", "8a9a3a"])
        size = random.uniform(2, 5 + 2.4 * depth)
        pen.oval(x, y, size, size * 0.7, f"#{tint}c8")
    for _ in range(1100):
        x, y = random.uniform(0, WIDTH), HEIGHT * random.uniform(0.64 + 0.1 * depth, 0.78 + 0.12 * depth)
        tint = random.choice(["c9772a", "b0521e", "e0a03a", "8a4a1c", "6e3a18"])
        size = random.uniform(2, 4 + 2 * depth)
        pen.oval(x, y, size * 1.4, size * 0.5, f"#{tint}d0")


def foggy_field() -> Image.Image:
    _, y = grid()
    random = np.random.default_rng(101)
    ground = finish(
        ramp(y, (0, "c9d2d6"), (0.55, "e9ebe6"), (0.62, "d5dacf"), (1, "8f9c7c")), grain=0, vignette=0
    )
    trees = as_floats(smooth(partial(_trees, random=random), ground))
    fog = (0.75 * np.exp(-(((y - 0.6) / 0.1) ** 2)) * (0.4 + 0.6 * clouds(102, stretch=5))).clip(0, 1)
    field = mix(trees, flat("eef0ec", trees), fog)
    grass = clouds(103, levels=(1, 9), stretch=0.4) - 0.5
    field += (grass * 0.22 * ((y - 0.66) / 0.34).clip(0, 1))[..., None] * colour("c8d2a8")
    return finish(field, vignette=0.12)


def _trees(pen: Pen, random: np.random.Generator) -> None:
    """The farther, the paler; crowns are clouds of small discs around boughs."""
    trees = (
        (180, 452, 110, "#bfc9c8"),
        (420, 462, 90, "#c3ccca"),
        (860, 470, 170, "#a5b2b0"),
        (640, 520, 250, "#71827f"),
    )
    for x, foot, tall, shade in trees:
        half, fork = tall * 0.035, foot - tall * 0.6
        pen.polygon(((x - half, foot), (x + half, foot), (x + 2, fork), (x - 2, fork)), shade)
        boughs = np.array([x, foot]) + random.normal((0, -0.64), (0.15, 0.1), (12, 2)) * tall
        leaves = boughs[random.integers(12, size=1500)] + random.normal(0, (0.075, 0.05), (1500, 2)) * tall
        for across, down in leaves:
            size = tall * random.uniform(0.008, 0.02)
            pen.oval(across, down, size, size, f"{shade}70")


def moon_frames() -> list[Image.Image]:
    """A moon that rises: for an animated file."""
    x, y = grid(480, 360)
    frames = []
    for step in range(12):
        at = (0.3 + 0.06 * step, 0.72 - 0.045 * step)
        scene = ramp(y, (0, "0b1030"), (0.7, "2c2a5c"), (1, "6a4a78"))
        scene = scene + glow(x, y, at, 0.14)[..., None] * 0.3
        disc = ((0.075 - np.hypot(x - at[0], y - at[1])) * 200).clip(0, 1)
        scene = mix(scene, flat("fbf3d8", scene), disc)
        hill = 0.78 + 0.05 * np.sin(x * 4 + 1)
        scene = mix(scene, flat("0a0c18", scene), ((y - hill) * 300).clip(0, 1))
        frames.append(finish(scene, grain=0, vignette=0.2))
    return frames
