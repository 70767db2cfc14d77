"""A plug-in that bears one call at a time gets one at a time, whoever gives up on a call."""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from PIL import Image

import cutline
from processes import cutline as program
from processes import wait_until

sys.path.append(str(Path(__file__).parents[1] / "service"))
from serving import Service, png

COUNTING = """
    import os
    running, lock = [0], threading.Lock()

    def enter():
        with lock:
            running[0] += 1
            with open(os.environ["TURNS_SEEN"], "a") as seen:
                seen.write(f"{running[0]}\\n")

    def leave():
        with lock:
            running[0] -= 1

    def work(seconds):
        enter()
        time.sleep(seconds)
        leave()
        return "A caption."

    SECONDS = float(os.environ["TURNS_SECONDS"])

    @register_model("turns-infer")
    class Infer:
        def infer(self, prompt, image, image_name):
            return work(SECONDS)

        def close(self):
            work(0)

    @register_model("turns-batch")
    class Batch:
        batch_size = 3

        def infer_batch(self, prompts, images, image_names):
            caption = work(SECONDS if len(images) > 1 else 0)
            return [caption] * len(images)

    @register_model("turns-caption")
    class Caption:
        async def caption(self, picture, prompt):
            enter()
            try:
                await asyncio.sleep(SECONDS)
            except asyncio.CancelledError:
                await asyncio.sleep(SECONDS)  # as one that must tell a server
                raise
            finally:
                leave()
            return "A caption."

    @register_model("turns-blocking")
    class Blocking:
        async def caption(self, picture, prompt):
            return work(SECONDS)
"""
MODELS = ["turns-infer", "turns-batch", "turns-caption", "turns-blocking"]


def most(seen):
    return max(map(int, seen.read_text().split()))


@pytest.fixture
def seen(tmp_path, monkeypatch):
    path = tmp_path / "seen"
    monkeypatch.setenv("TURNS_SEEN", str(path))
    monkeypatch.setenv("TURNS_SECONDS", "0.8")
    return path


@pytest.mark.parametrize("model", MODELS)
def test_one_call_at_a_time_where_each_is_beyond_its_time(model, plugin, photos, seen, tmp_path):
    program(
        *("caption", photos(4), tmp_path / "out.jsonl", "--model", model, "--plugin", plugin(COUNTING)),
        *("--timeout", 0.3, "--max-retries", 0),
    )
    assert most(seen) == 1


def test_one_call_at_a_time_in_a_chain_that_has_the_model_twice(plugin, photos, seen, tmp_path, monkeypatch):
    monkeypatch.setenv("TURNS_SECONDS", "0.05")
    done = program(
        *("caption", photos(6), tmp_path / "out.jsonl", "--plugin", plugin(COUNTING)),
        *("--step", "first=turns-infer", "--step", "second=turns-infer", "--prompt", "short"),
    )
    assert done.returncode == 0, done.stderr
    assert most(seen) == 1


def test_one_call_at_a_time_after_clients_of_the_service_gave_up(plugin, tmp_path):
    seen = tmp_path / "seen"
    arguments = ("--model", "turns-infer", "--plugin", plugin(COUNTING))
    env = {"TURNS_SEEN": str(seen), "TURNS_SECONDS": "0.5", "CUTLINE_REQUEST_SECONDS": "0.4"}
    with Service(*arguments, cwd=tmp_path, env=env) as service:

        def impatient(number):
            try:
                files = {"image": png(number)}
                httpx.post(f"{service.url}/caption", files=files, timeout=0.3, trust_env=False)
            except httpx.TimeoutException:
                return True
            return False

        with concurrent.futures.ThreadPoolExecutor(8) as clients:
            assert any(clients.map(impatient, range(16)))
        service.client.post("/caption", files={"image": png(99)})
        service.stop()
        assert len(seen.read_text().split()) > 1
        assert most(seen) == 1


def test_one_call_at_a_time_where_a_loaded_model_is_given_up_and_loaded_again(photos):
    running, counts = threading.Semaphore(1), []

    class Given:
        def infer(self, prompt, image, image_name):
            free = running.acquire(blocking=False)
            counts.append(free)
            time.sleep(0.5)
            if free:
                running.release()
            return "A caption."

    cutline.register_model("turns-given-up")(Given)
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG")

    async def impatient(model):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await model.acaption(out.getvalue())

    for _ in range(2):
        with cutline.load("turns-given-up") as model:
            for _ in range(2):
                asyncio.run(impatient(model))
    with cutline.load("turns-given-up") as model:
        assert model.caption(out.getvalue()).caption == "A caption."
    assert all(counts)


def test_a_slow_call_fails_its_picture_and_no_other(photos):
    """It returns after its time, and the others wait for it."""

    class Slow:
        def infer(self, prompt, image, image_name):
            time.sleep(1.5 if image_name.endswith("01.png") else 0)
            return "A caption."

    cutline.register_model("turns-slow")(Slow)
    result = cutline.caption(photos(4), model="turns-slow", timeout=0.6)
    assert [failure["key"] for failure in result.failures] == ["01.png"]
    assert len(result) == 3


def test_the_model_is_closed_after_its_last_call(plugin, photos, seen, tmp_path):
    """Its run was stopped while a call was under way."""
    import signal

    from processes import PATIENCE, start_cutline

    process = start_cutline(
        *("caption", photos(4), tmp_path / "out.jsonl", "--model", "turns-infer"),
        *("--plugin", plugin(COUNTING)),
    )
    wait_until(lambda: seen.exists() and seen.read_text())
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert most(seen) == 1
