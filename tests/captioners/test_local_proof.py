"""Pixels become words: tiny trained models read drawn pictures that they never saw, through the program.

The models are in ``readers/``, with the script that made them. A wrong order of channels, a wrong
orientation, normalisation, place of the padding, prompt or trimming gives wrong words here; that it
would is shown by the tests that change one of these on purpose.
"""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
from readers.album import KINDS, make_album, make_changed
from readers.drawing import COLOUR, EXCHANGED, PLACE, QUESTIONS, Scene, some_scene, stored

from processes import cutline, cutline_here

for library in ("torch", "transformers"):
    pytest.importorskip(library, reason=f"local models need {library}, of the extra `local`")

# OpenVINO takes its models from torch in a way that torch no longer likes.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.:DeprecationWarning")

READERS = Path(__file__).parent / "readers"
BEGINNINGS = {"the colour is": COLOUR, "it is at the": PLACE}
DESCRIBE = QUESTIONS[0]
MAY_FAIL = ("--allow-failures", "1000")


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Models this small gain nothing from a second, and on a busy machine threads wait long for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def album(tmp_path_factory) -> tuple[Path, dict[str, Scene]]:
    folder = tmp_path_factory.mktemp("album")
    return folder, make_album(folder, of_each=5, seed=1)


@pytest.fixture(scope="module")
def alone(album, tmp_path_factory) -> dict[str, dict[str, str]]:
    """What each model says about the pictures of the album one by one, in float32."""
    folder, _ = album
    out = tmp_path_factory.mktemp("alone")
    return {
        kind: captions(folder, out / f"{kind}.jsonl", READERS / kind, "--batch-size", "1")
        for kind in ("llava", "blip")
    }


def captions(pictures, out, model, *options, dtype="float32", run=cutline_here) -> dict[str, str]:
    """By the picture's key; none is missing unless ``MAY_FAIL`` is among the options."""
    words = ("--model", f"hf:{model}", "--device", "cpu", "--dtype", dtype)
    done = run("caption", pictures, out, *words, *options)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    return {row["image_id"]: row["caption"] for row in rows}


def in_a_process(*words):
    return cutline(*words, env={"OMP_NUM_THREADS": "1"}, timeout=500)


def share_right(said: dict[str, str], wanted: dict[str, str]) -> float:
    """How many of the captions are right to the letter, from 0 to 1."""
    assert said.keys() <= wanted.keys()
    return sum(said.get(key) == answer for key, answer in wanted.items()) / len(wanted)


@pytest.mark.parametrize("kind", ["llava", "blip"])
def test_what_is_drawn_is_said(album, alone, kind):
    _, scenes = album
    said, wanted = alone[kind], {name: scene.answer(DESCRIBE) for name, scene in scenes.items()}
    assert share_right(said, wanted) >= 0.95
    for file in KINDS:  # none of them may hide behind the others
        names = [name for name in wanted if name.rsplit("_", 1)[0] == file]
        right = sum(said[name] == wanted[name] for name in names)
        assert right >= len(names) - 2, f"{file}: {right} of {len(names)}"


@pytest.mark.parametrize("kind", ["llava", "blip"])
def test_a_batch_says_what_each_picture_says_alone(album, alone, kind, tmp_path):
    folder, _ = album
    together = captions(folder, tmp_path / "out.jsonl", READERS / kind, "--batch-size", "8")
    assert together == alone[kind]


@pytest.mark.parametrize("kind", ["llava", "blip"])
def test_fewer_digits_say_the_same(album, kind, tmp_path):
    """In bfloat16, by the program as a process of its own, with no other option."""
    folder, scenes = album
    said = captions(folder, tmp_path / "out.jsonl", READERS / kind, dtype="bfloat16", run=in_a_process)
    assert share_right(said, {name: scene.answer(DESCRIBE) for name, scene in scenes.items()}) >= 0.95


@pytest.fixture
def asked(album, tmp_path) -> tuple[Path, dict[str, str]]:
    """A table with another question for each picture in turn, and the right answers."""
    _, scenes = album
    rows, answers = [], {}
    for number, (name, scene) in enumerate(scenes.items()):
        question = QUESTIONS[number % len(QUESTIONS)]
        rows.append({"image": name, "question": question})
        answers[name] = scene.answer(question)
    table = tmp_path / "questions.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return table, answers


def test_each_question_of_a_batch_has_its_answer(album, asked, tmp_path):
    """Questions of different lengths side by side: only with the padding on the left are all answered."""
    table, answers = asked
    options = ("--prompt", "{question}", "--batch-size", "8", "--image-root", str(album[0]))
    said = captions(table, tmp_path / "out.jsonl", READERS / "llava", *options)
    assert share_right(said, answers) >= 0.95


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_a_beginning_is_gone_on_with(album, beginning, tmp_path):
    folder, scenes = album
    said = captions(
        folder, tmp_path / "out.jsonl", READERS / "blip", "--prompt", beginning, "--batch-size", "8"
    )
    wanted = {name: f"{beginning} {scene.answer(BEGINNINGS[beginning])}" for name, scene in scenes.items()}
    assert share_right(said, wanted) >= 0.95


# What follows shows that the tests above can fail.


@pytest.mark.parametrize("kind", ["llava", "blip"])
def test_channels_in_another_order_are_other_colours(kind, tmp_path):
    dice = random.Random(2)
    scenes = [some_scene(dice, colours=tuple(EXCHANGED)) for _ in range(60)]
    pictures = make_changed(tmp_path / "pictures", scenes, lambda _, pixels: pixels[..., ::-1], seed=3)
    said = captions(pictures, tmp_path / "out.jsonl", READERS / kind, "--batch-size", "8")
    assert share_right(said, numbered(scenes)) == 0
    assert share_right(said, numbered(scene.exchanged() for scene in scenes)) >= 0.95


@pytest.mark.parametrize("kind", ["llava", "blip"])
def test_pixels_without_their_tag_are_at_other_places(kind, tmp_path):
    dice = random.Random(4)
    turns = [2 + number % 7 for number in range(70)]
    scenes = [some_scene(dice, things=2) for _ in turns]
    pictures = make_changed(
        tmp_path / "pictures", scenes, lambda number, pixels: stored(pixels, turns[number]), seed=5
    )
    said = captions(pictures, tmp_path / "out.jsonl", READERS / kind, "--batch-size", "8")
    assert share_right(said, numbered(scenes)) <= 0.15
    as_stored = (scene.turned(turn) for scene, turn in zip(scenes, turns, strict=True))
    assert share_right(said, numbered(as_stored)) >= 0.95


def numbered(scenes) -> dict[str, str]:
    return {f"{number:03}.jpg": scene.answer(DESCRIBE) for number, scene in enumerate(scenes)}


WRONG_NUMBERS = {
    "from 0 to 1": {"do_normalize": False},
    "from 0 to 255": {"do_rescale": False},
    "of another spread": {"image_mean": [0.5] * 3, "image_std": [1.0] * 3},
}


@pytest.mark.parametrize("wrong", WRONG_NUMBERS)
@pytest.mark.parametrize("kind", ["llava", "blip"])
def test_pixels_in_other_numbers_are_misread(album, kind, wrong, tmp_path):
    folder, scenes = album
    model = shutil.copytree(READERS / kind, tmp_path / "model")
    path = model / "processor_config.json"
    config = json.loads(path.read_text("utf-8"))
    config["image_processor"] |= WRONG_NUMBERS[wrong]
    path.write_text(json.dumps(config), "utf-8")
    said = captions(folder, tmp_path / "out.jsonl", model, "--batch-size", "8", *MAY_FAIL)
    assert share_right(said, {name: scene.answer(DESCRIBE) for name, scene in scenes.items()}) <= 0.7


def test_a_question_that_does_not_arrive_is_not_answered(album, asked, tmp_path):
    table, answers = asked
    model = shutil.copytree(READERS / "llava", tmp_path / "model")
    chat = model / "chat_template.jinja"
    chat.write_text(chat.read_text("utf-8").replace("{{ part['text'] }}", ""), "utf-8")
    options = ("--prompt", "{question}", "--batch-size", "8", "--image-root", str(album[0]))
    said = captions(table, tmp_path / "out.jsonl", model, *options, *MAY_FAIL)
    assert share_right(said, answers) <= 0.5
