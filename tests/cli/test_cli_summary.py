"""What a run says of itself at its end: why pictures failed, and what was paid."""

from __future__ import annotations

import json
from pathlib import Path

from program import COLOURS, Run, rows

BROKEN = "fake:error=0.5,empty=0.5"


def test_each_kind_of_failure_has_an_example(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    ran = cutline("caption", str(pictures), "out.jsonl", "--model", BROKEN)
    assert ran.code == 1
    failed = rows(tmp_path / "out.jsonl.failures.jsonl")
    kinds = {failure["kind"] for failure in failed}
    assert kinds == {"captioner", "empty"}, "the pictures no longer make both"
    told = [line.strip() for line in ran.err.splitlines() if line.startswith("  ")]
    assert len(told) == len(kinds)
    for line in told:
        kind, rest = line.split(": ", 1)
        first = next(failure for failure in failed if failure["kind"] == kind)
        assert rest.removeprefix("such as ") == f"{first['key']}: {first['message']}"


def test_a_quiet_run_that_failed_says_so_in_a_line(cutline: Run, pictures: Path) -> None:
    ran = cutline("caption", str(pictures), "out.jsonl", "--model", "fake:error=1", "--quiet")
    assert ran.code == 1
    [line] = ran.err.splitlines()
    assert line.startswith(
        "cutline: 5 failed (5 captioner); captioner: such as crimson.jpg: RuntimeError: the fake"
    )
    assert "; all are told in out.jsonl.failures.jsonl" in line
    allowed = cutline(
        "caption", str(pictures), "out.jsonl", "--model", "fake:error=1", "-q", "--allow-failures", "5"
    )
    assert (allowed.code, allowed.err) == (0, "")


def test_the_report_names_outputs_from_the_root_on(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    cutline("caption", str(pictures), "out.jsonl", "--model", "fake:error=0.5", "--state", "state")
    report = json.loads((tmp_path / "state" / "report.json").read_bytes())
    assert report["output"] == str(tmp_path / "out.jsonl")
    assert report["outputs"] == [str(tmp_path / "out.jsonl"), str(tmp_path / "out.jsonl.failures.jsonl")]
    again = cutline("caption", str(pictures), "out.jsonl", "--model", "fake:error=0.5")
    assert again.code == 2
    assert "--state" in again.err


def test_whether_a_server_runs_is_asked_of_this_machine_alone(cutline: Run, pictures: Path) -> None:
    asked = ("caption", str(pictures), "out.jsonl", "--model", "m", "--retry-delay", "0.01", "--endpoint")
    assert "is the server running?" in cutline(*asked, "http://127.0.0.1:9/v1").err
    elsewhere = cutline(*asked, "http://nowhere.invalid/v1").err
    assert "is this machine online, and the address right?" in elsewhere


def test_tokens_of_earlier_runs_are_called_that(cutline: Run, pictures: Path) -> None:
    first = cutline("caption", str(pictures), "out.jsonl", "--model", "fake")
    again = cutline("caption", str(pictures), "out.jsonl", "--model", "fake")
    assert " tokens" in first.err
    assert "in all runs" not in first.err
    assert " · in all runs " in again.err.splitlines()[0]


def test_a_comparison_tells_the_kinds(cutline: Run, pictures: Path) -> None:
    ran = cutline("compare", "fake", "fake:error=1", "--input-path", str(pictures), COLUMNS="400")
    assert "5 failed (5 captioner, such as RuntimeError: the fake captioner broke" in ran.err


def test_a_prompt_that_looks_for_a_tag_can_be_tried(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    prompt = {"prompt_prefix": "Describe it.", "regex": "<caption>.*?</caption>"}
    (tmp_path / "prompt.json").write_text(json.dumps(prompt))
    ran = cutline("caption", str(pictures), "out.jsonl", "--model", "fake", "--prompt", "prompt.json")
    assert ran.code == 0, ran.err
    assert len(rows(tmp_path / "out.jsonl")) == len(COLOURS)
    assert all(row["caption"].startswith("A picture with checksum") for row in rows(tmp_path / "out.jsonl"))


def test_a_run_that_failed_throughout_says_once_how_to_go_on(cutline: Run, pictures: Path) -> None:
    ran = cutline(
        "caption", str(pictures), "out.jsonl", "--model", "fake:error=1", "--stop-after-failures", "2"
    )
    assert ran.code == 3
    last = ran.err.splitlines()[-1]
    assert last.count("the same command") == 1
    assert (
        "then run the same command with --retry-failed · nothing is lost (journal in out.jsonl.cutl" in last
    )
