"""``pixels:objects`` names what it is sure of, in plain words, and nothing else."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from cutline.captioners.pixels import Pixels
from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.locations.stored import LocalFile
from cutline.prompts import Prompt
from processes import environment

if importlib.util.find_spec("efficientnet_lite_pytorch") is None:
    pytest.skip("needs the extra objects", allow_module_level=True)

WORDS = Path(__file__).parents[2] / "src/cutline/captioners/pixels/objects.txt"


def replies(captioner, files, prompt=None):
    async def caption_all():
        return [await captioner.caption(Picture(LocalFile(str(file))), prompt or Prompt()) for file in files]

    return asyncio.run(caption_all())


@pytest.fixture(scope="module")
def objects():
    captioner = Pixels("objects")
    asyncio.run(captioner.open())
    yield captioner
    asyncio.run(captioner.aclose())


@pytest.fixture(scope="module")
def photos(shared_data):
    folder = shared_data / "photos-coco"
    rows = [json.loads(line) for line in (folder / "captions.jsonl").read_text().splitlines()]
    return [(folder / row["file"], " ".join(row["captions"]).lower()) for row in rows]


@pytest.fixture(scope="module")
def captioned(photos, objects):
    return replies(objects, [file for file, _ in photos])


def test_what_is_named_is_what_people_name(photos, captioned):
    named = []
    for (file, captions), reply in zip(photos, captioned, strict=True):
        found = re.search(r", showing (?:an? )?([a-z -]+?)\. ", reply.text)
        sure = [each["name"] for each in reply.raw["objects"] if each["probability"] >= 0.65]
        assert [found[1]] == sure if found else sure == []
        if found:
            named.append((file.name, found[1], any(word in captions for word in found[1].split())))
    wrong = [each for each in named if not each[2]]
    print(f"named {len(named)} of {len(photos)} photos, {len(wrong)} not as people do: {wrong}")
    assert len(named) >= 10
    assert len(wrong) <= 1


def test_what_is_not_sure_changes_nothing(photos, captioned):
    plain = replies(Pixels(), [file for file, _ in photos[:12]])
    for reply, other in zip(captioned[:12], plain, strict=True):
        assert re.sub(r", showing [a-z -]+(?=\.)", "", reply.text) == other.text
        assert "objects" not in other.raw
        assert {**reply.raw, "objects": 0} == {**other.raw, "objects": 0}
    assert reply.model == "pixels:objects"


def test_the_name_is_in_every_form(photos, objects):
    bus = next(file for file, captions in photos if "green and white bus" in captions)
    (tags,) = replies(objects, [bus], Prompt(name="tags"))
    assert tags.text.startswith("bus, photograph, ")
    (short,) = replies(objects, [bus], Prompt(name="short"))
    assert short.text.endswith(", showing a bus.")


def test_drawings_and_noise_show_nothing(tmp_path, objects):
    drawing = Image.new("RGB", (400, 300), "white")
    ImageDraw.Draw(drawing).ellipse((60, 60, 340, 240), fill="orange")
    drawing.save(tmp_path / "drawing.png")
    Image.effect_noise((400, 300), 80).convert("RGB").save(tmp_path / "noise.png")
    Image.new("RGB", (1, 1)).save(tmp_path / "dot.png")
    for reply in replies(objects, sorted(tmp_path.glob("*.png"))):
        assert "showing" not in reply.text


def test_settings_go_together_and_others_are_refused():
    if importlib.util.find_spec("rapidocr") and importlib.util.find_spec("onnxruntime"):
        assert Pixels("ocr,objects").name == "pixels:ocr,objects"
    with pytest.raises(
        ConfigError, match=r"no setting 'object', did you mean objects.*it has ocr, objects and"
    ):
        Pixels("object")


def test_a_class_has_one_word_at_most():
    lines = [line for line in WORDS.read_text().splitlines() if not line.startswith("#")]
    words = [line.partition(": ")[0] for line in lines]
    assert len(set(words)) == len(words) > 200
    ranges = [each.split("-") for line in lines for each in line.partition(": ")[2].split(", ")]
    classes = Counter(
        number for first, *last in ranges for number in range(int(first), int((last or [first])[0]) + 1)
    )
    assert set(classes.values()) == {1}
    assert set(classes) <= set(range(1000))


def test_the_missing_extra_is_named(tmp_path):
    Image.new("RGB", (40, 40)).save(tmp_path / "a.png")
    code = (
        "import sys; sys.modules['torch'] = None; from cutline.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", code, "caption", "a.png", "out.jsonl", "--model", "pixels:objects"]
    ran = subprocess.run(
        command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "recognising objects needs an extra: " in ran.stderr
    assert "cutline[objects]" in ran.stderr
    assert "Traceback" not in ran.stderr
