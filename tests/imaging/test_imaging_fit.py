"""What a receiver is sent: untouched bytes where they fit, else something that does."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cutline.errors import PictureError
from cutline.imaging import Encoded, Limits, Picture


def opened(encoded: Encoded) -> Image.Image:
    image = Image.open(io.BytesIO(encoded.data))
    image.load()
    assert image.size == (encoded.width, encoded.height)
    assert Image.MIME[image.format] == encoded.mime
    assert len(image.getexif()) == 0
    return image


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("JPEG", "RGB", {}),
        ("JPEG", "RGB", {"subsampling": 0}),
        ("JPEG", "RGB", {"progressive": True}),
        ("JPEG", "RGB", {"optimize": True, "icc_profile": b"profile" * 20_000}),
        ("JPEG", "L", {}),
        ("PNG", "RGB", {}),
        ("PNG", "L", {}),
        ("PNG", "P", {}),
        ("WEBP", "RGB", {}),
        ("WEBP", "RGB", {"lossless": True}),
        ("WEBP", "RGB", {"icc_profile": b"profile"}),
        ("GIF", "P", {}),
        ("BMP", "RGB", {}),
        ("AVIF", "RGB", {}),
        ("PPM", "RGB", {}),
    ],
)
def test_what_fits_is_sent_untouched(picture, encode, scenery, name, mode, options):
    data = encode(scenery(300, 200).convert(mode), name, **options)
    limits = Limits(max_side=300, max_bytes=len(data), formats=frozenset({"JPEG", name}))
    encoded = picture(data).fit(limits)
    assert encoded.data is data
    assert (encoded.width, encoded.height) == (300, 200)
    assert encoded.mime == Image.MIME[name]


def turned(image: Image.Image, orientation: int) -> dict:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif}


CHANGES = {
    "too wide": ("JPEG", {}, Limits(max_side=299)),
    "too many bytes": ("JPEG", {"quality": 95}, Limits(max_bytes=9_000)),
    "another format": ("PNG", {}, Limits(formats=frozenset({"JPEG"}))),
    "turned JPEG": ("JPEG", turned(None, 6), Limits()),
    "turned PNG": ("PNG", turned(None, 3), Limits()),
    "turned WebP": ("WEBP", turned(None, 8), Limits()),
    "two pictures": ("MPO", {"save_all": True, "append_images": [Image.new("RGB", (300, 200))]}, Limits()),
    "animated PNG": ("PNG", {"save_all": True, "append_images": [Image.new("RGB", (300, 200))]}, Limits()),
    "animated WebP": ("WEBP", {"save_all": True, "append_images": [Image.new("RGB", (300, 200))]}, Limits()),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_does_not_fit_is_made_anew(picture, encode, scenery, case):
    name, options, limits = CHANGES[case]
    encoded = picture(encode(scenery(300, 200), name, **options)).fit(limits)
    image = opened(encoded)
    assert image.format == "JPEG"
    assert image.mode == "RGB"
    assert getattr(image, "n_frames", 1) == 1
    assert max(image.size) <= limits.max_side
    assert not limits.max_bytes or len(encoded.data) <= limits.max_bytes


@pytest.mark.parametrize(
    ("name", "mode"),
    [("PNG", "RGBA"), ("PNG", "LA"), ("PNG", "I;16"), ("PNG", "1"), ("WEBP", "RGBA"), ("JPEG", "CMYK")],
)
def test_modes_that_receivers_stumble_over_are_made_anew(picture, encode, scenery, name, mode):
    image = scenery(120, 80)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)
    else:
        image = image.convert(mode)
        if "A" in mode:
            image.putalpha(128)
    assert opened(picture(encode(image, name)).fit(Limits())).mode in {"RGB", "L"}


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
def test_a_file_that_was_cut_is_never_sent_untouched(picture, encode, scenery, name):
    data = encode(scenery(64, 48), name)
    for end in range(len(data)):
        with contextlib.suppress(PictureError):  # Pillow forgives a PNG without its last bytes
            assert picture(data[:end]).fit(Limits()).data != data[:end]


def test_a_jpeg_with_an_end_marker_in_its_thumbnail_only_counts_as_cut(picture, encode, scenery):
    exif = Image.Exif()
    exif[0x010E] = "a thumbnail \xff\xd9"
    data = encode(scenery(64, 48), "JPEG", exif=exif, comment=b"thumbnail\xff\xd9")
    cut = data[: data.rindex(b"\xff\xd9", 0, -2) + 2]
    assert cut.endswith(b"\xff\xd9")
    with pytest.raises(PictureError, match="damaged JPEG"):
        picture(cut).fit(Limits())


def test_a_png_with_a_wrong_check_sum_is_not_sent_untouched(picture, encode, scenery):
    data = bytearray(encode(scenery(64, 48), "PNG"))
    data[len(data) // 2] ^= 1
    with pytest.raises(PictureError, match="damaged PNG"):
        picture(bytes(data)).fit(Limits())


@pytest.mark.parametrize("size", [(1600, 1200), (1200, 1601), (3001, 777), (1025, 1024), (5000, 7)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_large_jpegs_become_as_long_as_allowed_and_keep_their_shape(picture, encode, size, mode):
    image = Image.linear_gradient("L").resize(size).convert(mode)
    encoded = picture(encode(image, "JPEG")).fit(Limits(max_side=1024))
    assert max(encoded.width, encoded.height) == 1024
    scale = 1024 / max(size)
    assert (encoded.width, encoded.height) == tuple(max(1, round(side * scale)) for side in size)
    assert opened(encoded).mode == mode


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "PNG"])
def test_the_bytes_are_brought_within_the_limit(picture, encode, scenery, name):
    data = encode(scenery(1100, 800), "JPEG", quality=95)
    for limit in (80_000, 20_000, 6_000):
        encoded = picture(data).fit(Limits(max_bytes=limit, formats=frozenset({name})))
        assert opened(encoded).format == name
        assert limit / 4 < len(encoded.data) <= limit


def test_a_limit_that_nothing_meets_is_an_error(picture, encode, scenery):
    with pytest.raises(PictureError, match="cannot be encoded in 300 bytes") as caught:
        picture(encode(scenery(500, 400), "PNG")).fit(Limits(max_bytes=300))
    assert caught.value.kind == "too-large"


def test_quality_goes_into_what_is_made(picture, encode, scenery):
    data = encode(scenery(1300, 900), "JPEG")
    sizes = [len(picture(data).fit(Limits(quality=quality)).data) for quality in (30, 60, 95)]
    assert sizes[0] * 1.5 < sizes[1] < sizes[2] / 1.5


@pytest.mark.parametrize(
    "wrong",
    [{"formats": frozenset({"GIF"})}, {"quality": 0}, {"quality": 101}, {"max_side": -1}, {"max_bytes": -1}],
)
def test_limits_that_cannot_be_met_are_refused(wrong):
    with pytest.raises(ValueError):
        Limits(**wrong)


def test_a_retry_costs_nothing(held, encode, scenery):
    source = held(encode(scenery(1200, 900), "JPEG"))
    picture = Picture(source)
    first = picture.fit(Limits())
    assert picture.fit(Limits()) is first
    assert picture.fit(Limits(max_side=500)).width == 500
    assert len(source.reads) == 1


def test_bytes_are_forgotten_once_they_are_not_needed(held, encode, scenery):
    source = held(encode(scenery(1200, 900), "JPEG"))
    picture = Picture(source, keep_data=False)
    picture.image(max_side=64)
    made = picture.fit(Limits())
    assert picture.fit(Limits()) is made
    assert len(source.reads) == 1
    assert picture.data == source.data  # read again
    assert len(source.reads) == 2


def test_release_keeps_the_last_result(held, encode, scenery):
    source = held(encode(scenery(1200, 900), "JPEG"))
    picture = Picture(source)
    made = picture.fit(Limits())
    picture.release()
    assert picture.fit(Limits()) is made
    assert len(source.reads) == 1


def test_untouched_photos_need_no_imaging_library(tmp_path, encode, scenery):
    for name in ("JPEG", "PNG", "WEBP"):
        (tmp_path / name).write_bytes(encode(scenery(320, 240), name))
    program = """if True:
        import pathlib, sys
        from cutline.imaging import Limits, Picture

        class OnDisk:
            path = "photo"
            def __init__(self, file):
                self.file = file
            def read(self):
                return self.file.read_bytes()

        for file in pathlib.Path(sys.argv[1]).iterdir():
            assert Picture(OnDisk(file)).fit(Limits()).data == file.read_bytes()
        print(*(name for name in ("PIL", "numpy", "simplejpeg") if name in sys.modules))
    """
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""
