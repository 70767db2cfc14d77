"""Vectors by CLIP and SigLIP are those of transformers itself, whatever the batch."""

from __future__ import annotations

import concurrent.futures
import functools
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image, ImageDraw

from cutline.errors import ConfigError, MissingExtra

torch = pytest.importorskip("torch", reason="needs the extra local")
pytest.importorskip("transformers", reason="needs the extra local")

from transformers import AutoModel, AutoProcessor  # noqa: E402

from cutline.encoders.clip import Clip  # noqa: E402
from tiny_clip import save_clip, save_siglip  # noqa: E402

TEXTS = ["a red dog", "the street, and then the sky over it", "ok", "dog", "reading in the long grass"]


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory):
    return save_siglip(tmp_path_factory.mktemp("siglip"))


@pytest.fixture(params=["clip", "siglip"])
def folder(request):
    return request.getfixturevalue(f"{request.param}_folder")


def pictures():
    images = []
    for number, colour in enumerate(("crimson", "seagreen", "royalblue", "gold", "orchid")):
        image = Image.new("RGB", (60 + 20 * number, 90 - 10 * number), colour)
        ImageDraw.Draw(image).ellipse((5, 5, 20 + 5 * number, 40), fill="black")
        images.append(image)
    return images


def unit(features):
    vectors = features.pooler_output.numpy()
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@functools.cache
def loaded(folder):
    return AutoModel.from_pretrained(folder).eval(), AutoProcessor.from_pretrained(folder)


def by_transformers(folder, image=None, text=None, **how):
    """The vector of one picture or text alone, by the library's own calls."""
    model, processor = loaded(folder)
    with torch.inference_mode():
        if image is not None:
            return unit(model.get_image_features(**processor(images=image, return_tensors="pt")))[0]
        inputs = processor.tokenizer([text], return_tensors="pt", **how)
        return unit(model.get_text_features(**inputs))[0]


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_vectors_are_those_of_the_library_one_by_one(folder, batch_size):
    encoder = Clip(str(folder), device="cpu", batch_size=batch_size)
    how = {"padding": "max_length", "max_length": 64, "truncation": True} if encoder.max_tokens == 64 else {}
    seen, read = encoder.pictures(pictures()), encoder.texts(TEXTS)
    assert seen.dtype == read.dtype == np.float32
    assert seen.shape == read.shape == (5, encoder.dimensions)
    for vector, image in zip(seen, pictures(), strict=True):
        np.testing.assert_allclose(vector, by_transformers(folder, image), atol=2e-6)
    for vector, text in zip(read, TEXTS, strict=True):
        np.testing.assert_allclose(vector, by_transformers(folder, text=text, **how), atol=2e-6)


def test_different_pictures_and_texts_have_different_vectors(folder):
    encoder = Clip(str(folder), device="cpu")
    for vectors in (encoder.pictures(pictures()), encoder.texts(TEXTS)):
        cosines = vectors @ vectors.T
        np.testing.assert_allclose(np.diag(cosines), 1, atol=1e-6)
        assert cosines[~np.eye(5, dtype=bool)].max() < 0.999


def test_nothing_to_encode_has_the_shape_of_nothing(clip_folder):
    encoder = Clip(str(clip_folder), device="cpu")
    assert encoder.pictures([]).shape == encoder.texts([]).shape == (0, 24)


def test_of_a_long_text_the_beginning_counts(clip_folder):
    encoder = Clip(str(clip_folder), device="cpu")
    long = "dog " * 200
    assert encoder.count_tokens(long) == 202
    assert encoder.count_tokens("dog") == 3
    whole, start, other = encoder.texts([long, "dog " * 75, "dog " * 74])
    np.testing.assert_allclose(whole, start, atol=1e-6)
    assert abs(start - other).max() > 1e-4


def test_threads_may_share_an_encoder(clip_folder):
    encoder = Clip(str(clip_folder), device="cpu", batch_size=2)
    expected = encoder.texts(TEXTS), encoder.pictures(pictures())
    fresh = Clip(str(clip_folder), device="cpu", batch_size=2)
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        done = [(pool.submit(fresh.texts, TEXTS), pool.submit(fresh.pictures, pictures())) for _ in range(8)]
        for read, seen in done:
            np.testing.assert_allclose(read.result(), expected[0], atol=1e-6)
            np.testing.assert_allclose(seen.result(), expected[1], atol=1e-6)


def test_a_very_long_picture_takes_no_more_memory_than_its_middle(clip_folder):
    encoder = Clip(str(clip_folder), device="cpu")
    image = Image.new("RGB", (60_000, 2), "navy")
    image.paste("red", (29_998, 0, 30_002, 2))  # made 32 pixels high, it would be 960,000 long
    middle = image.crop((29_996, 0, 30_004, 2))
    np.testing.assert_allclose(*(encoder.pictures([one])[0] for one in (image, middle)), atol=1e-6)


def test_a_batch_that_does_not_fit_is_split(clip_folder):
    encoder = Clip(str(clip_folder), device="cpu")
    expected = encoder.texts(TEXTS)
    sizes = []

    def little_memory(module, args, inputs):
        sizes.append(len(inputs["input_ids"]))
        if sizes[-1] > room:
            raise RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory")

    encoder._model().network.text_model.register_forward_pre_hook(little_memory, with_kwargs=True)
    room = 2
    np.testing.assert_allclose(encoder.texts(TEXTS), expected, atol=2e-6)
    assert max(sizes) == 5
    room = 0
    with pytest.raises(MemoryError, match="needs more memory than is available"):
        encoder.texts(TEXTS)


def test_other_faults_are_not_taken_for_a_lack_of_memory(clip_folder):
    encoder = Clip(str(clip_folder), device="cpu")

    def fail(*_):
        raise RuntimeError("something else")

    encoder._model().network.text_model.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="something else"):
        encoder.texts(["a"])


def cannot_be_loaded(name):
    with pytest.raises(ConfigError) as caught:
        Clip(str(name), device="cpu").load()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_cannot_be_loaded_is_said_in_a_line(tmp_path, clip_folder):
    assert "does not exist" in cannot_be_loaded(tmp_path / "nothing")
    assert "config.json" in cannot_be_loaded(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    assert "of type bert, not a CLIP or SigLIP" in cannot_be_loaded(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in clip_folder.iterdir():
        (broken / file.name).write_bytes(file.read_bytes()[: 200 if file.suffix == ".safetensors" else None])
    assert "cannot be loaded" in cannot_be_loaded(broken)
    (broken / "model.safetensors").unlink()
    assert "cannot be loaded" in cannot_be_loaded(broken)


def test_weights_that_lack_a_part_are_not_filled_with_random_numbers(tmp_path, clip_folder):
    from safetensors.torch import load_file, save_file

    shutil.copytree(clip_folder, tmp_path, dirs_exist_ok=True)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["text_projection.weight"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    assert "text_projection.weight is missing" in cannot_be_loaded(tmp_path)


def test_a_hub_that_cannot_be_reached_is_said_in_a_line():
    code = """
from cutline.encoders.clip import Clip
from cutline.errors import ConfigError
try:
    Clip("nobody/no-such-clip", device="cpu").load()
except ConfigError as error:
    print(error)
"""
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=offline, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("nobody/no-such-clip is not on this machine")
    assert done.stdout.count("\n") == 1


def test_without_the_extra_its_name_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install 'cutline\[local\]'"):
        Clip("openai/clip-vit-base-patch32")
