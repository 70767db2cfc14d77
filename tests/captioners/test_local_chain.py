"""Three local experts in a chain: each is asked what the texts before it make of its prompt."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra local is not installed")
pytest.importorskip("transformers", reason="the extra local is not installed")

import torch
from local_pictures import encoded
from tiny_families import FAMILIES

import cutline
from cutline import registry
from cutline.imaging import Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt, load_prompt

# The library warns of its own future; what it does now is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

torch.set_num_threads(1)  # models this small only lose by more
EXPERTS = {"describe": "blip2-flan-t5", "add": "llava", "complete": "qwen2-vl"}


def asked_directly(model: str, folder: Path, prompt: Prompt | None, picture: bytes) -> str:
    async def ask() -> str:
        captioner = registry.load("captioners", model)(str(folder), dtype="float32")
        try:
            place = Picture(InlineBytes(picture, "p"))
            return (await captioner.caption(place, prompt or captioner.profile.default_prompt)).text
        finally:
            await captioner.aclose()

    return asyncio.run(ask())


def test_each_expert_is_given_the_words_of_the_one_before(tmp_path: Path) -> None:
    folders = {model: FAMILIES[model](tmp_path / model) for model in EXPERTS.values()}
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(6):
        (photos / f"{number}.png").write_bytes(encoded(number))
    steps = {name: f"{model}:{folders[model]}" for name, model in EXPERTS.items()}
    result = cutline.caption(photos, steps=steps, dtype="float32", batch_size=2)
    captions = list(result)
    # Random weights repeat themselves now and then, which is not a caption.
    assert {failure["kind"] for failure in result.failures} <= {"loop"}
    assert len(captions) >= 3
    for row in captions:
        told = row["captions"]
        picture = (photos / row["image_id"]).read_bytes()
        prompt: Prompt | None = None
        for name, model in EXPERTS.items():
            assert told[name] == asked_directly(model, folders[model], prompt, picture), name
            prompt = load_prompt("refine").render({"previous": told[name]})
        assert row["caption"] == told["complete"]
        assert all(step["completion_tokens"] > 0 for step in row["steps"])
    assert len({row["caption"] for row in captions}) == len(captions)
