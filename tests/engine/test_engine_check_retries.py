"""Captions that a check objects to are requested again, within budgets, and never paid twice."""

from __future__ import annotations

import json

import pytest
from engine_chains import TOKENS, ask

from engine_outputs import captions, journal, report

SHORT = {"content": "A dog.", "times": 1}


@pytest.fixture
def run(experts, pictures, tmp_path):
    folder = pictures(1)

    def run(*arguments, expect=0, output="out.jsonl", **options):
        before = len(experts.get("/asked"))
        done = ask(experts, folder, tmp_path / output, *arguments, **{"model": "a", **options})
        assert done.returncode == expect, done.stderr
        return experts.get("/asked")[before:], done.stderr

    return run


def temperatures(requests):
    return [request["parameters"]["temperature"] for request in requests]


def row(tmp_path, output="out.jsonl"):
    (line,) = (tmp_path / output).read_text().splitlines()
    return json.loads(line)


def test_another_temperature_gives_another_caption(run, experts, tmp_path):
    experts.post("/script", {"a": SHORT})
    requests, said = run("--check", "words=3..:retry")
    assert temperatures(requests) == [None, 0.8]
    assert "words: 1 caption with fewer than 3 words" in said
    caption = row(tmp_path)
    assert caption["caption"].startswith("a sees picture")
    assert caption["checks"] == {"words": {"words": 4, "retried": ["fewer than 3 words"]}}
    assert caption["steps"][0]["attempts"] == 2
    found = report(tmp_path / "out.jsonl")
    assert found["prompt_tokens"] + found["completion_tokens"] == 2 * TOKENS
    assert found["stages"] == {"words": {"retried": 1, "retried captions": 1}}
    requests, _ = run("--check", "words=3..:retry")
    assert requests == []
    assert report(tmp_path / "out.jsonl")["completion_tokens"] == found["completion_tokens"]


def test_a_retry_prompt_is_told_what_was_wrong(run, experts, tmp_path):
    experts.post("/script", {"a": SHORT})
    prompt = "Not {rejected} as {problem}, but more of {stem}."
    requests, _ = run("--check", "words=3..:retry", "--retry-prompt", prompt, "--system-prompt", "Be exact.")
    assert [request["text"] for request in requests][1] == (
        "Not A dog. as the caption has fewer than 3 words: 2, but more of 00000."
    )
    assert temperatures(requests) == [None, None]


def test_when_no_retry_helps_it_is_a_failure_that_can_be_retried(run, experts, tmp_path):
    experts.post("/script", {"a": {"content": "A dog."}})
    requests, said = run("--check", "words=3..:retry", "--check-retries", "3", expect=1)
    assert temperatures(requests) == [None, 0.8, 1.0, 1.2]
    assert "the caption has fewer than 3 words: 2; so it was after 3 retries" in said
    (failure,) = journal(tmp_path / "out.jsonl.cutline").values()
    assert (failure["kind"], failure["attempts"]) == ("words", 4)
    assert report(tmp_path / "out.jsonl")["completion_tokens"] == 4 * 10
    assert run("--check", "words=3..:retry", "--check-retries", "3", expect=1)[0] == []
    experts.post("/script", {})
    requests, _ = run("--check", "words=3..:retry", "--check-retries", "3", "--retry-failed")
    assert temperatures(requests) == [None]
    assert report(tmp_path / "out.jsonl")["completion_tokens"] == 5 * 10


def test_what_was_rejected_is_not_paid_again_when_the_retry_failed(run, experts, tmp_path):
    experts.post("/script", {"a": [{"content": "A dog."}, {"status": 400}]})
    requests, _ = run("--check", "words=3..:retry", expect=1)
    assert temperatures(requests) == [None, 0.8]
    (failure,) = journal(tmp_path / "out.jsonl.cutline").values()
    assert failure["kind"] == "rejected"
    requests, _ = run("--check", "words=3..:retry", "--retry-failed")
    assert temperatures(requests) == [0.8]
    assert report(tmp_path / "out.jsonl")["completion_tokens"] == 2 * 10


def test_a_prompt_with_a_variable_that_is_not_there_costs_nothing(run):
    requests, said = run("--check", "words=3..:retry", "--retry-prompt", "text:{unknown}", expect=1)
    assert requests == []
    assert "the prompt's variable {unknown} is unknown to this sample" in said


def test_other_retries_are_other_settings(run, experts):
    experts.post("/script", {"a": {"content": "A dog."}})
    options = ("--check", "words=3..:retry", "--retry-prompt")
    run(*options, "More!", "--check-retries", "1", expect=1)
    experts.post("/script", {})
    assert run(*options, "Much more!", "--check-retries", "1")[0]
    _, said = run(*options, "Most!", "--check-retries", "1", expect=2)
    assert "; retries 1, prompt default@" in said


def test_the_budget_ends_retries_and_a_larger_one_goes_on_with_them(run, experts, tmp_path):
    experts.post("/script", {"a": {"content": "A dog.", "times": 2}})
    options = ("--check", "words=3..:retry", "--budget-tokens")
    requests, said = run(*options, TOKENS, expect=3)
    assert len(requests) == 1
    assert "the budget of 110 tokens is used up" in said
    requests, _ = run(*options, 10 * TOKENS)
    assert temperatures(requests) == [0.8, 1.0]
    assert report(tmp_path / "out.jsonl")["completion_tokens"] == 3 * 10
    assert row(tmp_path)["checks"]["words"]["retried"] == ["fewer than 3 words"] * 2


def test_only_the_step_of_the_caption_is_repeated_in_a_chain(run, experts, tmp_path):
    experts.post("/script", {"c": SHORT})
    steps = ("--step", "describe=b", "--step", "refine=c")
    requests, _ = run(*steps, "--check", "words=3..:retry", model="pixels")
    assert [(request["model"], request["parameters"]["temperature"]) for request in requests] == [
        ("b", None),
        ("c", None),
        ("c", 0.8),
    ]
    assert [step["attempts"] for step in row(tmp_path)["steps"]] == [1, 2]
    assert report(tmp_path / "out.jsonl")["completion_tokens"] == 3 * 10


def test_a_repair_a_note_and_a_skip_need_no_request(run, experts, tmp_path):
    experts.post("/script", {"a": {"content": "The image shows a dog."}})
    checks = ("--check", "opener:repair", "--check", "words=9..:note")
    requests, said = run(*checks)
    assert len(requests) == 1
    assert captions("jsonl", tmp_path / "out.jsonl") == [("00000.png", "A dog.")]
    assert row(tmp_path)["checks"]["opener"]["removed"] == ["The image shows"]
    assert "opener: repaired 1" in said
    assert "words: 1 caption with fewer than 9 words" in said
    _, said = run("--check", "opener:skip", output="skipped.jsonl")
    assert "1 skipped (1 begins with an opener)" in said
    _, said = run("--check", "opener", output="failed.jsonl", expect=1)
    assert "1 failed (1 opener)" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--model", "pixels", "--check", "words=3..:retry"),
            "pixels has no temperature, and would write the same again; give --retry-prompt, or choose another",
        ),
        (
            ("--model", "fake", "--check-retries", "2"),
            "--check-retries has no effect alone: add a check that",
        ),
        (
            ("--model", "fake", "--retry-prompt", "More"),
            "--retry-prompt has no effect alone: add a check that",
        ),
        (("--model", "fake", "--check-retries", "0"), "--check-retries must be greater than 0, not 0"),
        (
            ("--model", "fake", "--check", "words=3..:repair"),
            "--check words cannot repair a caption; choose fail, retry, skip or note",
        ),
    ],
)
def test_what_cannot_be_retried_or_repaired_is_refused_at_the_start(pictures, tmp_path, arguments, message):
    from processes import cutline_here

    done = cutline_here("caption", pictures(1), tmp_path / "out.jsonl", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "out.jsonl").exists()


def test_a_model_that_refuses_another_temperature_is_told_with_the_cure(pictures, tmp_path, servers):
    from processes import cutline_here

    server = servers("scripted.py", "--folder", ".")
    error = {"error": {"message": "Unsupported value", "param": "temperature", "code": "unsupported_value"}}
    refused = {"field": "temperature", "status": 400, "body": json.dumps(error)}
    server.post("/script", {"content": "A dog.", "refused": refused})
    done = cutline_here(
        "caption", pictures(1), tmp_path / "out.jsonl", "--model", "m", "--endpoint", server.url,
        "--check", "words=3..:retry",
    )  # fmt: skip
    assert done.returncode == 1
    assert "parameter: 00000.png: the retry for --check words has another temperature" in done.stderr
    assert "give --retry-prompt with --check-retries 1" in done.stderr


def test_rows_of_one_picture_share_the_caption_that_passed(experts, pictures, tmp_path):
    folder = pictures(1)
    table = tmp_path / "rows.csv"
    table.write_text("image\n" + "pictures/00000.png\n" * 3)
    experts.post("/script", {"a": [{"content": "A dog."}]})
    done = ask(
        experts, table, tmp_path / "out.jsonl", "--check", "words=3..:retry", model="a",
        max_concurrent_requests=4,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert temperatures(experts.get("/asked")) == [None, 0.8]
    assert len({text for _, text in captions("jsonl", tmp_path / "out.jsonl")}) == 1
    assert report(tmp_path / "out.jsonl")["completion_tokens"] == 2 * 10
    assert folder.is_dir()


def test_of_several_prompts_only_that_of_the_caption_is_repeated(run, experts, tmp_path):
    experts.post("/script", {"a": [{"content": "A dog."}, {"content": "tags"}]})
    requests, _ = run(
        "--prompt", "a=Describe it.", "--prompt", "b=Tags!", "--check", "words=3..:retry",
        max_concurrent_requests=1,
    )  # fmt: skip
    assert sorted(request["text"] for request in requests) == ["Describe it.", "Describe it.", "Tags!"]
    assert report(tmp_path / "out.jsonl")["completion_tokens"] == 3 * 10


def test_a_batch_cannot_retry_and_says_what_can(pictures, tmp_path, service):
    from processes import cutline_here

    done = cutline_here(
        "batch", "submit", pictures(1), tmp_path / "out.jsonl", "--model", "m", "--endpoint", service.url,
        "--check", "words=3..:retry",
    )  # fmt: skip
    assert done.returncode == 2
    assert "a batch cannot retry for --check words: choose fail; once the batch is collected" in done.stderr
