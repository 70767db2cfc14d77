"""Shrinking must look like a full decode and Lanczos, and cost a fraction of it."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image

from cutline.imaging import Limits


def box_means(values: np.ndarray, side: int = 7) -> np.ndarray:
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return inside / side**2


def similarity(one: Image.Image, other: Image.Image) -> float:
    """Mean SSIM of luma (Wang et al. 2004) with a uniform window of 7 x 7."""
    assert one.size == other.size
    x, y = (np.asarray(image.convert("L"), np.float64) for image in (one, other))
    mean_x, mean_y = box_means(x), box_means(y)
    var_x, var_y = box_means(x * x) - mean_x**2, box_means(y * y) - mean_y**2
    cov = box_means(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    score = ((2 * mean_x * mean_y + c1) * (2 * cov + c2)) / (
        (mean_x**2 + mean_y**2 + c1) * (var_x + var_y + c2)
    )
    return float(score.mean())


def reference(data: bytes, side: int) -> Image.Image:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    scale = side / max(image.size)
    size = (round(image.width * scale), round(image.height * scale))
    return image.resize(size, Image.Resampling.LANCZOS)


def check(picture, data: bytes, side: int) -> None:
    wanted = reference(data, side)
    assert similarity(picture(data).image(max_side=side), wanted) >= 0.98
    sent = picture(data).fit(Limits(max_side=side, quality=100)).data
    assert similarity(Image.open(io.BytesIO(sent)), wanted) >= 0.98


# Multiples of nothing: scaled decoding rounds their size up, which must not shift the picture.
@pytest.mark.parametrize(
    ("size", "side"),
    [
        ((1050, 700), 1024),
        ((1601, 1199), 1024),
        ((2900, 1933), 1024),
        ((1201, 801), 400),
        ((1323, 993), 400),
        ((1599, 1201), 400),
        ((2403, 1601), 400),
    ],
)
def test_shrunk_jpegs_look_like_the_reference(picture, encode, scenery, size, side):
    check(picture, encode(scenery(*size), "JPEG", quality=92), side)


def test_shrunk_real_photos_look_like_the_reference(picture, encode, shared_data):
    photos = [
        Image.open(path).convert("RGB") for path in sorted(shared_data.glob("photos-cid22/images/*"))[:24]
    ]
    mosaic = Image.new("RGB", (4 * 512, 3 * 512))
    for number, photo in enumerate(photos):
        mosaic.paste(photo, (number % 4 * 512, number // 4 * 512))
    check(picture, encode(mosaic.crop((0, 0, 1611, 1207)), "JPEG", quality=92), 1024)
    check(picture, encode(mosaic, "JPEG", quality=92), 700)
    check(picture, encode(mosaic, "PNG", compress_level=1), 480)
    for path in sorted(shared_data.glob("photos-coco/images/*"))[:12]:
        for side in (300, 200):
            check(picture, path.read_bytes(), side)


def test_chroma_keeps_its_place(picture, encode, difference, scenery):
    grey = scenery(2101, 1401).convert("L")
    hue = scenery(2101, 1401, seed=7)
    image = Image.merge("YCbCr", (grey, *hue.resize((30, 20)).resize(hue.size).split()[:2])).convert("RGB")
    data = encode(image, "JPEG", quality=95, subsampling=0)
    sent = Image.open(io.BytesIO(picture(data).fit(Limits(quality=100)).data))
    assert difference(sent, reference(data, 1024)) < 4


def cpu_seconds(work) -> float:
    times = []
    for _ in range(4):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return min(times)


def test_twelve_megapixels_cost_a_fraction_of_the_usual_way(picture, encode, scenery):
    data = encode(scenery(2000, 1500).resize((4000, 3000)), "JPEG", quality=90)

    def usual() -> None:
        encode(reference(data, 1024), "JPEG", quality=85)

    # Five times less on an idle machine; the margin is for busy ones.
    assert cpu_seconds(lambda: picture(data).fit(Limits())) < cpu_seconds(usual) / 3
