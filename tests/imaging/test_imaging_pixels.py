"""Pixels come out upright and in their colours, whatever the file's way to store them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from cutline.imaging import Limits

UNDO = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How an upright picture is stored, so that the orientation turns it upright again."""


def stored(image: Image.Image, orientation: int) -> tuple[Image.Image, Image.Exif]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return image.transpose(UNDO[orientation]) if UNDO[orientation] is not None else image, exif


@pytest.mark.parametrize("orientation", UNDO)
@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_all_orientations_are_upright(picture, encode, quarters, difference, name, orientation):
    image, exif = stored(quarters, orientation)
    data = encode(image, name, exif=exif)
    assert picture(data).info().orientation == orientation
    assert (picture(data).info().width, picture(data).info().height) == quarters.size
    assert difference(picture(data).image(), quarters) < 6
    encoded = picture(data).fit(Limits(max_side=90))
    assert difference(Image.open(io.BytesIO(encoded.data)), quarters.resize((90, 60))) < 6


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_large_jpegs_are_turned_after_they_were_scaled(picture, encode, quarters, difference, orientation):
    big = quarters.resize((2402, 1602), Image.Resampling.NEAREST)
    image, exif = stored(big, orientation)
    encoded = picture(encode(image, "JPEG", exif=exif)).fit(Limits(max_side=1024))
    assert difference(Image.open(io.BytesIO(encoded.data)), big.resize((1024, 683))) < 6
    assert (
        difference(picture(encode(image, "JPEG", exif=exif)).image(max_side=512), big.resize((512, 341))) < 6
    )


@pytest.mark.parametrize("form", ['tiff:Orientation="6"', "<tiff:Orientation>6</tiff:Orientation>"])
@pytest.mark.parametrize("name", ["JPEG", "WEBP"])
def test_orientation_may_be_in_xmp(picture, encode, quarters, difference, name, form):
    image, _ = stored(quarters, 6)
    data = encode(image, name, xmp=f"<x:xmpmeta>{form}</x:xmpmeta>".encode())
    assert difference(picture(data).image(), quarters) < 6
    assert picture(data).fit(Limits()).data != data


def test_exif_goes_before_xmp(picture, encode, quarters, difference):
    image, exif = stored(quarters, 3)
    data = encode(image, "JPEG", exif=exif, xmp=b'<x:xmpmeta tiff:Orientation="6"/>')
    assert difference(picture(data).image(), quarters) < 6


@pytest.mark.parametrize("orientation", [1, 6])
def test_heic_is_opened_and_turned_once(picture, quarters, difference, orientation):
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    image, exif = stored(quarters, orientation)
    pillow_heif.from_pillow(image).save(buffer, quality=95, exif=exif.tobytes())
    held = picture(buffer.getvalue())
    assert held.info().format == "HEIF"
    assert (held.info().width, held.info().height) == quarters.size
    assert difference(held.image(), quarters) < 6


@pytest.mark.parametrize(
    "damage", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff"]
)
def test_damaged_exif_leaves_a_picture_as_it_is(picture, encode, quarters, difference, damage):
    for name in ("JPEG", "PNG", "WEBP"):
        assert difference(picture(encode(quarters, name, exif=damage)).image(), quarters) < 6


def test_alpha_is_laid_over_white(picture, encode):
    glass = Image.new("RGBA", (20, 10), (200, 0, 0, 0))
    glass.paste((200, 0, 0, 128), (10, 0, 20, 10))
    data = encode(glass, "PNG")
    image = picture(data).image()
    assert image.getpixel((2, 5)) == (255, 255, 255)
    assert image.getpixel((15, 5)) == pytest.approx((227, 127, 127), abs=2)
    assert Image.open(io.BytesIO(picture(data).fit(Limits()).data)).getpixel((2, 5)) == pytest.approx(
        (255, 255, 255), abs=8
    )


def test_a_transparent_colour_is_white(picture, encode):
    for mode, clear in (("RGB", (0, 0, 0)), ("L", 0), ("P", 0)):
        data = encode(Image.new(mode, (8, 8), 0), "PNG", transparency=clear)
        assert picture(data).image().getpixel((3, 3)) == (255, 255, 255)


@pytest.mark.parametrize("name", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_become_eight(picture, encode, name):
    ramp = np.linspace(0, 65535, 256 * 4).astype(np.uint16).reshape(4, 256)
    grey = np.asarray(picture(encode(Image.fromarray(ramp), name)).image().convert("L"), np.int16)
    assert np.abs(grey - ramp // 257).max() <= 1


def test_floats_keep_their_range(picture, encode):
    for top in (1.0, 255.0, 4000.0):
        ramp = np.linspace(0, top, 256, dtype=np.float32).reshape(1, 256)
        grey = np.asarray(picture(encode(Image.fromarray(ramp), "TIFF")).image().convert("L"), np.int16)
        assert np.abs(grey[0] - np.arange(256)).max() <= 1


def test_one_bit_palette_and_grey(picture, encode, quarters, difference):
    for mode in ("1", "P", "L"):
        image = quarters.convert(mode)
        assert difference(picture(encode(image, "PNG")).image(), image.convert("RGB")) < 1


def test_cmyk_as_printers_and_as_adobe_store_it(picture, encode, quarters, difference):
    cmyk = quarters.convert("CMYK")
    data = encode(cmyk, "JPEG", quality=95)  # Pillow writes Adobe's inverted form
    assert b"Adobe" in data
    assert difference(picture(data).image(), quarters) < 6
    encoded = picture(data).fit(Limits(max_side=48))
    assert difference(Image.open(io.BytesIO(encoded.data)), quarters.resize((48, 32))) < 12
    assert difference(picture(encode(cmyk, "TIFF")).image(), quarters) < 2


def test_lab_is_converted(picture, encode, quarters, difference):
    lab = ImageCms.profileToProfile(
        quarters, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert difference(picture(encode(lab, "TIFF")).image(), quarters) < 6


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_the_first_frame_is_taken(picture, encode, quarters, difference, name):
    others = [Image.new("RGB", quarters.size, colour) for colour in ("black", "white")]
    data = encode(quarters, name, save_all=True, append_images=others)
    assert picture(data).info().frames == 3
    assert difference(picture(data).image(), quarters) < 8
    assert difference(Image.open(io.BytesIO(picture(data).fit(Limits()).data)), quarters) < 8


def test_an_icon_gives_its_largest_picture(picture, encode, quarters):
    data = encode(quarters.resize((64, 64)), "ICO", sizes=[(16, 16), (64, 64), (32, 32)])
    assert picture(data).image().size == (64, 64)
    assert (picture(data).info().width, picture(data).info().format) == (64, "ICO")


def test_images_are_never_enlarged(picture, encode, quarters):
    assert picture(encode(quarters, "PNG")).image(max_side=1000).size == quarters.size
    assert picture(encode(quarters, "JPEG")).image(max_side=48).size == (48, 32)


def test_info_agrees_with_the_pixels_on_real_photos(shared_data, picture):
    for path in [
        *sorted(shared_data.glob("photos-coco/images/*"))[:20],
        *sorted(shared_data.glob("photos-skimage/*g")),
    ]:
        info = picture(path.read_bytes()).info()
        with Image.open(path) as image:
            assert (info.format, info.width, info.height) == (image.format, *image.size)
