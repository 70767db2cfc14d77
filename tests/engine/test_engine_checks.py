"""A check that fails costs its picture only, and never the answer that was paid for."""

from __future__ import annotations

import json

import pytest

import cutline
from cutline.engine import assembly
from cutline.errors import EndpointUnusable
from cutline.interfaces import Checked


class Tagging:
    """Takes the last word away; breaks as it is told to for pictures by their order."""

    name = "tagging"

    def __init__(self, faults=()):
        self.faults = dict(faults)
        self.asked = 0
        self.calls = []

    async def open(self, say):
        self.calls.append("open")

    async def check(self, picture, texts):
        self.calls.append("check")
        self.asked += 1
        if self.asked in self.faults:
            raise self.faults[self.asked]
        return [
            Checked(text=text.rsplit(" ", 1)[0], note={"dropped": [text.rsplit(" ", 1)[1]]}) for text in texts
        ]

    async def aclose(self):
        self.calls.append("close")


@pytest.fixture
def use(monkeypatch):
    def put(*checks):
        monkeypatch.setattr(assembly, "checks_of", lambda job: list(checks))

    return put


def test_checks_follow_each_other_and_are_opened_and_closed_once(pictures, tmp_path, use):
    first, second = Tagging(), Tagging()
    second.name = "second"
    use(first, second)
    captions = cutline.caption(pictures(3), tmp_path / "out.jsonl", model="fake")
    assert len(captions) == 3
    for row in captions:
        assert row["steps"][0]["text"].startswith(row["caption"])
        assert len(row["steps"][0]["text"].split()) == len(row["caption"].split()) + 2
    for check in (first, second):
        assert check.calls == ["open", *["check"] * 3, "close"]
    assert captions.report.counts.dropped == 6
    assert captions.report.counts.shortened == 3


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (MemoryError(), "out-of-memory", "tagging needs more memory than there is for this picture"),
        (RuntimeError("it\nbroke"), "check", "tagging: RuntimeError: it broke"),
    ],
)
def test_a_check_that_fails_costs_one_picture_and_keeps_its_answer(
    pictures, tmp_path, use, fault, kind, message
):
    use(Tagging({2: fault}))
    folder = pictures(4)
    captions = cutline.caption(folder, tmp_path / "out.jsonl", model="fake")
    assert (len(captions), captions.report.exit_code) == (3, 1)
    (failure,) = captions.failures
    assert (failure["kind"], failure["message"]) == (kind, message)
    (kept,) = failure["steps"]
    assert kept["text"].startswith("A picture with checksum")
    journal = [
        json.loads(line) for line in (tmp_path / "out.jsonl.cutline/journal.jsonl").read_text().splitlines()
    ]
    tokens = sum(
        step["reply"]["usage"]["completion_tokens"] for line in journal for step in line.get("steps", ())
    )
    assert captions.report.spent.completion_tokens == tokens == 4 * 8

    use(Tagging())
    again = cutline.caption(folder, tmp_path / "out.jsonl", model="fake", retry_failed=True)
    assert (len(again), again.report.exit_code) == (4, 0)


def test_a_check_may_stop_the_run(pictures, tmp_path, use):
    use(Tagging({2: EndpointUnusable("the check's service is gone")}))
    captions = cutline.caption(pictures(6), tmp_path / "out.jsonl", model="fake", max_concurrent_requests=1)
    assert str(captions.report.stopped) == "the check's service is gone"
    assert captions.report.exit_code == 3
