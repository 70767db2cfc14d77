from __future__ import annotations

import asyncio
import importlib.util
import io
import json
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from cutline.captioners.pixels import Pixels
from cutline.errors import ConfigError, MissingExtra, PictureError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt, load_prompt
from peak_memory import importable
from processes import cutline, environment

HAS_OCR = bool(importlib.util.find_spec("rapidocr") and importlib.util.find_spec("onnxruntime"))


class Bytes:
    def __init__(self, data: bytes, path: str = "made") -> None:
        self.path = path
        self._data = data

    def read(self) -> bytes:
        return self._data


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> Picture:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Picture(Bytes(buffer.getvalue()))


def reply_to(picture: Picture, prompt: Prompt | None = None, *, ocr: bool | str = False):
    async def ask():
        captioner = Pixels(ocr=ocr)
        try:
            return await captioner.caption(picture, prompt or Prompt())
        finally:
            await captioner.aclose()

    return asyncio.run(ask())


def caption_of(image: Image.Image, **options: object) -> str:
    return reply_to(encoded(image), **options).text


def noise(seed: int, size: tuple[int, int] = (320, 240), low: int = 0, high: int = 256) -> Image.Image:
    values = np.random.default_rng(seed).integers(low, high, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(values)


SOLID = {
    "#ff0000": "red", "#ff8000": "orange", "#ffff00": "yellow", "#00a000": "green", "#008080": "teal",
    "#00ffff": "cyan", "#0000ff": "blue", "#000080": "navy", "#800080": "purple", "#ff00ff": "magenta",
    "#ffc0cb": "pink", "#8b5a2b": "brown", "#f5f5dc": "cream|ivory|beige", "#808000": "olive", "#800000": "maroon",
    "#d2b48c": "tan", "#808080": "grey", "#000000": "black", "#ffffff": "white", "#c0c0c0": "light grey",
    "#404040": "charcoal|dark grey", "#b9a7e0": "lavender", "#ff7f50": "coral", "#40e0d0": "turquoise",
    "#ffd700": "golden yellow|gold", "#4682b4": "steel blue", "#006400": "dark green",
}  # fmt: skip


@pytest.mark.parametrize(("code", "names"), SOLID.items())
def test_names_a_plain_colour(code: str, names: str) -> None:
    text = caption_of(Image.new("RGB", (200, 150), code))
    assert re.search(rf"filled evenly with ({names})\.$", text), text


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0, 0, 320, 120), r"red (gives way to navy towards the bottom|.*across the top|.*upper part)"),
        (
            (0, 120, 320, 240),
            r"red .*(bottom|lower part)|navy gives way to red towards the bottom|red gives way to navy towards the top",
        ),
        ((0, 0, 160, 240), r"red .*left"),
        ((160, 0, 320, 240), r"red .*right"),
    ],
)
def test_says_where_a_half_lies(box: tuple[int, int, int, int], expected: str) -> None:
    image = Image.new("RGB", (320, 240), "#0a1638")
    image.paste((230, 20, 20), box)
    text = caption_of(image).lower()
    assert re.search(expected, text), text


@pytest.mark.parametrize(
    ("centre", "where"),
    [
        ((0.5, 0.5), "centre|middle"), ((0.2, 0.2), "upper left"), ((0.8, 0.2), "upper right"),
        ((0.2, 0.8), "lower left"), ((0.8, 0.8), "lower right"), ((0.5, 0.2), "above the centre"),
        ((0.5, 0.8), "below the centre"), ((0.2, 0.5), "left of the centre"), ((0.8, 0.5), "right of the centre"),
    ],
)  # fmt: skip
def test_says_where_a_patch_lies(centre: tuple[float, float], where: str) -> None:
    image = Image.new("RGB", (400, 300), "#d8d8d8")
    x, y = 400 * centre[0], 300 * centre[1]
    ImageDraw.Draw(image).ellipse((x - 40, y - 40, x + 40, y + 40), fill="#e01818")
    text = caption_of(image)
    assert re.search(rf"red[^,.]* ({where})", text), text


def test_tells_dark_from_bright() -> None:
    tags = Prompt(name="tags")
    assert "dark" in caption_of(noise(1, high=50), prompt=tags).split(", ")
    assert {"bright", "pale"} & set(caption_of(noise(1, low=215), prompt=tags).split(", "))


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ((400, 300), "landscape"),
        ((300, 400), "portrait"),
        ((300, 300), "square"),
        ((600, 200), "panorama"),
        ((150, 400), "tall"),
    ],
)
def test_names_the_format(size: tuple[int, int], shape: str) -> None:
    assert f"{shape} format" in caption_of(noise(2, size), prompt=Prompt(name="tags"))


def test_follows_the_exif_orientation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = encoded(noise(3, (400, 300)), "JPEG", exif=exif.tobytes())
    assert "portrait format" in reply_to(picture, Prompt(name="tags")).text


def test_tells_grey_from_sepia_from_colour() -> None:
    values = np.asarray(ImageOps.equalize(tiles().convert("L")), dtype=np.float32) / 255
    grey = Image.fromarray((values * 255).astype(np.uint8)).convert("RGB")
    sepia = Image.fromarray((values[..., None] * (255, 225, 178)).astype(np.uint8))
    tags = Prompt(name="tags")
    assert "black-and-white" in caption_of(grey, prompt=tags)
    assert "sepia" in caption_of(sepia, prompt=tags)
    coloured = caption_of(tiles(), prompt=tags)
    assert "black-and-white" not in coloured
    assert "sepia" not in coloured


def drawing() -> Image.Image:
    image = Image.new("RGB", (640, 480), "#9ab0c8")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 300, 640, 480), fill="#5a7040")
    for x in range(10, 640, 24):
        draw.line((x, 140, x + 60, 420), fill=(x % 255, 60, 90), width=3)
    values = np.asarray(image, dtype=np.int16) + np.random.default_rng(6).integers(-9, 10, (480, 640, 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def tiles() -> Image.Image:
    """Tiles of many colours with grain, so that every part has edges and detail."""
    random = np.random.default_rng(13)
    values = (
        random.integers(40, 216, (16, 21, 3), dtype=np.int16)
        .repeat(30, axis=0)
        .repeat(31, axis=1)[:480, :640]
    )
    return Image.fromarray((values + random.integers(-12, 13, values.shape)).clip(0, 255).astype(np.uint8))


def test_tells_soft_from_sharp() -> None:
    tags = Prompt(name="tags")
    assert "soft focus" not in caption_of(tiles(), prompt=tags)
    assert "soft focus" in caption_of(tiles().filter(ImageFilter.GaussianBlur(8)), prompt=tags)


def test_notices_a_sharp_part_before_a_soft_background() -> None:
    image = tiles()
    soft = image.filter(ImageFilter.GaussianBlur(6))
    soft.paste(image.crop((200, 120, 440, 360)), (200, 120))
    assert "shallow focus" not in caption_of(image, prompt=Prompt(name="tags"))
    assert "shallow focus" in caption_of(soft, prompt=Prompt(name="tags"))


def test_sees_a_level_edge_and_its_height() -> None:
    image = Image.new("RGB", (400, 300), "#c8dcf0")
    ground = np.random.default_rng(7).integers(20, 90, (100, 400, 3), dtype=np.uint8)
    image.paste(Image.fromarray(ground), (0, 200))
    text = caption_of(image)
    assert re.search(r"horizon.*in the lower third|in the lower third, like a horizon", text), text


def page() -> Image.Image:
    image = Image.new("RGB", (900, 640), "#faf8f4")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(30)
    for line in range(14):
        draw.text(
            (50, 30 + 42 * line),
            "Harbour lights burn low tonight along the old stone quay",
            "#202020",
            font=font,
        )
    return image


def test_calls_a_page_a_page() -> None:
    assert caption_of(page(), prompt=Prompt(name="tags")).startswith("page, ")


@pytest.mark.skipif(not HAS_OCR, reason="the extra ocr is not installed")
def test_quotes_the_text_it_reads() -> None:
    image = Image.new("RGB", (640, 200), "white")
    ImageDraw.Draw(image).text((40, 60), "HARBOUR CAFE", "black", font=ImageFont.load_default(64))
    reply = reply_to(encoded(image), ocr="ocr")
    assert re.search(r'The text reads "HARBOUR ?CAFE"\.$', reply.text), reply.text
    assert reply.raw["text"].replace(" ", "") == "HARBOURCAFE"


@pytest.mark.skipif(not HAS_OCR, reason="the extra ocr is not installed")
def test_reads_no_text_where_there_is_none() -> None:
    assert "text reads" not in caption_of(noise(8), ocr=True)
    assert caption_of(noise(8), ocr=True, prompt=load_prompt("ocr")) == "[no text]"


@pytest.mark.skipif(not HAS_OCR, reason="the extra ocr is not installed")
def test_the_prompt_ocr_gets_the_text_and_nothing_else() -> None:
    image = Image.new("RGB", (640, 320), "white")
    for line, top in (("HARBOUR", 40), ("CAFE", 180)):
        ImageDraw.Draw(image).text((40, top), line, "black", font=ImageFont.load_default(64))
    assert caption_of(image, ocr=True, prompt=load_prompt("ocr")) == "HARBOUR\nCAFE"
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    assert json.loads(caption_of(image, ocr=True, prompt=Prompt(schema=schema)))["text"] == "HARBOUR CAFE"


@pytest.mark.skipif(not HAS_OCR, reason="the extra ocr is not installed")
@pytest.mark.parametrize("size", [(940, 2), (2, 940)])
def test_reading_a_strip_takes_no_more_memory_than_a_picture(size) -> None:
    code = (
        "from PIL import Image; from peak_memory import peak_mb; from cutline.measures.ocr import TextReader;"
        f"TextReader().read(Image.new('RGB', {size}, 'white')); print(peak_mb())"
    )
    ran = subprocess.run([sys.executable, "-c", code], env=importable(), capture_output=True, check=True)
    assert float(ran.stdout) < 1000


@pytest.mark.skipif(not HAS_OCR, reason="the extra ocr is not installed")
def test_reading_text_leaves_nothing_in_the_home_folder(tmp_path):
    """The library that runs the models would keep a number for the machine there, and send it."""
    (tmp_path / "a.png").write_bytes(encoded(noise(1)).data)
    home = tmp_path / "home"
    home.mkdir()
    outside = environment(HOME=str(home))
    outside = {name: value for name, value in outside.items() if not name.startswith(("ORT_", "XDG_"))}
    ran = cutline("caption", "a.png", "out.jsonl", "--model", "pixels:ocr", cwd=tmp_path, env=outside)
    assert ran.returncode == 0, ran.stderr
    assert [*home.rglob("*onnx*")] == []


@pytest.mark.skipif(HAS_OCR, reason="the extra ocr is installed")
def test_names_the_missing_extra() -> None:
    with pytest.raises(MissingExtra, match=r"cutline\[ocr\]"):
        Pixels(ocr=True)


def test_fits_the_shape_of_a_captioner() -> None:
    captioner = Pixels(ocr=False)
    assert isinstance(captioner, Captioner)
    assert captioner.slots >= 1
    asyncio.run(captioner.aclose())


def test_the_reply_holds_what_was_measured_as_json() -> None:
    reply = reply_to(encoded(drawing()))
    assert (reply.model, reply.finish_reason, reply.usage.total, reply.attempts) == ("pixels", "stop", 0, 1)
    raw = json.loads(json.dumps(reply.raw))
    assert (raw["width"], raw["height"]) == (640, 480)
    assert sum(swatch["share"] for swatch in raw["palette"]) == pytest.approx(1, abs=0.1)
    assert reply.seconds > 0


def test_gives_the_true_size_of_a_large_picture() -> None:
    raw = reply_to(encoded(noise(9, (1600, 900)), "JPEG")).raw
    assert (raw["width"], raw["height"]) == (1600, 900)


def test_damaged_bytes_are_a_picture_error() -> None:
    with pytest.raises(PictureError):
        reply_to(Picture(Bytes(b"\xff\xd8\xff\xe0 not a picture")))


def test_tags_are_short_words_none_twice() -> None:
    tags = caption_of(drawing(), prompt=Prompt(name="tags")).split(", ")
    assert 5 <= len(tags) <= 20
    assert len(set(tags)) == len(tags)
    assert all(re.fullmatch(r"[a-z][a-z -]{2,30}", tag) for tag in tags), tags


@pytest.mark.parametrize(
    "prompt", [Prompt(name="short"), Prompt(name="alt-text"), Prompt(prefix="Write one short caption.")]
)
def test_a_short_caption_is_one_sentence(prompt: Prompt) -> None:
    text = caption_of(drawing(), prompt=prompt)
    assert text.count(".") == 1
    assert len(text) < len(caption_of(drawing()))


def test_fills_the_fields_of_a_schema() -> None:
    schema = {
        "type": "object",
        "properties": {
            "short": {"type": "string"}, "long": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}}, "people": {"type": "integer"},
        },
    }  # fmt: skip
    values = json.loads(caption_of(drawing(), prompt=Prompt(schema=schema)))
    assert set(values) == {"short", "long", "tags"}
    assert values["long"].startswith(values["short"][:12])
    assert isinstance(values["tags"], list)


def test_wraps_the_answer_as_the_regex_asks() -> None:
    text = caption_of(drawing(), prompt=Prompt(regex=r"<caption>(.*?)</caption>"))
    assert re.fullmatch(r"<caption>[A-Z].*\.</caption>", text)


def grammatical(text: str) -> None:
    assert text.endswith(".")
    assert text[0].isupper()
    assert "  " not in text
    assert not re.search(r" [,.;]|,,|\.\.|{|}|\|", text), text
    assert not re.search(r"\ba [aeio]|\ban [^aeiou]", text, re.IGNORECASE), text
    assert not re.search(r"\b(\w+) \1\b", text), text
    for sentence in re.split(r"(?<=\.) ", text):
        assert sentence[0].isupper(), text


@st.composite
def pictures(draw: st.DrawFn) -> Image.Image:
    width, height = draw(st.integers(1, 160)), draw(st.integers(1, 160))
    colour = st.tuples(*[st.integers(0, 255)] * 3)
    image = Image.new("RGB", (width, height), draw(colour))
    pen = ImageDraw.Draw(image)
    for _ in range(draw(st.integers(0, 8))):
        xs = sorted((draw(st.integers(0, width)), draw(st.integers(0, width))))
        ys = sorted((draw(st.integers(0, height)), draw(st.integers(0, height))))
        shape = pen.ellipse if draw(st.booleans()) else pen.rectangle
        shape((xs[0], ys[0], xs[1], ys[1]), fill=draw(colour))
    strength = draw(st.sampled_from((0, 0, 8, 60)))
    if strength:
        grain = np.random.default_rng(width * height).integers(-strength, strength + 1, (height, width, 3))
        image = Image.fromarray((np.asarray(image, dtype=np.int16) + grain).clip(0, 255).astype(np.uint8))
    return image.filter(ImageFilter.GaussianBlur(draw(st.sampled_from((0, 0, 3)))))


@given(pictures())
@settings(max_examples=80, deadline=None)
def test_any_picture_gets_correct_english(image: Image.Image) -> None:
    text = caption_of(image)
    grammatical(text)
    assert 1 <= len(re.findall(r"\.(?: |$)", text)) <= 3
    grammatical(caption_of(image, prompt=Prompt(name="short")))


def test_the_same_picture_gets_the_same_words() -> None:
    first = [caption_of(noise(seed)) for seed in range(4)]
    assert first == [caption_of(noise(seed)) for seed in range(4)]


def photos(folder: Path) -> list[Path]:
    found = [
        p
        for name in ("photos-coco", "photos-cid22", "photos-skimage")
        for p in sorted((folder / name).rglob("*"))
    ]
    return [path for path in found if path.suffix in {".jpg", ".png"}]


def test_real_photos_get_captions_of_their_own_in_correct_english(shared_data: Path) -> None:
    async def ask_all() -> list[str]:
        captioner = Pixels(ocr=False)
        try:
            asked = [
                captioner.caption(Picture(Bytes(path.read_bytes(), str(path))), Prompt())
                for path in photos(shared_data)
            ]
            return [reply.text for reply in await asyncio.gather(*asked)]
        finally:
            await captioner.aclose()

    captions = asyncio.run(ask_all())
    assert len(captions) >= 100
    assert len(set(captions)) == len(captions)
    for caption in captions:
        grammatical(caption)
        assert 2 <= len(re.findall(r"\.(?: |$)", caption)) <= 3, caption


def test_works_beside_the_event_loop() -> None:
    """While big pictures are described, the loop keeps turning: no gap as long as one picture takes."""
    picture = encoded(noise(10, (2400, 1800)), "JPEG").data
    gaps: list[float] = []

    async def watch(stop: asyncio.Event) -> None:
        while not stop.is_set():
            before = time.perf_counter()
            await asyncio.sleep(0.002)
            gaps.append(time.perf_counter() - before)

    async def main() -> tuple[float, str]:
        captioner = Pixels(ocr=False)
        stop = asyncio.Event()
        watcher = asyncio.create_task(watch(stop))
        start = time.perf_counter()
        reply = await captioner.caption(Picture(Bytes(picture)), Prompt())
        seconds = time.perf_counter() - start
        stop.set()
        await watcher
        await captioner.aclose()
        return seconds, reply.text

    seconds, text = asyncio.run(main())
    assert text
    assert len(gaps) > 3, f"the loop turned only {len(gaps)} times in {seconds:.3f} s"


def test_closing_frees_the_threads() -> None:
    async def main() -> None:
        captioner = Pixels(ocr=False)
        await captioner.caption(encoded(noise(11)), Prompt())
        assert any(thread.name.startswith("pixels") for thread in threading.enumerate())
        await captioner.aclose()

    asyncio.run(main())
    deadline = time.monotonic() + 60
    while any(thread.name.startswith("pixels") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "threads are left"
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["pixels", "pixels:no-ocr"])
def test_text_is_read_only_on_request(name: str) -> None:
    made = Image.new("RGB", (640, 200), "white")
    ImageDraw.Draw(made).text((40, 60), "HARBOUR CAFE", "black", font=ImageFont.load_default(64))
    schema = {"type": "object", "properties": {"text": {"type": "string"}, "short": {"type": "string"}}}
    setting = [part for part in name.split(":")[1:] if part]
    captioner = Pixels(*setting)
    asyncio.run(captioner.open(print))
    reply = asyncio.run(captioner.caption(encoded(made), Prompt(schema=schema)))
    assert json.loads(reply.text).keys() == {"short"}
    assert (reply.model, reply.raw["text"]) == (name, "")
    assert captioner.profile.ignores(load_prompt("ocr"))
    with pytest.raises(ConfigError, match="does not read text; for the prompt ocr use the model pixels:ocr"):
        captioner.check_prompt(load_prompt("ocr"))
    asyncio.run(captioner.aclose())


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ConfigError, match="ocr, objects and no-ocr"):
        Pixels("quick")
