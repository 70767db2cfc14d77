"""Every registered metric keeps the contract; a new one is a row of ``CASES``."""

from __future__ import annotations

import importlib.util
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cutline import registry
from cutline.metrics.coco_tokenizer import corpus_of
from cutline.metrics.intervals import intervals, paired_tests
from cutline.text.corpus import ImageFiles, ObjectLists

# The score of a caption equal to its reference, and the packages without which a metric is left out.
CASES = {
    "bleu": ({"BLEU-1": 1, "BLEU-2": 1, "BLEU-3": 1, "BLEU-4": 1}, ()),
    "rouge-l": ({"ROUGE-L": 1}, ()),
    "meteor": ({"METEOR": 1}, ("pycocoevalcap", "snowballstemmer")),
    "cider-d": ({"CIDEr-D": 10}, ()),
    "length": ({"length": None}, ()),
    "clipscore": ({"CLIPScore": None, "RefCLIPScore": None}, ("torch", "transformers")),
    "chair": ({"CHAIR-i": 0, "CHAIR-s": 0}, ()),
    "distinct": ({"distinct-1": None, "distinct-2": None}, ()),
    "repetition": ({"repetition": 0}, ()),
}
OF_PICTURES = {"similarity"}
WORDS = (
    "a",
    "red",
    "dog",
    "runs",
    "on",
    "the",
    "grass",
    "with",
    "its",
    "ball",
    "Mr.",
    "don't",
    "running",
    "hound",
)

texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)
items = st.lists(st.tuples(texts, st.lists(texts, min_size=1, max_size=3)), min_size=2, max_size=5)


def test_every_metric_has_a_row_here_and_in_the_pages():
    assert set(CASES) | OF_PICTURES == set(registry.names("metrics"))
    page = (Path(__file__).parents[2] / "docs/evaluation.md").read_text("utf-8")
    assert [name for name in CASES if f"| `{name}` |" not in page] == []


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Pictures for all captions and a tiny CLIP; None without the extra."""
    if not all(map(importlib.util.find_spec, CASES["clipscore"][1])):
        return None
    from tiny_clip import save_clip

    folder = tmp_path_factory.mktemp("images")
    paths = {}
    for number in range(30):
        Image.new("RGB", (40, 30), (8 * number, 90, 200 - number)).save(folder / f"{number}.png")
        paths[str(number)] = str(folder / f"{number}.png")
    return ImageFiles(paths=paths, model=str(save_clip(folder / "clip")), device="cpu")


@pytest.fixture(params=sorted(CASES))
def metric(request, images):
    for package in CASES[request.param][1]:
        pytest.importorskip(package, reason="needs an extra")
    objects = ObjectLists(words={"dog": ["hound"], "cat": [], "train station": []}, pictures={"0": ["dog"]})
    made = registry.load("metrics", request.param)
    given = {"objects": objects, "images": images}
    return made(**{need: given[need] for need in made.needs if need in given})


def measured(metric, rows):
    captions, references = zip(*rows, strict=True)
    return metric.scores(corpus_of(list(captions), list(references), [str(at) for at in range(len(rows))]))


CAPTIONS = [
    ("a red dog runs on the grass", ["the red dog runs on grass with its ball", "a hound is running"]),
    ("two cats sleep in a box", ["two cats sleep in a box"]),
    ("", ["a bird"]),
    ("\u2028||| \0😀", ["a train at the station"]),
    ("a bus. " * 40, ["a bus"]),
]


def test_it_scores_each_caption_and_all_of_them(metric):
    scores = measured(metric, CAPTIONS)
    assert {score.name for score in scores} == set(CASES[metric.name][0])
    assert re.fullmatch(r"[a-z][a-z0-9-]*", metric.name)
    assert metric.__doc__
    for score in scores:
        assert score.meaning.endswith(".")
        assert not score.reason
        assert len(score.by_caption) == len(score.statistics) == len(CAPTIONS)
        assert math.isfinite(score.value)
        again = score.total(score.statistics.sum(axis=0, keepdims=True))
        assert again == pytest.approx(score.value)
        assert len(score.total(np.ones((7, score.statistics.shape[1])))) == 7


def test_an_equal_caption_scores_highest(metric):
    for score in measured(metric, [(references[0], references) for _, references in CAPTIONS]):
        expected = CASES[metric.name][0][score.name]
        if expected is not None:
            assert score.by_caption[1] == pytest.approx(expected, abs=1e-6)


def test_metrics_against_references_cite_their_paper(metric):
    if metric.needs:
        assert re.search(r"Source: .+(19|20)\d\d", " ".join(metric.__doc__.split()))


def test_intervals_contain_the_value_and_are_the_same_each_time(metric):
    rows = CAPTIONS * 6
    scores = measured(metric, rows)
    found = intervals(scores)
    assert found == intervals(measured(metric, rows))
    for score, interval in zip(scores, found, strict=True):
        if score.drawn:
            low, high = interval
            assert low <= score.value <= high
        else:
            assert interval is None
    assert all(test is None or test.difference == 0 for test in paired_tests(scores, scores))


def values(scores):
    return {score.name: (score.value, score.by_caption) for score in scores}


@given(items=items, data=st.data())
@settings(max_examples=25)
@pytest.mark.parametrize("name", ["bleu", "rouge-l", "cider-d", "length"])
def test_the_order_of_references_and_pictures_changes_nothing(name, items, data):
    metric = registry.load("metrics", name)()
    order = data.draw(st.permutations(range(len(items))))
    shuffled = [(items[at][0], data.draw(st.permutations(items[at][1]))) for at in order]
    before, after = values(measured(metric, items)), values(measured(metric, shuffled))
    for score, (value, each) in before.items():
        assert after[score][0] == pytest.approx(value, abs=1e-9)
        assert after[score][1] == pytest.approx(each[list(order)], abs=1e-9)


@given(items=items)
@settings(max_examples=25)
@pytest.mark.parametrize("name", ["bleu", "rouge-l", "cider-d", "meteor"])
def test_no_caption_scores_higher_than_the_reference_itself(name, items):
    for package in CASES[name][1]:
        pytest.importorskip(package, reason="needs the extra metrics")
    metric = registry.load("metrics", name)()
    ours = values(measured(metric, [(caption, [references[0]]) for caption, references in items]))
    best = values(measured(metric, [(references[0], [references[0]]) for _, references in items]))
    for score, (_, each) in ours.items():
        assert (each <= best[score][1] + 1e-9).all()
        assert (each >= 0).all()


@given(items=items, data=st.data())
@settings(max_examples=15)
def test_the_order_of_pictures_changes_no_meteor(items, data):
    pytest.importorskip("pycocoevalcap", reason="needs the extra metrics")
    metric = registry.load("metrics", "meteor")()
    order = list(data.draw(st.permutations(range(len(items)))))
    before = measured(metric, items)[0]
    after = measured(metric, [items[at] for at in order])[0]
    assert after.value == pytest.approx(before.value, abs=1e-9)
    assert after.by_caption == pytest.approx(before.by_caption[order], abs=1e-9)
