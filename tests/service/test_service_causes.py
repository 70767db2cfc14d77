"""Faults of the operator's own models, filters and checks: clients get their kind, the log their cause."""

from __future__ import annotations

import re

import pytest
from serving import Service, png

PLUGIN = """
from cutline import Check, Filter, register_model, register_stage


@register_model("hungry")
class Hungry:
    def infer(self, prompt, image, image_name):
        if image.width == 20:
            raise MemoryError("cannot map /srv/hidden/weights.bin")
        return "a square"


@register_stage
class Lists(Filter):
    name = "lists"

    async def filter(self, sample, picture):
        if picture.info().width == 30:
            raise ValueError("/srv/hidden/allowed.txt is no list")
        return None


@register_stage
class Words(Check):
    name = "wordlist"

    async def check(self, draft):
        raise KeyError("/srv/hidden/banned.txt")
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("causes")
    (folder / "own.py").write_text(PLUGIN)
    stages = ("--filter", "lists", "--check", "wordlist")
    with Service("--model", "hungry", "--plugin", "own.py", *stages, cwd=folder) as running:
        yield running


@pytest.mark.parametrize(
    ("width", "status", "kind", "file"),
    [
        (20, 503, "out-of-memory", "weights.bin"),
        (30, 500, "filter", "allowed.txt"),
        (40, 500, "check", "banned.txt"),
    ],
)
def test_only_the_log_has_the_cause(service, width, status, kind, file):
    answer = service.client.post("/caption", files={"image": png(width, (width, 16))})
    assert (answer.status_code, answer.json()["kind"]) == (status, kind)
    for word in (file, "hidden", "own.py", "Error"):
        assert word not in answer.text
    assert re.search(rf"WARNING .*picture failed kind={kind} cause=.*{file}", service.log)
