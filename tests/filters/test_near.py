"""Near duplicates: each skipped picture is near the kept one, whatever the order and the number."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from cutline.filters.near import MAX_DCT, MAX_GRADIENT, Sizes, are_near, nearest_kept
from cutline.filters.pages import Pages
from cutline.imaging import Picture
from cutline.imaging.decoded import DecodedPicture
from cutline.locations.stored import LocalFile
from cutline.measures.hashes import hashes_of
from cutline.measures.pages import page_of
from flat_drawings import DRAWINGS
from measured_pictures import decoded, lit
from text_pages import PAGES, SCREENS


def random_hashes(count, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (count, 64), dtype=np.uint8)


def flipped(hashes, bits, seed=1):
    """With so many of the first 256 bits changed, spread over few bands."""
    copy = np.unpackbits(hashes, axis=-1)
    places = np.random.default_rng(seed).permutation(256)[:bits]
    copy[..., places] ^= 1
    return np.packbits(copy, axis=-1)


def bits_apart(first, second):
    different = np.unpackbits(first ^ second)
    return int(different[:256].sum()), int(different[256:].sum())


def check(hashes, sizes=Sizes()):  # noqa: B008 - frozen
    found = nearest_kept(hashes, sizes)
    kept = found.kept == np.arange(len(hashes))
    for row in np.flatnonzero(~kept):
        owner = found.kept[row]
        assert kept[owner]
        assert owner < row
        dct, gradient = bits_apart(hashes[row], hashes[owner])
        assert dct <= MAX_DCT or gradient <= MAX_GRADIENT
        rising = (np.unpackbits(hashes[one])[256:].sum(dtype=np.int32) for one in (row, owner))
        assert are_near(np.array([dct]), np.array([gradient]), *rising).all()
        assert found.distance[row] == min(dct, gradient)
    return found


@given(st.integers(0, 10_000), st.integers(1, 40))
@settings(max_examples=30)
def test_each_is_near_the_one_it_names(seed, originals):
    base = random_hashes(originals, seed)
    copies = [flipped(base, bits, seed + bits) for bits in (0, 5, 30, 60, 90)]
    everything = np.concatenate([base, *copies])
    check(everything[np.random.default_rng(seed).permutation(len(everything))])


def test_a_neighbours_neighbour_is_not_skipped():
    first = random_hashes(1)[0]
    chain = [first]
    for step in range(1, 4):  # each 40 bits from the one before, and farther from the first
        bits = np.unpackbits(chain[-1])
        bits[40 * step - 40 : 40 * step] ^= 1
        bits[256 + 40 * step - 40 : 256 + 40 * step] ^= 1
        chain.append(np.packbits(bits))
    found = check(np.stack(chain))
    assert found.kept.tolist() == [0, 0, 2, 2]


def test_halves_find_what_all_pairs_find():
    base = random_hashes(700, 3)
    copies = np.concatenate([flipped(base[:300], bits, bits) for bits in (3, 20, 45)])
    everything = np.concatenate([base, copies])
    everything = everything[np.random.default_rng(4).permutation(len(everything))]
    whole = check(everything)
    parts = check(everything, Sizes(few=16, many=32, chunk=64))
    assert (parts.kept == whole.kept).all()
    assert (parts.distance == whole.distance).all()
    assert (whole.kept == np.arange(len(everything))).sum() == 700


@pytest.mark.parametrize("count", [0, 1, 2, 5000])
def test_any_number_of_the_same_picture_is_one(count):
    hashes = np.repeat(random_hashes(1), count, axis=0)
    found = nearest_kept(flipped(hashes, 0))
    assert (found.kept == 0).all()
    assert (found.distance == 0).all()


def test_random_hashes_are_all_kept():
    assert (check(random_hashes(20_000, 7)).kept == np.arange(20_000)).all()


def decided(images):
    """Which of the pictures the search for near duplicates keeps, the first ones first."""
    pictures = [decoded(image, compress_level=1) for image in images]
    hashes = np.stack([np.frombuffer(hashes_of(one) or bytes(64), dtype=np.uint8) for one in pictures])
    pages = Pages.of([page_of(one) for one in pictures])
    return nearest_kept(hashes, Sizes(few=4, many=2), pages=pages).kept.tolist(), pages


def saved(image, kind, quality):
    file = io.BytesIO()
    image.save(file, kind, quality=quality)
    return Image.open(file)


PAGE_COPIES = {
    "half": lambda image: image.resize((image.width // 2, image.height // 2)),
    "jpeg": lambda image: saved(image, "JPEG", 40),
    "webp": lambda image: saved(image, "WEBP", 50),
    "grey": lambda image: ImageOps.grayscale(image).convert("RGB"),
    "dim": lambda image: lit(image, 0.75),
    "pale": lambda image: lit(image, 0.8, 25),
    "sharp": lambda image: image.filter(ImageFilter.UnsharpMask(2, 150, 3)),
    "soft": lambda image: image.filter(ImageFilter.GaussianBlur(1)),
}


@pytest.mark.parametrize("kind", PAGES)
def test_pages_in_one_layout_are_no_copies_but_copies_of_each_are(kind):
    originals = [PAGES[kind](number) for number in range(5)]
    kept, pages = decided(originals)
    assert len(pages) == 5
    assert kept == [0, 1, 2, 3, 4]
    copies = [change(originals[2]) for change in PAGE_COPIES.values()]
    kept, _ = decided([*originals, *copies])
    assert dict(zip(PAGE_COPIES, kept[5:], strict=True)) == dict.fromkeys(PAGE_COPIES, 2)


def cut(image, left=0.0, top=0.0, right=0.0, bottom=0.0):
    w, h = image.size
    return image.crop((round(w * left), round(h * top), round(w * (1 - right)), round(h * (1 - bottom))))


CUTS_AND_SIZES = {
    "all around": lambda image: cut(image, 0.01, 0.01, 0.01, 0.01),
    "at the top": lambda image: cut(image, top=0.02),
    "at the left": lambda image: cut(image, left=0.01),
    "a quarter of the size": lambda image: image.resize((image.width // 4, image.height // 4)),
}


@pytest.mark.parametrize("kind", ["dashboard", "chat", "terminal", "spreadsheet", "editor", "dialog"])
def test_screens_in_one_layout_are_no_copies(kind):
    kept, pages = decided([SCREENS[kind](number) for number in range(4)])
    assert len(pages) == 4
    assert kept == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", [*PAGES, *SCREENS, *DRAWINGS])
def test_copies_of_pages_screens_and_drawings_are_found(kind):
    original = {**PAGES, **SCREENS, **DRAWINGS}[kind](3)
    changes = {name: PAGE_COPIES[name] for name in ("half", "jpeg", "grey")} | CUTS_AND_SIZES
    kept, _ = decided([original, *(change(original) for change in changes.values())])
    assert dict(zip(changes, kept[1:], strict=True)) == dict.fromkeys(changes, 0)


@pytest.mark.parametrize("kind", DRAWINGS)
def test_different_drawings_are_all_kept(kind):
    assert decided([DRAWINGS[kind](number) for number in range(4)])[0] == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["chat", "dialog", "comic", "poster", "icon", "shapes"])
def test_a_watermark_makes_no_other_picture_of_a_drawing_or_window(kind):
    original = {**SCREENS, **DRAWINGS}[kind](3)
    marked = original.copy()
    draw = ImageDraw.Draw(marked)
    place = (marked.width // 10, marked.height * 5 // 6)
    draw.text(place, "example.com", "grey", font=ImageFont.load_default(max(12, marked.width // 18)))
    assert decided([original, marked])[0] == [0, 0]


def test_photos_are_no_pages(shared_data):
    files = sorted((shared_data / "photos-coco/images").iterdir())[::4]
    pictures = [DecodedPicture.of(Picture(LocalFile(str(file)))) for file in files]
    assert [file.name for file, one in zip(files, pictures, strict=True) if page_of(one)] == []
    framed = [ImageOps.expand(picture.image.convert("RGB"), 120, "white") for picture in pictures]
    assert [file.name for file, one in zip(files, framed, strict=True) if page_of(decoded(one))] == []
