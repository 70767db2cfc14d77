"""A program that ends while a model is at work, or has just been, ends with its own exit code."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import threading
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra local is not installed")
pytest.importorskip("transformers", reason="the extra local is not installed")

from local_pictures import folder_of
from tiny_families import FAMILIES

from cutline.batcher import Batcher
from processes import PATIENCE, start_cutline, wait_until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


def test_a_closed_model_is_let_go_of_at_once() -> None:
    class Model:
        def __call__(self, items: list[int]) -> list[int]:
            return items

    async def asked() -> None:
        batching: Batcher[int, int] = Batcher([Model(), Model()])
        await asyncio.gather(*(batching.submit(number) for number in range(5)))
        batching.close()

    before = set(threading.enumerate())
    asyncio.run(asked())
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name.startswith("batch-")]


def test_ctrl_c_in_the_middle_of_an_answer(tmp_path: Path) -> None:
    model = FAMILIES["llava"](tmp_path / "llava")
    settings = model / "generation_config.json"
    # Its penalty for long texts makes older transformers choose the end token before min_new_tokens is reached.
    settings.write_text(
        json.dumps(json.loads(settings.read_text()) | {"exponential_decay_length_penalty": None})
    )
    pictures = folder_of(tmp_path / "pictures", 40)
    arguments = (
        "caption",
        pictures,
        tmp_path / "captions.jsonl",
        "--model",
        f"hf:{model}",
        "--device",
        "cpu",
    )
    arguments += ("--batch-size", "8", "--extra.min_new_tokens", "1500", "--max-tokens", "1600")
    process = start_cutline(*arguments)
    wait_until(lambda: list(tmp_path.glob("*.cutline/*")))
    with pytest.raises(subprocess.TimeoutExpired):  # it is at work for long
        process.communicate(timeout=12)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "terminate called" not in err
