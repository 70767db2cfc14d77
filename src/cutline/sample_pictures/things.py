"""Fruit, cloth and a leaf."""

from __future__ import annotations

import numpy as np
from PIL import Image

from cutline.sample_pictures.brushes import (
    HEIGHT,
    Floats,
    Pen,
    as_floats,
    clouds,
    colour,
    finish,
    flat,
    grid,
    mix,
    ramp,
    smooth,
)


def sphere(
    scene: Floats, at: tuple[float, float], radius: float, tint: str, *, seed: int, dimple: float = 0.0
) -> Floats:
    """A round fruit with light from the upper left, and its shadow on the table."""
    x, y = grid(scene.shape[1], scene.shape[0])
    shadow = np.exp(
        -(
            ((x - at[0] - radius * 0.45) / (radius * 1.15)) ** 2
            + ((y - at[1] - radius * 0.86) / (radius * 0.3)) ** 2
        )
        * 1.6
    )
    scene = scene * (1 - 0.62 * shadow)[..., None]
    u, v = (x - at[0]) / radius, (y - at[1]) / radius
    inside = np.hypot(u, v)
    depth = np.sqrt((1 - u**2 - v**2).clip(0, 1))
    lambert = (-0.52 * u - 0.6 * v + 0.61 * depth).clip(0, 1)
    shine = (-0.36 * u - 0.42 * v + 0.83 * depth).clip(0, 1) ** 46
    skin = clouds(seed, scene.shape[1], scene.shape[0], levels=(1, 8))
    body = colour(tint) * (0.2 + 0.95 * lambert)[..., None] * (0.86 + 0.26 * skin)[..., None]
    body = (
        body * (1 - dimple * np.exp(-((u * 3) ** 2 + ((v + 0.82) * 5) ** 2)))[..., None]
        + 0.6 * shine[..., None]
    )
    body += 0.09 * ((1 - depth) * (v > 0))[..., None] * colour("c8824a")
    return mix(scene, body, ((1 - inside) * radius * scene.shape[0] / 1.5).clip(0, 1))


def still_life() -> Image.Image:
    x, y = grid()
    wall = ramp(
        (0.25 + 0.5 * x / x.max() + 0.4 * y).clip(0, 1), (0, "7d8a80"), (0.5, "4e5a56"), (1, "2a302f")
    )
    wall *= (0.9 + 0.2 * clouds(21))[..., None]
    wood = ramp(clouds(22, stretch=16, levels=(1, 8)), (0, "6e4526"), (0.5, "94633a"), (1, "b98552"))
    wood *= (1.25 - 0.5 * x / x.max())[..., None]
    scene = mix(wall, wood, ((y - 0.62) * HEIGHT / 2).clip(0, 1))
    scene = sphere(scene, (0.47, 0.55), 0.17, "e8871e", seed=23, dimple=0.35)
    scene = sphere(scene, (0.86, 0.53), 0.175, "c92a22", seed=24, dimple=0.6)
    scene = sphere(scene, (0.66, 0.66), 0.14, "8fae2e", seed=25, dimple=0.5)
    scene = sphere(scene, (1.06, 0.69), 0.085, "5b2a56", seed=26, dimple=0.2)
    scene = sphere(scene, (0.27, 0.7), 0.09, "e9c62c", seed=27, dimple=0.2)

    def stalks(pen: Pen) -> None:
        pen.line([(660, 282), (672, 240)], "#4a3018", 6)
        pen.line([(507, 410), (497, 368)], "#4a3018", 6)

    return finish(as_floats(smooth(stalks, finish(scene, grain=0.0, vignette=0))), vignette=0.45)


def checked_cloth() -> Image.Image:
    x, y = grid()
    u, v = x + 0.018 * np.sin(y * 9), y + 0.018 * np.sin(x * 8 + 1)
    stripe_u, stripe_v = (u * 9) % 1 < 0.5, (v * 9) % 1 < 0.5
    weave = 0.94 + 0.06 * np.sin(u * 900) * np.sin(v * 900)
    both = stripe_u.astype(np.float32) + stripe_v
    cloth = ramp(both / 2, (0, "f6f0e4"), (0.5, "e07a6c"), (1, "bf2a26")) * weave[..., None]
    folds = 0.82 + 0.3 * clouds(61, levels=(1, 3)) + 0.1 * np.sin(x * 5 + y * 3)
    return finish(cloth * folds[..., None], vignette=0.35)


def emblem() -> Image.Image:
    """A leaf on nothing: the ground is transparent."""
    size = 800
    x, y = grid(size, size)
    u, v = x - 0.5, y - 0.5
    along, across = (u - v) * 0.7071, (u + v) * 0.7071
    half = 0.21 * (1 - (along / 0.42) ** 2).clip(0, 1)
    alpha = ((half - np.abs(across)) * size / 1.5).clip(0, 1)
    veins = np.abs(np.sin((along * 1.0 - np.abs(across) * 0.9) * 46)) ** 14
    body = ramp((0.5 + across * 1.6 + 0.2 * along).clip(0, 1), (0, "1d6b3a"), (0.5, "3f9a4a"), (1, "9ccb5a"))
    body = body * (1 - 0.16 * veins)[..., None]
    middle = np.exp(-((across / 0.006) ** 2)) * (np.abs(along) < 0.41)
    body = mix(body, flat("d5ecb0", body), middle.astype(np.float32))
    stem = ((0.009 - np.abs(across)) * size).clip(0, 1) * ((along < -0.38) & (along > -0.55))
    body = mix(body, flat("2c6a34", body), stem.astype(np.float32) * (1 - alpha))
    rgba = np.dstack([body, np.maximum(alpha, stem)])
    return Image.fromarray((rgba * 255).clip(0, 255).astype(np.uint8))
