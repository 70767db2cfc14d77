"""The documented limits on real photos: copies are found, blur is caught, good photos are kept."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from cutline.filters.near import nearest_kept
from cutline.filters.rules import Rule
from cutline.imaging import Picture
from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import MeasureOptions
from cutline.locations.stored import InlineBytes, LocalFile
from cutline.measures.catalog import make_measure
from cutline.measures.hashes import hashes_of
from measured_pictures import lit, scene

LIMITS = ("sharpness>=0.75", "motion<=0.48", "dark<=0.6", "washed<=0.46", "clipped<=0.35", "contrast>=0.4")


@pytest.fixture(scope="module")
def photos(shared_data):
    """A part of the photos, scaled to what is decoded."""
    files = [*sorted((shared_data / "photos-coco/images").iterdir())[::5]]
    files += sorted((shared_data / "photos-cid22/images").iterdir())[::5]
    return [Picture(LocalFile(str(file))).image(max_side=512) for file in files]


def cropped(share):
    def change(image):
        x, y = round(image.width * share), round(image.height * share)
        return image.crop((x, y, image.width - x, image.height - y))

    return change


def saved(kind, quality):
    def change(image):
        file = io.BytesIO()
        image.save(file, kind, quality=quality)
        return Image.open(file)

    return change


COPIES = {
    "third": lambda image: image.resize((image.width // 3, image.height // 3)),
    "jpeg": saved("JPEG", 35),
    "webp": saved("WEBP", 45),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "warm": lambda image: Image.merge(
        "RGB", [image.getchannel("R"), *(lit(image, 0.85).getchannel(c) for c in "GB")]
    ),
    "dim": lambda image: lit(image, 0.75),
    "sharp": lambda image: image.filter(ImageFilter.SHARPEN),
    "crop": cropped(0.015),
}


def hashed(image):
    whole = DecodedPicture(image.convert("RGB"), width=image.width, height=image.height)
    return np.frombuffer(hashes_of(whole), dtype=np.uint8)


def test_copies_are_found_and_different_photos_are_kept(photos):
    originals = np.stack([hashed(photo) for photo in photos])
    found = [
        nearest_kept(np.stack([original, hashed(change(photo))])).kept[1] == 0
        for change in COPIES.values()
        for photo, original in zip(photos, originals, strict=True)
    ]
    assert np.mean(found) >= 0.99
    assert (nearest_kept(originals).kept == np.arange(len(originals))).all()


def test_the_docs_say_what_is_missed(photos):
    for change in (ImageOps.mirror, cropped(0.08)):
        found = [
            nearest_kept(np.stack([hashed(photo), hashed(change(photo))])).kept[1] == 0 for photo in photos
        ]
        assert np.mean(found) < 0.3


def thing(seed, background):
    """A shape or two on a plain background, as in catalogues; another one for each seed."""
    drawn = np.random.default_rng(seed)
    texture, mask = scene(600, 600, seed=seed), Image.new("L", (600, 600), 0)
    brush = ImageDraw.Draw(mask)
    for _ in range(drawn.integers(1, 4)):
        x, y = (int(one) for one in drawn.integers(120, 300, 2))
        width, height = (int(one) for one in drawn.integers(90, 250, 2))
        (brush.ellipse if drawn.random() < 0.5 else brush.rectangle)((x, y, x + width, y + height), fill=255)
    return Image.composite(texture, Image.new("RGB", (600, 600), background), mask)


@pytest.mark.parametrize("background", ["white", "black", (90, 120, 200)])
def test_different_things_on_a_plain_background_are_no_copies(background):
    """Their plain areas are equal, which must not make the whole near."""
    things = [thing(seed, background) for seed in range(40)]
    originals = np.stack([hashed(one) for one in things])
    assert (nearest_kept(originals).kept == np.arange(len(originals))).all()
    for name in ("third", "jpeg", "grey", "sharp", "crop"):
        found = [
            nearest_kept(np.stack([one, hashed(COPIES[name](image))])).kept[1] == 0
            for image, one in zip(things, originals, strict=True)
        ]
        assert np.mean(found) >= 0.95, name


def rejected(rule, pictures):
    rule = Rule.parse(rule)
    measure = make_measure(rule.name, MeasureOptions())
    values = [measure.measure(picture) for picture in pictures]
    return np.mean([value is not None and not rule.holds(value) for value in values])


@pytest.mark.parametrize("rule", LIMITS)
def test_good_photos_keep_the_documented_limits(photos, rule):
    assert rejected(rule, [DecodedPicture(photo, width=1, height=1) for photo in photos]) <= 0.06


@pytest.mark.parametrize(
    ("rule", "change", "share"),
    [
        ("sharpness>=0.75", lambda image: image.filter(ImageFilter.GaussianBlur(1.7)), 1.0),
        ("sharpness>=0.75", lambda image: image.filter(ImageFilter.GaussianBlur(4)), 1.0),
        ("sharpness>=0.75", lambda i: i.resize((i.width // 4, i.height // 4)).resize(i.size), 1.0),
        ("motion<=0.48", lambda i: Image.fromarray(np.mean([np.roll(np.asarray(i, float), s, 0) for s in range(9)], 0).astype(np.uint8)), 0.9),
        ("dark<=0.6", lambda image: lit(image, 0.25), 1.0),
        ("washed<=0.46", lambda image: lit(image, 1, 120), 1.0),
        ("contrast>=0.4", lambda image: ImageEnhance.Contrast(image).enhance(0.25), 1.0),
        ("clipped<=0.35", lambda image: lit(image, 2.5), 0.4),
    ],
    ids=["blur", "much blur", "enlarged", "shake", "dark", "washed out", "pale", "blown out"],
)  # fmt: skip
def test_what_is_wrong_is_caught(photos, rule, change, share):
    file = [io.BytesIO() for _ in photos]
    for photo, into in zip(photos, file, strict=True):
        change(photo).save(into, "JPEG", quality=90)
    pictures = [DecodedPicture.of(Picture(InlineBytes(into.getvalue(), "worse"))) for into in file]
    assert rejected(rule, pictures) >= share
