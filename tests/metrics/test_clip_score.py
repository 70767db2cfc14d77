"""CLIPScore and RefCLIPScore are those of their paper, computed here from the model's own vectors."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the extra local")
pytest.importorskip("transformers", reason="needs the extra local")

from PIL import Image

from cutline.encoders.clip import Clip
from cutline.metrics.clip_score import ClipScore
from cutline.metrics.coco_tokenizer import corpus_of
from cutline.text.corpus import ImageFiles
from tiny_clip import save_clip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder / "clip")
    for name, colour in (("a", "crimson"), ("b", "navy")):
        Image.new("RGB", (40, 30), colour).save(folder / f"{name}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    return folder


def scored(folder, captions, references, keys):
    said = []
    paths = {key: str(folder / f"{key}.png") for key in keys if key != "none"}
    images = ImageFiles(paths=paths, model=str(folder / "clip"), device="cpu", message=said.append)
    return ClipScore(images=images).scores(corpus_of(captions, references, keys)), said


def test_it_is_two_and_a_half_times_the_cosine_with_the_prefix(folder):
    captions, references = ["a red dog", "the sea"], [["red", "a dog"], ["blue water"]]
    (score, with_references), said = scored(folder, captions, references, ["a", "b"])
    clip = Clip(str(folder / "clip"), device="cpu")
    for place, key in enumerate(("a", "b")):
        picture = clip.pictures([Image.open(folder / f"{key}.png")])[0]
        caption, *others = clip.texts(
            [f"A photo depicts {text}" for text in (captions[place], *references[place])]
        )
        expected = 2.5 * max(float(caption @ picture), 0)
        assert score.by_caption[place] == pytest.approx(expected, abs=1e-5)
        nearest = max(0.0, *(float(caption @ other) for other in others))
        harmonic = 2 * expected * nearest / (expected + nearest) if expected + nearest else 0
        assert with_references.by_caption[place] == pytest.approx(harmonic, abs=1e-5)
    assert said == []


def test_pictures_are_scaled_as_by_transformers_alone(folder):
    import torch
    from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizerFast

    path = folder / "noise.png"
    Image.effect_noise((240, 170), 90).convert("RGB").save(path)
    (score, _), _ = scored(folder, ["a red dog"], [["a cat"]], ["noise"])
    model = CLIPModel.from_pretrained(folder / "clip").eval()
    tokens = CLIPTokenizerFast.from_pretrained(folder / "clip")(
        "A photo depicts a red dog", return_tensors="pt"
    )
    pixels = CLIPImageProcessor.from_pretrained(folder / "clip")(
        images=Image.open(path).convert("RGB"), return_tensors="pt"
    )
    with torch.no_grad():
        text = model.get_text_features(**tokens).pooler_output
        picture = model.get_image_features(**pixels).pooler_output
    expected = 2.5 * max(float(torch.nn.functional.cosine_similarity(text, picture)), 0)
    assert score.by_caption[0] == pytest.approx(expected, abs=1e-5)


def test_a_long_caption_is_scored_by_its_sentences_and_that_is_told(folder):
    parts = ["the red dog is in the house and the cat", "the cat is on the wall", "it rains"] * 4
    (score,), said = scored(folder, [". ".join(part.capitalize() for part in parts) + "."], [[]], ["a"])
    assert 0 <= score.value <= 2.5
    assert len(said) == 1
    assert said[0].startswith("1 captions are longer than")


def test_pictures_that_are_missing_or_broken_have_no_score(folder):
    (score, _), _ = scored(folder, ["a dog"] * 3, [["a cat"]] * 3, ["a", "broken", "none"])
    assert np.isnan(score.by_caption).tolist() == [False, True, True]
    assert score.value == pytest.approx(score.by_caption[0])


def test_an_empty_caption_scores_0(folder):
    (score, with_references), _ = scored(folder, ["", "a dog"], [["a cat"], ["a cat"]], ["a", "b"])
    assert (score.by_caption[0], with_references.by_caption[0]) == (0, 0)


def by_the_paper(folder, captions, references, keys):
    """CLIPScore and RefCLIPScore as the paper writes them, from the vectors of transformers alone."""
    import torch
    from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizerFast

    model = CLIPModel.from_pretrained(folder / "clip").eval()
    tokenizer = CLIPTokenizerFast.from_pretrained(folder / "clip")
    processor = CLIPImageProcessor.from_pretrained(folder / "clip")

    def unit(vectors):
        return torch.nn.functional.normalize(vectors.pooler_output.double(), dim=-1)

    def of_text(text):
        return unit(model.get_text_features(**tokenizer(f"A photo depicts {text}", return_tensors="pt")))

    cosines, found = [], []
    with torch.no_grad():
        for caption, others, key in zip(captions, references, keys, strict=True):
            pixels = processor(images=Image.open(folder / f"{key}.png").convert("RGB"), return_tensors="pt")
            own = of_text(caption)
            cosines.append(float(own @ unit(model.get_image_features(**pixels)).T))
            score = 2.5 * max(cosines[-1], 0)
            nearest = max(0, *(float(own @ of_text(other).T) for other in others))
            found.append((score, 2 / (1 / score + 1 / nearest) if score and nearest else 0))
    return cosines, found


def test_both_scores_are_those_of_the_paper_for_many_pictures_and_for_all(folder):
    words = ["the red dog", "an ant in the sea", "rain", "a cat and a red car", "nothing at all", "the end"]
    keys = [f"noise{number}" for number in range(12)]
    for number, key in enumerate(keys):
        random = np.random.default_rng(number)
        pixels = random.integers(0, 256, (20 + number, 30, 3)) // (1 + number % 3)
        Image.fromarray(pixels.astype(np.uint8)).resize((90, 80)).save(folder / f"{key}.png")
    captions = [f"{words[number % 6]} {number}" for number in range(12)]
    references = [[words[(number + step) % 6] for step in range(1, 2 + number % 4)] for number in range(12)]
    scores, _ = scored(folder, captions, references, keys)
    cosines, expected = by_the_paper(folder, captions, references, keys)
    assert min(cosines) < 0 < max(cosines), "there are pictures of both kinds"
    for score, column in zip(scores, zip(*expected, strict=True), strict=True):
        assert score.by_caption == pytest.approx(column, abs=1e-5)
        assert score.value == pytest.approx(np.mean(column), abs=1e-5)
