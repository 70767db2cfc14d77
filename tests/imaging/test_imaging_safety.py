"""Limits hold before pixels are allocated, nothing but PictureError comes out, no global is touched."""

from __future__ import annotations

import contextlib
import io
import struct
import subprocess
import sys
import threading
import warnings
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cutline.errors import PictureError
from cutline.imaging import EXTENSIONS, Limits, can_open_heic, sniff_format


def png_of(width: int, height: int) -> bytes:
    """A whole PNG that declares any size, with next to no pixels in it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))
        )

    header = struct.pack(">LLBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def refusal(call) -> PictureError:
    with pytest.raises(PictureError) as caught:
        call()
    assert "somewhere/photo.bin" in str(caught.value)
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("size", [(8001, 8000), (65_536, 65_536), (2**31 - 1, 1)])
def test_more_pixels_than_allowed_are_refused_from_the_header(picture, size):
    for call in (picture(png_of(*size)).image, lambda: picture(png_of(*size)).fit(Limits(max_side=0))):
        assert refusal(call).kind == "too-large"
    assert refusal(picture(png_of(8000, 8000)).image).kind == "decode"  # allowed, but empty


@pytest.mark.parametrize("comments", [b"#" + b"x" * 70_000, b"#x\n" * 30_000], ids=["one", "many"])
def test_long_comments_of_a_ppm_are_refused_before_they_are_read(picture, comments):
    assert refusal(picture(b"P6\n" + comments + b"\n2 2\n255\n" + bytes(12)).image).kind == "too-large"
    usual = b"P6\n# made by hand\n2 2\n# maximum\n255\n" + bytes(12) + comments
    assert picture(usual).image().size == (2, 2)


def chunk(kind, content=b""):
    check = zlib.crc32(kind + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + kind + content + check


def test_a_png_of_nothing_but_heads_of_chunks_is_refused(picture, encode):
    data = encode(Image.new("RGB", (8, 8)), "PNG")
    for tiny in (chunk(b"tEXt", b"k\0v"), chunk(b"IDAT"), chunk(b"zTXt", b"k\0\0" + zlib.compress(b"v"))):
        many = data[:33] + tiny * 20_000 + data[33:]
        for call in (picture(many).image, lambda data=many: picture(data).info()):
            assert refusal(call).kind == "too-large"
    several = data[:33] + chunk(b"tEXt", b"k\0v") * 5_000 + data[33:]
    assert picture(several).image().size == (8, 8)


@pytest.mark.parametrize("kind", [b"P1", b"P2", b"P3"])
def test_plain_pictures_are_read_as_their_binary_forms(picture, kind):
    most, bands = (1, 1) if kind == b"P1" else (200, 3 if kind == b"P3" else 1)
    values = [(7 * number) % (most + 1) for number in range(6 * 4 * bands)]
    text = b"# a\n".join(b"%d " % value for value in values)
    highest = b"" if kind == b"P1" else b"200\n"
    opened = picture(kind + b" # size\n6 4\n" + highest + text).image()
    by_pillow = Image.open(io.BytesIO(kind + b"\n6 4\n" + highest + b" ".join(b"%d" % v for v in values)))
    assert opened.convert("RGB").tobytes() == by_pillow.convert("RGB").tobytes()
    for body in (text[: len(text) // 2], text.replace(b"0", b"x"), text.replace(b"1", b"-1"), b"9999 " * 99):
        assert refusal(picture(kind + b"\n6 4\n" + highest + body).image).kind == "decode"
    for head in (b"\n6\n", b"\n-6 4 1\n1", b"\n6 4 0\n1", b"\nx y 1\n1"):
        assert refusal(picture(kind + head).image).kind == "decode"


def test_four_million_values_as_text_are_read_and_ten_times_as_many_refused(picture):
    body = b"#c\n1 2\n" * 2_000_000
    assert picture(b"P2\n2000 2000\n255\n" + body).image().size == (2000, 2000)
    assert refusal(picture(b"P3\n4000 4000\n255\n" + body, max_pixels=10**8).image).kind == "too-large"


def test_the_cap_can_be_moved_but_not_above_the_hard_one(picture, encode):
    data = encode(Image.new("RGB", (200, 100)), "PNG")
    assert refusal(picture(data, max_pixels=19_999).image).kind == "too-large"
    assert picture(data, max_pixels=20_000).image().size == (200, 100)
    assert refusal(picture(png_of(13_400, 13_400), max_pixels=10**10).image).kind == "too-large"


def test_jpegs_above_the_cap_are_scaled_while_they_are_decoded(picture, encode):
    data = encode(Image.new("RGB", (1000, 800), "teal"), "JPEG")
    assert picture(data, max_pixels=300_000).image().size == (500, 400)
    assert picture(data, max_pixels=300_000).fit(Limits(max_side=0, max_bytes=len(data) - 1)).width == 500
    assert refusal(picture(data, max_pixels=100).image).kind == "too-large"
    progressive = encode(Image.new("RGB", (1000, 800)), "JPEG", progressive=True)
    assert refusal(picture(progressive, max_pixels=300_000).image).kind == "too-large"
    cmyk = encode(Image.new("CMYK", (1000, 800)), "JPEG")
    assert picture(cmyk, max_pixels=300_000).image().size == (500, 400)


def test_photos_of_fifty_megapixels_load(picture, encode):
    data = encode(Image.new("RGB", (8192, 6144), "olive"), "JPEG")
    assert picture(data).image().size == (8192, 6144)


def test_jpegs_of_very_many_scans_are_refused(picture, encode):
    data = encode(Image.new("L", (6000, 6000), 90), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    bomb = data[:-2] + data[last:-2] * 500 + b"\xff\xd9"
    assert len(bomb) < 200_000
    for call in (lambda: picture(bomb).image(max_side=64), lambda: picture(bomb).fit(Limits())):
        assert refusal(call).kind == "too-large"


def test_more_pixels_in_a_frame_than_the_header_tells_are_refused_in_our_words(picture, encode):
    data = bytearray(encode(Image.new("L", (10, 10)), "GIF"))
    at = data.index(b",") + 5
    data[at : at + 4] = struct.pack("<HH", 20_000, 20_000)
    refused = refusal(picture(bytes(data)).image)
    assert refused.kind == "too-large"
    assert str(refused).endswith(": more pixels in it than are opened")


@pytest.mark.parametrize("name", ["PNG", "JPEG", "GIF", "TIFF", "BMP"])
def test_files_that_were_cut_say_so_alike(picture, encode, name):
    data = encode(Image.effect_noise((200, 200), 90), name)
    refused = refusal(picture(data[: len(data) // 2]).image)
    assert refused.kind == "decode"
    assert str(refused).endswith(f"damaged {name}: the file ends too early")


@pytest.mark.parametrize("limit", [None, 10])
def test_the_limit_of_pillow_is_neither_needed_nor_changed(limit):
    program = f"""if True:
        import io, warnings
        import simplejpeg  # and numpy, which adds to the filters
        warnings.simplefilter("error")
        from PIL import Image
        Image.MAX_IMAGE_PIXELS = {limit}
        from cutline.errors import PictureError
        from cutline.imaging import Limits, Picture

        class Held:
            path = "photo"
            def __init__(self, name, size):
                self.data = io.BytesIO()
                Image.new("1", size).convert("P").save(self.data, name)
            def read(self):
                return self.data.getvalue()

        filters = list(warnings.filters)
        for name in ("PNG", "BMP", "TIFF", "WEBP"):
            assert Picture(Held(name, (100, 100))).image().size == (100, 100)
            assert Picture(Held(name, (100, 100))).fit(Limits(max_side=50)).width == 50
        for name in ("GIF", "BMP"):
            try:
                Picture(Held(name, (10_000, 9_000))).image()
            except PictureError as error:
                assert error.kind == "too-large", error
            else:
                raise SystemExit("a bomb went through")
        assert Image.MAX_IMAGE_PIXELS == {limit}
        assert list(warnings.filters) == filters
    """
    # A WebP checks Pillow's limit before we can, so a very low one refuses it: that is the user's wish.
    program = program.replace(', "WEBP")', ")") if limit else program
    program = program.replace(', "TIFF")', ")") if limit else program
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


@pytest.mark.parametrize(("name", "order"), [("TIFF", "<"), ("AVIF", ">")])
def test_metadata_warnings_stay_inside_in_every_thread(picture, encode, name, order):
    exif = Image.Exif()
    exif[0x010F] = "a maker" * 10
    good = encode(Image.new("RGB", (30, 20)), name, exif=exif)
    at = good.index(struct.pack(order + "HH", 0x010F, 2))
    bad = good[: at + 4] + struct.pack(order + "L", 10**6) + good[at + 8 :]
    with pytest.warns(UserWarning, match="Skipping tag"):
        Image.open(io.BytesIO(bad)).getexif()
    problems: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(50):
                assert picture(bad).image().size == (30, 20)
        except BaseException as error:
            problems.append(error)

    before = list(warnings.filters)
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems
    assert list(warnings.filters) == before


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", "decode", "empty"),
        (b"\n", "unsupported", "unknown picture format"),
        (b"<!DOCTYPE html><html><body>404", "unsupported", "HTML"),
        (b'<?xml version="1.0"?><svg xmlns="x">', "unsupported", "SVG"),
        (b"%PDF-1.7", "unsupported", "PDF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "unsupported", "EPS"),
        (b"8BPS\0\1", "unsupported", "PSD"),
        (b"\0\0\0\x0cJXL \r\n\x87\n", "unsupported", "JPEG XL"),
        (b"\0\0\0\x18ftypisom\0\0\2\0isomiso2", "unsupported", "MP4"),
        (b"\x89PNG\r\n\x1a\n", "decode", "PNG"),
        (b"\xff\xd8\xff\xe0", "decode", "JPEG"),
        (b"GIF89a", "decode", "GIF"),
        (b"RIFF\x04\0\0\0WEBP", "decode", "WEBP"),
        (b"\0\0\1\0\1\0", "decode", "ICO"),
        (b"\0\0\1\0\0\0", "unsupported", "unknown picture format"),
    ],
)
def test_what_is_no_picture_is_named(picture, data, kind, words):
    for call in (picture(data).info, picture(data).image, lambda: picture(data).fit(Limits())):
        error = refusal(call)
        assert error.kind == kind
        assert words in str(error)


def test_heic_without_its_extra_names_the_cure():
    program = """if True:
        import sys
        sys.modules["pillow_heif"] = None  # how Python itself marks what cannot be imported
        from cutline.errors import PictureError
        from cutline.imaging import Picture, can_open_heic

        class Held:
            path = "photo.heic"
            def read(self):
                return b"\\0\\0\\0\\x18ftypheic\\0\\0\\0\\0mif1heic"

        assert not can_open_heic()
        try:
            Picture(Held()).image()
        except PictureError as error:
            print(error.kind, error)
    """
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("unsupported photo.heic: HEIC")
    assert "pip install 'cutline[heic]'" in done.stdout


def test_a_path_with_line_breaks_stays_in_one_line(held):
    from cutline.imaging import Picture

    with pytest.raises(PictureError) as caught:
        Picture(held(b"", "a\nb\udcff.jpg")).image()
    assert str(caught.value) == "a\\nb\\udcff.jpg: the file is empty"


def test_formats_are_told_by_their_bytes(encode, quarters):
    for name in ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF", "ICO", "PPM"):
        assert sniff_format(encode(quarters, name)) == name
    assert {"jpg", "jpeg", "png", "webp", "gif", "tif", "tiff", "bmp", "avif", "heic", "heif"} <= EXTENSIONS
    assert all(extension == extension.lower().strip(".") for extension in EXTENSIONS)
    assert isinstance(can_open_heic(), bool)


@pytest.fixture(scope="module")
def seeds(scenery):
    """One small picture in every format."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker"
    small = scenery(40, 30)
    made = {}
    for label, mode, name, options in (
        ("jpeg", "RGB", "JPEG", {"exif": exif}),
        ("progressive", "RGB", "JPEG", {"progressive": True, "xmp": b'<x tiff:Orientation="3"/>'}),
        ("grey", "L", "JPEG", {}),
        ("cmyk", "CMYK", "JPEG", {}),
        ("mpo", "RGB", "MPO", {"save_all": True, "append_images": [small]}),
        ("png", "RGB", "PNG", {"exif": exif}),
        ("rgba", "RGBA", "PNG", {}),
        ("apng", "RGB", "PNG", {"save_all": True, "append_images": [small.rotate(9)]}),
        ("palette", "P", "PNG", {"transparency": 3}),
        ("webp", "RGB", "WEBP", {"exif": exif}),
        ("lossless", "RGBA", "WEBP", {"lossless": True}),
        ("moving", "RGB", "WEBP", {"save_all": True, "append_images": [small.rotate(9)]}),
        ("gif", "P", "GIF", {"save_all": True, "append_images": [small.rotate(9).convert("P")]}),
        ("tiff", "RGB", "TIFF", {"exif": exif}),
        ("lzw", "RGB", "TIFF", {"compression": "tiff_lzw"}),
        ("bmp", "RGB", "BMP", {}),
        ("avif", "RGB", "AVIF", {"exif": exif, "speed": 10}),
        ("ico", "RGBA", "ICO", {"sizes": [(16, 16), (24, 24)]}),
        ("ppm", "RGB", "PPM", {}),
    ):
        buffer = io.BytesIO()
        small.convert(mode).save(buffer, name, **options)
        made[label] = buffer.getvalue()
    if can_open_heic():
        import pillow_heif

        buffer = io.BytesIO()
        pillow_heif.from_pillow(small).save(buffer)
        made["heic"] = buffer.getvalue()
    return made


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_damage_anywhere_raises_nothing_but_picture_errors(seeds, picture, data):
    content = bytearray(seeds[data.draw(st.sampled_from(sorted(seeds)))])
    early = st.integers(0, min(200, len(content) - 1))
    for at in data.draw(st.lists(early | st.integers(0, len(content) - 1), max_size=6)):
        content[at] = data.draw(st.integers(0, 255) | st.sampled_from([0, 0x7F, 0x80, 0xFF]))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    for call in (
        lambda held: held.info(),
        lambda held: held.image(max_side=16),
        lambda held: held.fit(Limits(max_side=16)),
        lambda held: held.fit(Limits()),
    ):
        with contextlib.suppress(PictureError):
            call(picture(bytes(content), max_pixels=1_000_000))
