"""A check that fails costs its picture only, and never the answer that was paid for."""

from __future__ import annotations

import json

import pytest

import cutline
from cutline.errors import EndpointUnusable
from cutline.interfaces import Check, CheckResult


class Tagging(Check):
    """Takes the last word away; ``use`` says for which pictures, by their order, it breaks instead."""

    def __init__(self, options):
        super().__init__(options)
        self.seen = 0
        self.calls.append("made")

    async def open(self, say):
        self.calls.append("open")

    async def check(self, draft):
        self.calls.append("check")
        self.seen += 1
        if self.seen in self.faults:
            raise self.faults[self.seen]
        rest, last = draft.text.rsplit(" ", 1)
        return CheckResult(text=rest, fields=draft.fields, note={"dropped": [last]})

    async def aclose(self):
        self.calls.append("close")


@pytest.fixture
def use():
    """Registers a class of its own for each name, and returns its calls."""

    def put(name="tagging", faults=()):
        stage = type("Tagging", (Tagging,), {"name": name, "faults": dict(faults), "calls": []})
        cutline.register_stage(stage)
        return stage.calls

    return put


def test_checks_follow_each_other_and_are_opened_and_closed_once(pictures, tmp_path, use):
    first, second = use("tagging"), use("second")
    captions = cutline.caption(pictures(3), tmp_path / "out.jsonl", model="fake", check=("tagging", "second"))
    assert len(captions) == 3
    for row in captions:
        assert row["steps"][0]["text"].startswith(row["caption"])
        assert len(row["steps"][0]["text"].split()) == len(row["caption"].split()) + 2
    for calls in (first, second):
        assert calls == ["made", "open", *["check"] * 3, "close"]
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
    use(faults={2: fault})
    folder = pictures(4)
    captions = cutline.caption(folder, tmp_path / "out.jsonl", model="fake", check="tagging")
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

    use()
    again = cutline.caption(folder, tmp_path / "out.jsonl", model="fake", check="tagging", retry_failed=True)
    assert (len(again), again.report.exit_code) == (4, 0)


def test_a_check_may_stop_the_run(pictures, tmp_path, use):
    use(faults={2: EndpointUnusable("the check's service is gone")})
    captions = cutline.caption(
        pictures(6), tmp_path / "out.jsonl", model="fake", check="tagging", max_concurrent_requests=1
    )
    assert str(captions.report.stopped) == "the check's service is gone"
    assert captions.report.exit_code == 3
