"""What OpenVINO and oneDNN compute on a CPU: the same words as transformers alone, only sooner."""

from __future__ import annotations

import asyncio
import importlib.util
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra local is not installed")
pytest.importorskip("transformers", reason="the extra local is not installed")

import torch
import transformers
from local_pictures import encoded, picture
from tiny_families import FAMILIES, Zoo

from cutline import registry
from cutline.captioners.transformers import model_loader, onednn, vision_openvino
from cutline.captioners.transformers.acceleration import accelerate
from cutline.captioners.transformers.generation import generate, generation_config
from cutline.captioners.transformers.inputs import GenerationRequest
from cutline.captioners.transformers.settings import Generation
from cutline.imaging import Picture
from cutline.locations.stored import InlineBytes
from cutline.weights import choose_hardware

# The library warns of its own future; what it does now is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

COUNT = 5


def captions(name: str, folder: Path, said: list[str] | None = None, **options: Any) -> list[str]:
    """Of drawn pictures, asked all at once through the captioner."""

    async def all_of_them() -> list[str]:
        captioner = registry.load("captioners", name)(str(folder), **{"device": "cpu", **options})
        try:
            await captioner.open(said.append if said is not None else lambda _: None)
            calls = [
                captioner.caption(
                    Picture(InlineBytes(encoded(number), "p")), captioner.profile.default_prompt
                )
                for number in range(COUNT)
            ]
            return [reply.text for reply in await asyncio.gather(*calls)]
        finally:
            await captioner.aclose()

    return asyncio.run(all_of_them())


def answers(loaded: model_loader.LoadedModel, name: str) -> list[str]:
    """Of the same pictures, one at a time, from a model that is held directly."""
    family = registry.load("captioners", name)
    config = generation_config(loaded, Generation())
    return [
        generate(
            loaded, family, [GenerationRequest(image=picture(number), prompt=family.default_prompt)], config
        )[0].text
        for number in range(COUNT)
    ]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Models this small are slower on several."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def accelerated(folder: Path, name: str, say: Callable[[str], object]) -> model_loader.LoadedModel:
    """As on a processor where oneDNN is twice as fast, whatever this one is and does."""
    if not onednn.speedup(torch.float32):
        pytest.skip("this torch has no oneDNN")
    loaded = model_loader.load(folder, choose_hardware("cpu", "float32"), "cpu")
    accelerate(loaded, name, say, onednn_speedup=lambda dtype: 2.0 if dtype == torch.float32 else 0.0)
    return loaded


@pytest.mark.parametrize("name", FAMILIES)
def test_words_are_those_of_the_model_alone(name: str, zoo: Zoo) -> None:
    hardware = choose_hardware("cpu", "float32")
    plain = answers(model_loader.load(zoo(name), hardware, "cpu"), name)
    loaded = accelerated(zoo(name), name, lambda _: None)
    kinds = {type(module) for module in loaded.model.modules()}
    assert onednn.OneDnnLinear in kinds
    if importlib.util.find_spec("openvino") and loaded.model.config.model_type in vision_openvino.TOWERS:
        assert vision_openvino.OpenVinoTower in kinds
    assert answers(loaded, name) == plain
    assert len(set(plain)) > 1


def test_batched_captions_are_those_that_generate_gives_one_by_one(zoo: Zoo) -> None:
    folder = zoo("blip")
    processor = transformers.AutoProcessor.from_pretrained(folder)
    model = transformers.BlipForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    direct = []
    for number in range(COUNT):
        inputs = processor(images=picture(number), return_tensors="pt")
        tokens = model.generate(
            pixel_values=inputs["pixel_values"],
            generation_config=model.generation_config,  # BLIP itself would pass it by
            max_new_tokens=20,
        )
        direct.append(processor.tokenizer.decode(tokens[0], skip_special_tokens=True).strip())
    said: list[str] = []
    loaded = accelerated(folder, "blip", said.append)
    prompt = registry.load("captioners", "blip").default_prompt
    requests = [GenerationRequest(image=picture(number), prompt=prompt) for number in range(COUNT)]
    config = generation_config(loaded, Generation(max_tokens=20))
    batch = generate(loaded, registry.load("captioners", "blip"), requests, config)
    assert [answer.text for answer in batch] == direct
    assert captions("blip", folder, dtype="float32", batch_size=COUNT, max_tokens=20) == direct
    assert any("linear layers by oneDNN" in line for line in said)


@pytest.mark.parametrize("name", ["blip", "blip2-opt", "blip2-flan-t5", "git", "gemma-3", "paligemma"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_vision_tower_gives_what_torch_gives(name: str, dtype: str, zoo: Zoo) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    hardware = choose_hardware("cpu", dtype)
    path = vision_openvino.TOWERS[model_loader.read_config(zoo(name))["model_type"]]
    plain, changed = (model_loader.load(zoo(name), hardware, "cpu").model for _ in range(2))
    outcome = vision_openvino.replace_tower(changed)
    assert outcome.reason is None
    side = plain.get_submodule(path).config.image_size
    for batch in (1, 3):
        pixels = torch.randn(batch, 3, side, side, dtype=hardware.torch_dtype)
        with torch.inference_mode():
            expected, got = (
                model.get_submodule(path)(pixel_values=pixels).last_hidden_state for model in (plain, changed)
            )
        assert got.dtype == expected.dtype == hardware.torch_dtype
        assert got.shape == expected.shape
        error = (got.float() - expected.float()).abs().max() / expected.float().abs().max()
        assert error < (1e-4 if dtype == "float32" else 0.05)


def test_it_is_said_what_computes_the_vision_tower(zoo: Zoo) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    said: list[str] = []
    captions("blip", zoo("blip"), said, dtype="float32")
    assert any("the vision tower by OpenVINO" in line for line in said)

    def cannot(*_: object) -> None:
        raise RuntimeError("no such\noperation")

    said.clear()
    loaded = model_loader.load(zoo("blip"), choose_hardware("cpu", "float32"), "cpu")
    loaded.model.vision_model.register_forward_pre_hook(cannot)
    accelerate(loaded, "blip", said.append)
    assert any("stays with torch: OpenVINO cannot convert it: no such operation" in line for line in said)


def test_a_tower_that_is_asked_for_more_says_so(zoo: Zoo) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    model = model_loader.load(zoo("blip"), choose_hardware("cpu", "float32"), "cpu").model
    vision_openvino.replace_tower(model)
    with pytest.raises(RuntimeError, match="output_hidden_states"):
        model.vision_model(pixel_values=torch.zeros(1, 3, 32, 32), output_hidden_states=True)


def test_openvino_is_imported_without_what_reports_to_its_makers(zoo: Zoo) -> None:
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    code = (
        "import sys; from cutline.captioners.transformers import model_loader, vision_openvino;"
        "from cutline.weights import choose_hardware; from pathlib import Path;"
        "model = model_loader.load(Path(sys.argv[1]), choose_hardware('cpu', 'float32'), 'cpu').model;"
        "assert vision_openvino.replace_tower(model).reason is None;"
        "assert sys.modules['openvino_telemetry'] is None;"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(zoo("blip"))], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_other_devices_and_other_numbers_are_left_alone(zoo: Zoo) -> None:
    loaded = model_loader.load(zoo("llava"), choose_hardware("cpu", "bfloat16"), "cpu")
    before = [type(module) for module in loaded.model.modules()]
    accelerate(loaded, "llava", pytest.fail)
    assert [type(module) for module in loaded.model.modules()] == before
