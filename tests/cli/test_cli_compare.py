"""``cutline compare``: who is asked what, what is written, and what is said about mistakes."""

from __future__ import annotations

import csv
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from program import COLOURS, Run

import processes
from server_process import Server

KEYS = [f"{colour}.jpg" for colour in sorted(COLOURS)]


@pytest.fixture
def cutline(here: Run) -> Run:
    return here


def report(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text("utf-8"))


def contestants(path: Path) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in report(path)["contestants"]}


def captions(path: Path, name: str) -> dict[str, str]:
    return {row["image_id"]: row["answers"][name]["caption"] for row in report(path)["pictures"]}


@pytest.fixture
def busy() -> Iterator[processes.Endpoint]:
    with processes.Endpoint(latency=0.15, slots=4) as endpoint:
        yield endpoint


def test_every_model_answers_every_prompt(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    asked = ("--prompt", "short", "--prompt", "long=Tell all about {file_name}.")
    ran = cutline(
        *("compare", "fake", "plain=pixels:no-ocr", *asked, "--input-path", str(pictures)),
        *("--output-path", "out.json"),
    )
    assert ran.code == 0, ran.err
    out = tmp_path / "out.json"
    names = ["fake · short", "fake · long", "plain · short", "plain · long"]
    assert list(contestants(out)) == names
    assert list(captions(out, "fake · short")) == KEYS
    assert all(text.endswith("prompted by short.") for text in captions(out, "fake · short").values())
    assert all(text.endswith("prompted by long.") for text in captions(out, "fake · long").values())
    assert len(set(captions(out, "plain · short").values())) > 1
    figures = contestants(out)["fake · long"]
    assert (figures["model"], figures["captions"], figures["failures"]) == ("fake", 5, 0)
    assert figures["prompt"].startswith("long@")
    assert figures["words_per_caption"] == 8
    assert figures["repeated_openers"] == 1
    assert figures["commonest_opener"] == "a picture with"
    assert figures["vocabulary"] == 7 + 5, "the sentence, and a checksum for each picture"
    assert figures["pictures_per_second"] > 0
    for number, name in enumerate(names, 1):
        assert f"{number}/4 {name}\n" in ran.err
    assert "→ out.json" in ran.err


def test_the_first_pictures_are_compared_and_more_later(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    command = ("compare", "fake", "pixels:no-ocr", "--input-path", str(pictures), "--output-path", "out.csv")
    few = cutline(*command, "--image-limit", "2")
    assert few.code == 0, few.err
    assert "the first 2 of 5 pictures; change this with --image-limit" in few.err
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["image_id"], row["contestant"]) for row in rows] == [
        (key, name) for key in KEYS[:2] for name in ("fake", "pixels:no-ocr")
    ]
    all_of_them = cutline(*command)
    assert all_of_them.code == 0, all_of_them.err
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 11


def test_options_reach_those_who_have_a_use_for_them(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path
) -> None:
    ran = cutline(
        *("compare", "pixels:no-ocr", "org/m", "--endpoint", endpoint.url, "--input-path", str(pictures)),
        *("--temperature", "0.3", "--extra.min_p", "0.1", "--prompt", "What?", "--api-key", "k"),
        *("--output-path", "out.json"),
    )
    assert ran.code == 0, ran.err
    asked = endpoint.last
    assert (asked["model"], asked["temperature"], asked["min_p"]) == ("org/m", 0.3, 0.1)
    assert endpoint.last_headers["Authorization"] == "Bearer k"
    assert "k" not in [*captions(tmp_path / "out.json", "org/m")], "no key in the report"
    refused = cutline("compare", "pixels", "pixels:no-ocr", "--input-path", str(pictures), "--seed", "1")
    assert refused.code == 2
    assert "no candidate supports --seed: remove it" in refused.err


def test_outputs_are_compared_without_asking(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jsonl", "b.csv", "c.parquet", "d.json"):
        model = "fake" if name != "a.jsonl" else "fake:rejected=0.5"
        options = ("--model", model, "--prompt", f"{name[0]}=short", "--quiet")
        assert processes.cutline_here("caption", pictures, name, *options).returncode in {0, 1}
    ran = processes.cutline_here(
        *("compare", "a.jsonl", "b.csv", "new=c.parquet", "d.json", "--output-path", "out.json")
    )
    assert ran.returncode == 0, ran.stderr
    out = tmp_path / "out.json"
    assert list(contestants(out)) == ["a.jsonl", "b.csv", "new", "d.json"]
    assert captions(out, "b.csv").keys() == set(KEYS)
    assert captions(out, "new")[KEYS[0]] == captions(out, "b.csv")[KEYS[0]].replace("by b", "by c")
    rejected = contestants(out)["a.jsonl"]
    assert rejected["failures"] == 5 - rejected["captions"] > 0
    problems = [row["answers"]["a.jsonl"]["problem"] or "" for row in report(out)["pictures"]]
    assert sum(problem.startswith("rejected: ") for problem in problems) == rejected["failures"]
    html = processes.cutline_here("compare", "a.jsonl", "b.csv", "--input-path", pictures)
    assert html.returncode == 0, html.stderr
    page = (tmp_path / "comparison.html").read_text("utf-8")
    assert page.count("<img ") == 5
    assert page.count('class="notice"') == rejected["failures"]


def test_failures_are_in_the_report_and_in_the_exit_code(
    cutline: Run, pictures: Path, busy: processes.Endpoint, tmp_path: Path
) -> None:
    busy.configure(latency=0, fault={"400": 0.5})
    command = ("compare", "m", "fake", "--endpoint", busy.url, "--input-path", str(pictures))
    ran = cutline(*command, "--output-path", "out.json")
    assert ran.code == 1, ran.err
    figures = contestants(tmp_path / "out.json")
    assert 0 < figures["m"]["failures"] < 5
    assert figures["fake"]["captions"] == 5
    assert f"{figures['m']['failures']} failed" in ran.err
    assert cutline(*command, "--output-path", "out.json", "--allow-failures", "5").code == 0
    busy.configure(fault={})
    again = cutline(*command, "--output-path", "out.json", "--retry-failed")
    assert again.code == 0, again.err
    assert contestants(tmp_path / "out.json")["m"]["captions"] == 5


def test_what_cannot_be_asked_is_said_before_anybody_is(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path
) -> None:
    before = endpoint.get("/stats")["requests"]
    command = ("compare", "m", "openai:gpt-4o", "--endpoint", endpoint.url, "--input-path", str(pictures))
    ran = cutline(*command)
    assert (ran.code, ran.out) == (2, "")
    assert "openai:gpt-4o: openai needs a key: set OPENAI_API_KEY" in ran.err
    assert len(ran.err.splitlines()) == 1
    assert endpoint.get("/stats")["requests"] == before
    assert list(tmp_path.iterdir()) == []


def test_one_that_cannot_go_on_does_not_stop_the_others(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path
) -> None:
    endpoint.post("/configure", {"key": "another"})
    command = ("compare", "m", "fake", "--endpoint", endpoint.url, "--input-path", str(pictures))
    ran = cutline(*command, "--output-path", "out.json", "--api-key", "wrong-key-1")
    assert ran.code == 3, ran.err
    figures = contestants(tmp_path / "out.json")
    assert "401" in figures["m"]["stopped"]
    assert (figures["m"]["captions"], figures["fake"]["captions"]) == (0, 5)
    assert "run the same command again to continue" in ran.err
    assert "wrong-key-1" not in (tmp_path / "out.json").read_text() + ran.err
    mended = cutline(*command, "--output-path", "out.json", "--api-key", "another")
    assert mended.code == 0, mended.err
    assert contestants(tmp_path / "out.json")["m"]["captions"] == 5


def test_a_model_that_cannot_be_loaded_does_not_stop_the_others(
    cutline: Run, pictures: Path, tmp_path: Path
) -> None:
    pytest.importorskip("transformers", reason="needs the extra local")
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    out = tmp_path / "out.json"
    arguments = ("--input-path", str(pictures), "--output-path", str(out))
    ran = cutline("compare", "hf:nobody/nothing", "fake", *arguments, **offline)
    assert ran.code == 3, ran.err
    figures = contestants(out)
    assert (figures["hf:nobody/nothing"]["captions"], figures["fake"]["captions"]) == (0, 5)
    assert "nobody/nothing is not on this machine" in figures["hf:nobody/nothing"]["stopped"]
    alone = cutline("compare", "hf:nobody/nothing", "hf:nobody/more", *arguments, **offline)
    assert alone.code == 2
    assert alone.err.splitlines()[-1].startswith("cutline: nobody/nothing is not on this machine")


def test_a_budget_is_that_of_all_together(
    cutline: Run, pictures: Path, endpoint: Server, tmp_path: Path
) -> None:
    ran = cutline(
        *("compare", "first", "second", "--endpoint", endpoint.url, "--input-path", str(pictures)),
        *("--budget-tokens", "600", "--output-path", "out.json", "--max-concurrent-requests", "1"),
    )
    assert ran.code == 3, ran.err
    figures = contestants(tmp_path / "out.json")
    tokens = [one["prompt_tokens"] + one["completion_tokens"] for one in figures.values()]
    assert tokens[0] >= 480
    assert sum(tokens) <= 720
    assert "budget" in figures["second"]["stopped"]


@pytest.mark.parametrize("kind", [signal.SIGKILL, signal.SIGINT])
def test_a_comparison_that_ended_early_goes_on(
    kind: signal.Signals, busy: processes.Endpoint, pictures: Path, tmp_path: Path
) -> None:
    command = [
        *("compare", "one", "two", "--input-path", pictures, "--output-path", tmp_path / "out.json"),
        *("--endpoint", busy.url, "--max-concurrent-requests", "1"),
    ]
    process = processes.start_cutline(*command)
    processes.wait_until(lambda: busy.stats()["answered"] >= 7)  # five of the first, two of the second
    process.send_signal(kind)
    _, said = process.communicate(timeout=processes.PATIENCE)
    assert not (tmp_path / "out.json").exists()
    if kind == signal.SIGINT:
        assert process.returncode == 130
        assert "run the same command again to continue" in said
    ran = processes.cutline(*command)
    assert ran.returncode == 0, ran.stderr
    assert "one: 5 captions · all from an earlier run" in ran.stderr
    assert [one["captions"] for one in contestants(tmp_path / "out.json").values()] == [5, 5]
    # Each picture is asked about once by each of two models, and once more where a kill cut it off.
    assert busy.stats()["answered"] <= 11
    asked = busy.stats()["requests"]
    assert processes.cutline(*command).returncode == 0
    assert busy.stats()["requests"] == asked, "nothing is asked twice"


MISTAKES = [
    ([], "nothing to compare: name at least two models or outputs"),
    (["fake"], "nothing to compare: only fake is there"),
    (["fake", "opneai:gpt"], "'opneai:gpt' is neither a model nor a file to compare, did you mean openai?"),
    (["fake", "fake"], "two candidates are named 'fake': name one of them, as other=fake"),
    (["a=fake", "a=pixels"], "two candidates are named 'a': name one of them, as other=pixels"),
    (["fake", "pixels", "PICTURES"], "is a folder: give the pictures as --input-path "),
    (["fake", "gone.jsonl"], "there is no output gone.jsonl to compare"),
    (["fake", "gone.toml"], "there is no chain file gone.toml"),
    (["fake", "other.jsonl"], "other.jsonl has none of the 5 pictures compared ('crimson.jpg' …)"),
    (["fake", "alien.csv"], "alien.csv holds no captions of cutline: row 1 lacks image_id or caption"),
    (
        ["fake", "pixels", "--endpoint", "http://localhost:1/v1"],
        "--endpoint is for models without a provider",
    ),
    (["fake", "pixels", "--api-key", "k"], "--api-key goes to one service, and here are 0: remove it"),
    (["openai:a", "gemini:b", "--api-key", "k"], "here are 2: set GEMINI_API_KEY and OPENAI_API_KEY instead"),
    (["fake", "pixels", "--output-path", "out.pdf"], "change the suffix of out.pdf"),
    (["fake", "pixels", "--output-path", "s3://b/out.html"], "a comparison is written on this machine"),
    (
        ["fake", "pixels", "--output-path", "mine.html"],
        "mine.html exists and was not written by a comparison",
    ),
    (
        ["ours.jsonl", "other.jsonl", "--prompt", "short"],
        "no candidate supports --prompt: remove it",
    ),
    (
        ["ours.jsonl", "other.jsonl", "--timeout", "3", "--language", "German"],
        "--language and --timeout: remove them",
    ),
    (["fake", "pixels", "--prompt", "short", "--prompt", "short"], "two prompts are named 'short'"),
    (["fake", "pixels", "--image-limit", "0"], "--image-limit must be -1 or greater than 0"),
    (["fake", "fake:slots=none"], "fake:slots=none: fake's slots must be a number"),
    (["fake", "pixels", "-v", "-q"], "--verbose and --quiet exclude each other"),
]


@pytest.mark.parametrize(
    ("words", "said"), MISTAKES, ids=[" ".join(words) or "nothing" for words, _ in MISTAKES]
)
def test_mistakes_are_one_line_with_a_cure(
    words: list[str], said: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row = {"image_id": "crimson.jpg", "image_path": str(pictures / "crimson.jpg"), "caption": "A disc."}
    (tmp_path / "ours.jsonl").write_text(json.dumps(row) + "\n")
    (tmp_path / "other.jsonl").write_text(json.dumps({**row, "image_id": "elsewhere.jpg"}) + "\n")
    (tmp_path / "alien.csv").write_text("file,text\n1.jpg,A disc.\n")
    (tmp_path / "mine.html").write_text("my own page")
    there = {path.name for path in tmp_path.iterdir()}
    words = [str(pictures) if word == "PICTURES" else word for word in words]
    done = processes.cutline_here("compare", *words, "--input-path", str(pictures))
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert {path.name for path in tmp_path.iterdir()} == there
    assert (tmp_path / "mine.html").read_text() == "my own page"


def test_pictures_are_needed_where_somebody_is_asked(cutline: Run) -> None:
    ran = cutline("compare", "fake", "pixels")
    assert ran.code == 2
    assert "give --input-path" in ran.err


def test_a_page_that_was_edited_is_not_replaced(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    command = ("compare", "fake", "pixels:no-ocr", "--input-path", str(pictures), "--output-path", "out.html")
    assert cutline(*command).code == 0
    assert cutline(*command).code == 0, "its own page is replaced"
    with (tmp_path / "out.html").open("a") as page:
        page.write("<!-- my notes -->")
    refused = cutline(*command)
    assert refused.code == 2
    assert "choose another --output-path" in refused.err
    assert "my notes" in (tmp_path / "out.html").read_text()


def test_a_chain_is_a_contestant(cutline: Run, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "experts.toml").write_text(
        '[[step]]\nname = "see"\nmodel = "fake"\nprompt = "short"\n'
        '[[step]]\nname = "tell"\nmodel = "fake"\nprompt = "told={see} What else?"\n'
    )
    command = ("compare", "experts.toml", "fake", "--input-path", str(pictures), "--prompt", "detailed")
    ran = cutline(*command, "--output-path", "out.json")
    assert ran.code == 0, ran.err
    row = report(tmp_path / "out.json")["pictures"][0]["answers"]
    assert [step["name"] for step in row["experts.toml"]["steps"]] == ["see", "tell"]
    assert row["experts.toml"]["caption"] == row["experts.toml"]["steps"][1]["text"]
    assert row["fake"]["caption"].endswith("prompted by detailed.")
    page = cutline(*command)
    assert page.code == 0, page.err
    assert (tmp_path / "comparison.html").read_text("utf-8").count("<summary>2 steps</summary>") == 5
    nobody = cutline("compare", "a=experts.toml", "b=experts.toml", *command[3:])
    assert nobody.code == 2
    assert "no candidate supports --prompt" in nobody.err
