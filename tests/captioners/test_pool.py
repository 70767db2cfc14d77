"""Captioners that are shared, and limits that hold for an endpoint whatever calls it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses

import httpx
import pytest
from PIL import Image

import cutline
from cutline.captioners.pool import CaptionerPool
from cutline.captioners.spec import CaptionerOptions
from cutline.chain import Chain, ChainStep
from cutline.credentials import Secret
from cutline.engine.assembly import chain_of
from cutline.errors import ConfigError, RunStopped
from cutline.imaging import Picture
from cutline.job import Job
from cutline.locations.stored import LocalFile
from cutline.options import ModelOptions, RunOptions
from cutline.prompts import Prompt
from cutline.service.captioning_service import CaptioningService
from cutline.service.settings import Settings
from cutline.service.telemetry.tracing import Tracing
from processes import DEFAULTS
from server_process import Server

AT_ONCE = 4
URL = "http://127.0.0.1:9/v1"


@pytest.fixture
def endpoint(servers):
    server: Server = servers("endpoint.py")
    server.post("/configure", {**DEFAULTS, "latency": 0.05})
    return server


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(24):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / f"{number}.png")
    return folder


def most_at_once(endpoint):
    return httpx.get(endpoint.url.removesuffix("/v1") + "/stats").json()["most_in_flight"]


@pytest.mark.parametrize(
    "names", [("endpoint:a", "endpoint:b"), ("vllm:a", "vllm:b"), ("endpoint:a", "vllm:a")]
)
def test_steps_on_one_endpoint_share_one_limit(names, photos, endpoint):
    steps = tuple(f"s{number}={name}" for number, name in enumerate(names))
    cutline.caption(photos, step=steps, endpoint=endpoint.url, max_concurrent_requests=AT_ONCE)
    assert AT_ONCE - 1 <= most_at_once(endpoint) <= AT_ONCE


@pytest.mark.parametrize("concurrency", [AT_ONCE, None])
def test_the_window_of_a_chain_counts_a_shared_limit_once(concurrency):
    job = Job(
        input_path=".",
        model=ModelOptions(step=("one=endpoint:a", "two=endpoint:b"), endpoint=URL),
        run=RunOptions(max_concurrent_requests=concurrency),
    )
    chain = chain_of(job, None)
    assert chain.slots == (concurrency or 16)
    one, two = (step.captioner for step in chain.steps)
    assert one.limit_key is two.limit_key
    asyncio.run(chain.aclose())


def test_candidates_of_a_comparison_keep_to_the_limit(photos, tmp_path, endpoint):
    cutline.compare(
        photos,
        ["endpoint:a", "endpoint:b"],
        output=tmp_path / "c.json",
        endpoint=endpoint.url,
        max_concurrent_requests=AT_ONCE,
    )
    assert 1 < most_at_once(endpoint) <= AT_ONCE


def test_the_model_and_the_chains_of_a_service_share_one_limit(tmp_path):
    (tmp_path / "c.toml").write_text(
        f'[[step]]\nname = "one"\nmodel = "endpoint:b"\nendpoint = "{URL}"\n'
        f'[[step]]\nname = "two"\nmodel = "endpoint:a"\nendpoint = "{URL}"\n'
    )
    settings = Settings(model="endpoint:a", endpoint=URL, chain=[tmp_path / "c.toml"])

    async def use():
        service = CaptioningService(settings, None, print, Tracing({}))
        steps = service.chains["c"].chain.steps
        assert {step.captioner.limit_key for step in steps} == {service.captioner.limit_key}
        assert service.chains.slots == [service.captioner.slots] == [16]
        await service.aclose()

    asyncio.run(use())


OPTIONS = CaptionerOptions(endpoint=URL, concurrency=AT_ONCE)


def test_equal_ones_are_built_once_and_closed_after_the_last_user():
    pool = CaptionerPool()
    closed = []

    async def use():
        first, second = pool.get("endpoint:a", OPTIONS), pool.get("a", OPTIONS)
        assert first is not second
        (entry,) = pool._entries.values()
        assert entry.users == 2
        close = entry.inner.aclose

        async def noted():
            closed.append(1)
            await close()

        entry.inner.aclose = noted
        await first.aclose()
        await first.aclose()
        assert not closed
        await second.aclose()

    asyncio.run(use())
    assert closed == [1]
    assert not pool._entries


@pytest.mark.parametrize(
    ("other", "shared"),
    [
        ({}, True),
        ({"timeout": 5.0}, True),
        ({"endpoint": f"{URL}/"}, True),
        ({"endpoint": "http://127.0.0.1:9/v2"}, False),
        ({"key": Secret("k")}, False),
    ],
)
def test_limits_belong_to_an_endpoint_and_a_key(other, shared):
    pool = CaptionerPool()
    one = pool.get("endpoint:a", OPTIONS)
    two = pool.get("endpoint:b", dataclasses.replace(OPTIONS, **other))
    assert (one.limit_key is two.limit_key) is shared


def test_the_smallest_ceiling_holds_as_long_as_it_is_wanted():
    async def use():
        pool = CaptionerPool()
        free = pool.get("endpoint:a", CaptionerOptions(endpoint=URL))
        assert free.slots == 16
        strict = pool.get("endpoint:b", OPTIONS)
        assert (free.slots, strict.slots) == (AT_ONCE, AT_ONCE)
        await strict.aclose()
        assert free.limit_key.ceiling == 512
        await free.aclose()

    asyncio.run(use())


def test_adjusted_ones_share_the_limit():
    captioner = CaptionerPool().get("endpoint:a", OPTIONS)
    assert captioner.adjusted({"seed": 1}).limit_key is captioner.limit_key
    prompt = Prompt()
    steps = [ChainStep(name="a", captioner=captioner, prompt=prompt)]
    steps.append(ChainStep(name="b", captioner=captioner.adjusted({"seed": 1}), prompt=prompt))
    assert Chain(steps).slots == AT_ONCE


def test_halting_one_user_leaves_the_others_alone():
    async def use():
        pool = CaptionerPool()
        options = CaptionerOptions(concurrency=1)
        one, two = pool.get("fake:latency=0.2", options), pool.get("fake:latency=0.2", options)

        class Here:
            data = b"picture"

        first = asyncio.create_task(two.caption(Here, Prompt()))
        await asyncio.sleep(0.05)
        waiting = asyncio.create_task(one.caption(Here, Prompt()))
        later = asyncio.create_task(two.caption(Here, Prompt()))
        await asyncio.sleep(0.05)
        one.halt()
        with pytest.raises(RunStopped):
            await waiting
        assert (await first).text == (await later).text
        with contextlib.suppress(RunStopped):
            await one.caption(Here, Prompt())
            raise AssertionError("it was halted")

    asyncio.run(use())


def test_a_halted_captioner_is_not_handed_out_again():
    pool = CaptionerPool()
    pool.get("fake", CaptionerOptions()).halt()
    assert not pool._entries


def test_parameters_of_pictures_share_what_is_loaded(photos, endpoint):
    async def use():
        pool = CaptionerPool()
        options = CaptionerOptions(endpoint=endpoint.url, options={"max_side": 64})
        given = {"max_tokens": 7, "temperature": 0.5, "seed": 3, "top_p": 0.5}
        plain = pool.get("endpoint:a", options)
        own = pool.get("endpoint:a", dataclasses.replace(options, options={**options.options, **given}))
        text = "max_tokens=9"
        written = pool.get(
            "endpoint:a", dataclasses.replace(options, options={**options.options, "parameters": text})
        )
        (entry,) = pool._entries.values()
        assert entry.users == 3
        picture = Picture(LocalFile(str(photos / "0.png")))
        for captioner, sent in ((own, given), (plain, {"max_tokens": 512}), (written, {"max_tokens": 9})):
            await captioner.caption(picture, Prompt())
            assert {name: endpoint.last[name] for name in given if name in endpoint.last} == sent
            await captioner.aclose()
        assert not pool._entries

    asyncio.run(use())


@pytest.mark.parametrize(
    ("model", "option", "message"),
    [
        ("pixels", {"max_tokens": 7}, "pixels .*--max-tokens"),
        ("nvidia:microsoft/kosmos-2", {"temperature": 5.0}, "--temperature must be"),
        ("fake", {"device": "cpu", "seed": 1}, "fake .*--device"),
    ],
)
def test_parameters_that_a_model_lacks_are_refused_as_options(model, option, message):
    pool = CaptionerPool()
    with pytest.raises(ConfigError, match=message):
        pool.get(model, CaptionerOptions(key=Secret("k") if "/" in model else None, options=option))
    assert not pool._entries


def test_no_limit_of_tokens_is_kept_apart():
    pool = CaptionerPool()
    options = CaptionerOptions(endpoint=URL)
    pool.get("endpoint:a", options)
    pool.get("endpoint:a", dataclasses.replace(options, options={"max_tokens": 0}))
    assert len(pool._entries) == 2
