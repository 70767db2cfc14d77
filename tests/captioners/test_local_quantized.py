"""Smaller weights by bitsandbytes: really smaller, and still words that depend on the picture."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra local is not installed")
pytest.importorskip("transformers", reason="the extra local is not installed")
pytest.importorskip("bitsandbytes", reason="the extra quantize is not installed")

import tiny_families
from local_pictures import folder_of

from cutline import registry
from cutline.captioners.transformers import model_loader
from cutline.errors import ConfigError
from cutline.weights import choose_hardware
from processes import cutline_here

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_families.llava(tmp_path_factory.mktemp("model") / "narrow")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With layers as wide as a block of 4-bit numbers, as real models have."""
    with pytest.MonkeyPatch.context() as changed:
        for name in ("_TEXT", "_VISION"):
            sizes = {"hidden_size": 64, "intermediate_size": 128}
            changed.setattr(tiny_families, name, {**getattr(tiny_families, name), **sizes})
        return tiny_families.llava(tmp_path_factory.mktemp("model") / "wide")


def test_weights_take_less_memory(wide: Path) -> None:
    hardware = choose_hardware("cpu", "float32")
    sizes = {}
    for quantize, kind in ((None, "Linear"), ("8bit", "Linear8bitLt"), ("4bit", "Linear4bit")):
        model = model_loader.load(wide, hardware, "cpu", quantize=quantize).model
        kinds = Counter(type(layer).__name__ for layer in model.modules())
        assert kinds[kind] > 20
        if quantize:
            assert kinds["Linear"] == 1, "only the last layer, which chooses the words, is left as it is"
        sizes[quantize] = model.get_memory_footprint()
    assert sizes["8bit"] < 0.5 * sizes[None]
    assert sizes["4bit"] < 0.8 * sizes["8bit"]


@pytest.mark.parametrize("quantize", ["8bit", "4bit"])
def test_captions_of_a_quantized_model(
    wide: Path, tmp_path: Path, quantize: str, capfd: pytest.CaptureFixture[str]
) -> None:
    pictures = folder_of(tmp_path / "pictures", 4)
    output = tmp_path / "captions.jsonl"
    model = ("--model", f"hf:{wide}", "--device", "cpu", "--dtype", "float32")
    done = cutline_here("caption", pictures, output, *model, "--quantize", quantize)
    assert done.returncode == 0, done.stderr
    captions = {row["caption"] for row in map(json.loads, output.read_text("utf-8").splitlines())}
    assert len(captions) == 4
    told = capfd.readouterr()
    assert "MatMul" not in done.stderr + told.err + told.out, "the library's remarks reach the user"


def test_a_cpu_cannot_compute_4_bit_layers_of_any_width(narrow: Path) -> None:
    captioner = registry.load("captioners", "hf")(str(narrow), device="cpu", quantize="4bit")
    with pytest.raises(ConfigError, match="28 of its 28 layers is not a multiple of 64; use --quantize 8bit"):
        asyncio.run(captioner.open())
