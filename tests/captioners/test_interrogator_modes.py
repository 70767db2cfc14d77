"""The four modes give the words that the package clip-interrogator gives, with the same weights."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from PIL import Image, ImageDraw

torch = pytest.importorskip("torch", reason="needs the extra local")
pytest.importorskip("transformers", reason="needs the extra local")

from cutline.captioners.interrogator.labels import read_labels  # noqa: E402
from cutline.captioners.interrogator.modes import Modes, Table  # noqa: E402
from cutline.encoders.clip import Clip  # noqa: E402
from tiny_clip import save_clip  # noqa: E402

CAPTION = "two dogs in the grass"
CAPTIONS = (CAPTION, "a photo", "the tall man reading on the left side of the long grey street", "dog")
WORDS = {
    "artists": "Ada Red|Bo Grey|Cy Long|Di Moor|Ed Thane|Fay Ring",
    "flavors": "sharp|in the rain|red and grey|dim light|hazy|on film|grainy|the golden hour|bold|flat|soft|noir|"
    "wide angle|macro|low key|high key|glowing|ornate|rough|handmade|vivid|calm",
    "mediums": "a photo|a drawing|an etching|two dogs",
    "movements": "cubism|realism|dada",
    "negative": "blurry|cropped|grid|ugly",
}


def write_labels(folder, words):
    folder.mkdir(exist_ok=True)
    for name, labels in words.items():
        (folder / f"{name}.txt").write_text("\n".join(labels.split("|")) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    return [save_clip(tmp_path_factory.mktemp("clip"), seed=seed) for seed in range(2)]


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return write_labels(tmp_path_factory.mktemp("labels"), WORDS)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "label-vectors"))


def pictures():
    images = []
    for number, colour in enumerate(("crimson", "seagreen", "royalblue", "gold")):
        image = Image.new("RGB", (60 + 10 * number, 64), colour)
        ImageDraw.Draw(image).ellipse((5, 5, 20 + 9 * number, 40), fill="white")
        images.append(image)
    return images


def ours(folder, labels, **options):
    clip = Clip(str(folder), device="cpu")
    made = Modes(clip, read_labels(str(labels)), lambda line: None, **options)
    return clip, lambda mode, image, caption: made.run(mode, clip.pictures([image])[0], caption)


needs_original = pytest.mark.skipif(
    importlib.util.find_spec("clip_interrogator") is None, reason="needs the package clip-interrogator"
)


@needs_original
@pytest.mark.parametrize("mode", ["best", "fast", "classic", "negative"])
def test_the_words_are_those_of_the_original(clips, labels, mode):
    from original_interrogator import original

    found = []
    for folder in clips:
        _, run = ours(folder, labels)
        theirs = original(folder, labels)
        for image, caption in zip(pictures(), CAPTIONS, strict=True):
            words = run(mode, image, caption)
            assert words == theirs(mode, image, caption)
            found.append(words)
    assert len(set(found)) > 4  # so that the pictures and the weights did decide


@needs_original
@pytest.mark.parametrize("mode", ["best", "negative"])
def test_the_candidates_of_a_long_list_are_those_of_the_original(clips, labels, mode):
    from original_interrogator import original

    theirs = original(clips[0], labels)
    theirs._made.config.flavor_intermediate_count = 12
    _, run = ours(clips[0], labels, candidates=12)
    for image in pictures():
        assert run(mode, image, CAPTION) == theirs(mode, image, CAPTION)


@needs_original
def test_the_package_has_the_labels_that_it_is_known_for():
    own = read_labels(None)
    assert (len(own.artists), len(own.mediums), len(own.movements), len(own.trendings)) == (
        10530,
        95,
        200,
        72,
    )
    assert len(own.flavors) > 100_000
    assert own.artists[0] == "by A. B. Jackson"
    assert own.artists[5265] == "inspired by A. B. Jackson"
    assert "trending on Artstation" in own.trendings
    assert "blur" in own.negative


@pytest.mark.parametrize("number", range(4))
def test_the_best_words_are_no_less_similar_than_the_others(clips, labels, number):
    clip, run = ours(clips[0], labels)
    image = pictures()[number]
    vector = clip.pictures([image])[0]
    score = {
        mode: (clip.texts([run(mode, image, CAPTION)]) @ vector)[0] for mode in ("best", "fast", "classic")
    }
    assert score["best"] >= max(score["fast"], score["classic"], (clip.texts([CAPTION]) @ vector)[0]) - 1e-6


def test_fast_adds_labels_from_the_most_similar_on(clips, labels):
    clip, run = ours(clips[0], labels)
    image = pictures()[0]
    words = run("fast", image, CAPTION).split(", ")
    assert words[0] == CAPTION
    assert len(words) > 2
    scores = clip.texts(words[1:]) @ clip.pictures([image])[0]
    assert np.all(np.diff(scores) <= 1e-3)
    assert clip.count_tokens(", ".join(words)) <= 77 + 1


def test_labels_rank_by_similarity_and_the_first_of_equals_comes_first():
    table = Table(["a", "b", "c", "d"], np.array([[0.1, 0], [0.9, 0], [0.9, 0], [-1, 0]], np.float32))
    picture = np.array([1, 0], np.float32)
    assert table.rank(picture, 3) == ["b", "c", "a"]
    assert table.rank(picture, 2, reverse=True) == ["d", "a"]
    assert table.rank(picture, 9) == ["b", "c", "a", "d"]


def test_a_chain_ends_when_it_has_no_more_labels(clips, tmp_path):
    few = write_labels(tmp_path / "few", dict.fromkeys(WORDS, "red"))
    _, run = ours(clips[0], few)
    for mode in ("best", "negative"):
        assert "red" in run(mode, pictures()[0], "red")
