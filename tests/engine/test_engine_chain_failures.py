"""Chains of which a step fails or the process dies: what is kept, and what is paid again."""

from __future__ import annotations

import collections
import os
import signal

import pytest
from engine_chains import OPTIONAL, STEPS, TOKENS, answered, ask, asked, models, spent

from engine_outputs import failures, journal, lines, report
from processes import cutline_here, start_cutline, wait_until

# What fails


def test_what_needs_a_failed_step_fails_with_it_and_the_rest_is_kept(experts, pictures, tmp_path, chain):
    experts.post("/script", {"b": {"content": "", "times": 1}})
    text = """
    step = [
      { name = "describe", model = "a", prompt = "What?" },
      { name = "place", model = "p", prompt = "Where?" },
      { name = "refine", model = "b", prompt = "More than {describe}" },
      { name = "finish", model = "c", prompt = "Polish {refine}" },
    ]
    """
    output = tmp_path / "o.jsonl"
    done = ask(experts, pictures(2), output, *chain(text), max_concurrent_requests=1)
    assert done.returncode == 1
    assert models(experts) == {"a": 2, "p": 2, "b": 2, "c": 1}
    (failed,) = failures(output)
    assert (failed["kind"], failed["reply"]) == ("empty", "")
    assert failed["message"].startswith("step refine: ")
    assert [step["name"] for step in failed["steps"]] == ["describe", "place"]
    assert spent(output) == TOKENS * 7, "the empty answer was paid for too"


@pytest.mark.parametrize("kills", [0, 1])
def test_asking_again_pays_only_for_what_is_missing(kills, experts, pictures, tmp_path):
    folder, output = pictures(5), tmp_path / "o.jsonl"
    experts.post("/script", {"b": {"status": 400}})
    assert ask(experts, folder, output, *STEPS).returncode == 1
    assert models(experts) == {"a": 5, "b": 5}
    assert spent(output) == TOKENS * 5
    for _ in range(kills):  # the next to ask again dies before any answer came
        experts.post("/script", {"b": {"latency": 3600}})
        words = ("--endpoint", experts.url, "--retry-failed", "--quiet")
        process = start_cutline("caption", folder, output, *STEPS, *words)
        wait_until(lambda: models(experts)["b"] == 10)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    experts.post("/script", {"b": {"content": "", "times": 2}})
    assert ask(experts, folder, output, *STEPS, "--retry-failed", max_concurrent_requests=1).returncode == 1
    assert models(experts)["a"] == 5
    assert spent(output) == TOKENS * 13, "5 of a, 5 of b, of which 2 empty, 3 of c"
    experts.post("/script", {})
    done = ask(experts, folder, output, *STEPS, "--retry-failed")
    assert done.returncode == 0, done.stderr
    assert models(experts) == {"a": 5, "b": 12 + 5 * kills, "c": 5}
    assert spent(output) == TOKENS * answered(experts) == TOKENS * 17
    for row in lines(output):
        assert [step["name"] for step in row["steps"]] == ["describe", "refine", "finish"]
        assert row["prompt_tokens"] == 300


def test_another_picture_under_the_name_is_asked_about_anew(experts, pictures, tmp_path):
    folder, output = pictures(2), tmp_path / "o.jsonl"
    experts.post("/script", {"b": {"status": 400}})
    assert ask(experts, folder, output, *STEPS).returncode == 1
    (folder / "00000.png").write_bytes((folder / "00001.png").read_bytes() + b"longer")
    experts.post("/script", {})
    assert ask(experts, folder, output, *STEPS, "--retry-failed").returncode == 0
    assert models(experts)["a"] == 3


def test_an_optional_step_may_fail_and_is_missed_in_words(experts, pictures, tmp_path, chain):
    folder, output = pictures(4), tmp_path / "o.jsonl"
    experts.post("/script", {"b": {"content": "", "times": 3}})
    options = chain(OPTIONAL)
    done = ask(experts, folder, output, *options, max_concurrent_requests=1)
    assert done.returncode == 0, done.stderr
    assert "4 captions" in done.stderr
    assert "3 captions are without the optional step refine (3 empty)" in done.stderr
    assert report(output)["missing_steps"] == {"refine": {"empty": 3}}
    assert spent(output) == TOKENS * 12
    short = [row for row in lines(output) if "refine" not in row["captions"]]
    assert len(short) == 3
    for row in short:
        assert [step["name"] for step in row["steps"]] == ["describe", "tags"]
        assert row["caption"].startswith("a sees picture"), "what it builds on, not the tags before it"
        assert (row["model"], row["prompt_id"].split("@")[0]) == ("a-2026", "describe")
    again = ask(experts, folder, output, *options)
    assert "nothing to caption" in again.stderr
    assert "3 captions are without the optional step refine" in again.stderr


def test_missing_optional_steps_are_asked_again_when_failed_ones_are(experts, pictures, tmp_path, chain):
    folder, output = pictures(4), tmp_path / "o.jsonl"
    experts.post("/script", {"b": {"status": 400}})
    options = chain(OPTIONAL)
    assert ask(experts, folder, output, *options).returncode == 0
    assert report(output)["missing_steps"] == {"refine": {"rejected": 4}}

    experts.post("/script", {"b": {"latency": 3600}})
    process = start_cutline("caption", folder, output, *options, "--endpoint", experts.url, "--retry-failed")
    wait_until(lambda: models(experts)["b"] == 8)
    process.kill()
    process.communicate()
    assert ask(experts, folder, output, *options).returncode == 0
    assert len(lines(output)) == 4, "what was there before is there again"

    experts.post("/script", {})
    done = ask(experts, folder, output, *options, "--retry-failed")
    assert done.returncode == 0, done.stderr
    assert models(experts) == {"a": 4, "t": 4, "b": 12}
    assert report(output)["missing_steps"] == {}
    assert "without the optional" not in done.stderr
    assert all(row["caption"].startswith("b sees") for row in lines(output))
    assert spent(output) == TOKENS * 12


def test_a_caption_without_its_last_step_is_joined_with_the_old_text_only_once(
    experts, pictures, tmp_path, chain
):
    folder = pictures(1)
    (folder / "00000.txt").write_text("Mine.")
    experts.post("/script", {"b": {"status": 400, "times": 1}})
    words = ("--output-format", "sidecar", "--existing", "append")
    assert ask(experts, folder, folder, *chain(OPTIONAL), *words).returncode == 0
    assert (folder / "00000.txt").read_text().startswith("Mine. a sees picture")
    assert ask(experts, folder, folder, *chain(OPTIONAL), *words, "--retry-failed").returncode == 0
    text = (folder / "00000.txt").read_text()
    assert text.startswith("Mine. b sees picture")
    assert "a sees" not in text


def test_a_wrong_key_ends_the_run_even_in_an_optional_step(experts, pictures, tmp_path, chain):
    experts.post("/script", {"b": {"status": 401}})
    output = tmp_path / "o.jsonl"
    done = ask(experts, pictures(3), output, *chain(OPTIONAL), max_concurrent_requests=1)
    assert done.returncode == 3
    assert "no key was sent: set CUTLINE_API_KEY" in done.stderr


# What a death costs


def test_a_kill_in_the_middle_of_a_chain_costs_only_what_was_under_way(experts, pictures, tmp_path):
    folder, output = pictures(6), tmp_path / "o.jsonl"
    experts.post("/script", {"c": {"latency": 3600}})
    process = start_cutline("caption", folder, output, *STEPS, "--endpoint", experts.url, "--quiet")
    wait_until(lambda: models(experts)["c"] == 6)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    experts.post("/script", {})
    done = ask(experts, folder, output, *STEPS)
    assert done.returncode == 0, done.stderr
    assert models(experts) == {"a": 6, "b": 6, "c": 12}
    assert spent(output) == TOKENS * answered(experts) == TOKENS * 18
    assert len(journal(f"{output}.cutline")) == 6
    assert report(output)["this_run"]["captions"] == 6
    before = output.read_bytes()
    assert ask(experts, folder, output, *STEPS).returncode == 0
    assert output.read_bytes() == before
    assert models(experts) == {"a": 6, "b": 6, "c": 12}


def test_kills_at_any_moment_never_pay_for_an_answer_twice_that_was_kept(experts, pictures, tmp_path):
    folder, output, at_once, kills = pictures(40), tmp_path / "o.jsonl", 4, 3
    experts.post("/script", {model: {"latency": 0.02} for model in "abc"})
    words = (*STEPS, "--endpoint", experts.url, "--quiet", "--max-concurrent-requests", at_once)
    for kill in range(1, kills + 1):
        process = start_cutline("caption", folder, output, *words)
        wait_until(lambda: len(asked(experts)) >= 25 * kill or process.poll() is not None)  # noqa: B023
        process.kill()
        process.communicate()
    assert cutline_here("caption", folder, output, *words).returncode == 0
    times = collections.Counter((entry["model"], entry["picture"]) for entry in asked(experts))
    assert len(times) == 120
    assert sum(times.values()) - 120 <= 3 * at_once * kills, "three models, each with so many under way"
    assert [row["image_id"] for row in lines(output)] == sorted(path.name for path in folder.iterdir())
    assert spent(output) <= TOKENS * answered(experts)
