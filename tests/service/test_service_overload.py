"""Many clients at once: each gets its own answer or a refusal to come again, never another's."""

from __future__ import annotations

import asyncio
import collections
import hashlib
import io
import time

import httpx
import pytest
from PIL import Image
from serving import Service

from processes import Endpoint

FEW = {"CUTLINE_MAX_WAITING": "40"}


def coloured(number: int) -> bytes:
    """A picture in a colour of its own."""
    out = io.BytesIO()
    Image.new("RGB", (16, 16), (number % 256, number // 256 % 256, number // 65_536)).save(out, "PNG")
    return out.getvalue()


def digest(data: bytes) -> str:
    """What ``fake`` says about these bytes, and about no others."""
    return hashlib.blake2b(data, digest_size=8).hexdigest()


async def crowd(url: str, clients: int, seconds: float) -> collections.Counter:
    """That many clients, each with one request after the other; what they got."""
    got: collections.Counter = collections.Counter()
    end = time.monotonic() + seconds
    limits = httpx.Limits(max_connections=clients)

    async def one(client: httpx.AsyncClient, number: int) -> None:
        while time.monotonic() < end:
            data = coloured(number)
            number += clients
            answer = await client.post(f"{url}/caption", files={"image": (f"{number}.png", data)})
            if answer.status_code == 200:
                body = answer.json()
                assert digest(data) in body["caption"], "the answer to another picture"
                assert body["image_path"] == f"{number}.png"
            else:
                assert answer.status_code in {429, 503}, answer.text
                assert int(answer.headers["Retry-After"]) >= 1
                await asyncio.sleep(0.05)
            got[answer.status_code] += 1

    async with (
        httpx.AsyncClient(trust_env=False, timeout=60, limits=limits) as client,
        asyncio.TaskGroup() as group,
    ):
        for number in range(clients):
            group.create_task(one(client, number))
    return got


def counted(service: Service) -> dict[str, float]:
    lines = service.client.get("/metrics").text.splitlines()
    return {
        name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")
    }


@pytest.mark.parametrize("bound", [False, True])
def test_nobody_gets_anothers_answer(tmp_path, bound):
    env = FEW if bound else {}
    with Service("--model", "fake:latency=0.1,slots=16", cwd=tmp_path, env=env) as service:
        got = asyncio.run(crowd(service.url, 100, 5))
        assert got[200] > 100
        assert (got[503] > 0) == bound
        assert set(got) <= {200, 503}
        numbers = counted(service)
        assert numbers['cutline_pictures_total{outcome="captioned"}'] == got[200], "none lost, none doubled"
        assert numbers['cutline_requests_total{method="POST",route="/caption",status="200"}'] == got[200]
        assert numbers["cutline_waiting_requests"] == 0
        assert numbers["cutline_held_bytes"] == 0
        assert numbers["cutline_slots_in_use"] == 0


def test_bytes_that_are_held_are_bounded_too(tmp_path):
    env = {"CUTLINE_MAX_HELD": "2000"}
    with Service("--model", "fake:latency=0.3", cwd=tmp_path, env=env) as service:
        got = asyncio.run(crowd(service.url, 50, 1.5))
        assert got[200]
        assert got[503]
        assert counted(service)["cutline_held_bytes"] == 0


def test_a_busy_endpoint_is_passed_on_as_503(tmp_path):
    with Endpoint(fault={"503": 1.0}) as endpoint:
        options = ["--endpoint", endpoint.url, "--model", "test"]
        env = {"CUTLINE_REQUEST_SECONDS": "3"}
        with Service(*options, cwd=tmp_path, env=env) as service:
            answer = service.client.post("/caption", files={"image": ("a.png", coloured(1))})
            assert answer.status_code == 503, answer.text
            assert answer.headers["Retry-After"]
            assert endpoint.root not in answer.text
            assert "injected" not in answer.text
