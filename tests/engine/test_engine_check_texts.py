"""Checks that look at the prompt, at other captions or at a file, in whole runs."""

from __future__ import annotations

import json

import pytest
from engine_chains import ask

import cutline
from cutline.errors import ConfigError
from engine_outputs import captions, journal, report
from engine_pictures import png
from processes import cutline_here, start_cutline, wait_until

DOG = {"a": {"content": "A dog on a beach."}}


@pytest.fixture
def run(experts, pictures, tmp_path):
    def run(*arguments, expect=0, output="out.jsonl", **options):
        before = len(experts.get("/asked"))
        folder = tmp_path / "pictures"
        done = ask(experts, folder, tmp_path / output, *arguments, **{"model": "a", **options})
        assert done.returncode == expect, done.stderr
        return experts.get("/asked")[before:], done.stderr

    return run


@pytest.mark.parametrize("at_once", [1, 16])
def test_no_more_pictures_than_allowed_have_one_text(run, experts, pictures, tmp_path, at_once):
    pictures(12)
    experts.post("/script", DOG)
    _, said = run("--check", "same=3:skip", max_concurrent_requests=at_once)
    assert "9 skipped (9 text of more than 3 pictures)" in said
    assert len(captions("jsonl", tmp_path / "out.jsonl")) == 3


def test_it_holds_over_resumes_and_a_changed_picture_makes_room(run, experts, pictures, tmp_path):
    folder = pictures(6)
    experts.post("/script", DOG)
    limits = ("--check", "same=2")
    run(*limits, "--image-limit", "2")
    _, said = run(*limits, "--image-limit", "4", expect=1)
    assert "2 failed (2 same)" in said
    assert "2 other pictures have the same caption" in said
    first, *_ = captions("jsonl", tmp_path / "out.jsonl")
    (folder / first[0]).write_bytes(png() + bytes(5))
    run(*limits, "--image-limit", "4", expect=1)
    assert len(captions("jsonl", tmp_path / "out.jsonl")) == 2
    run("--check", "same=4", "--on-change", "redo-failed", expect=1)
    assert len(captions("jsonl", tmp_path / "out.jsonl")) == 4


def test_copies_of_a_picture_are_one_picture(run, experts, pictures, tmp_path):
    folder = pictures(1)
    for number in range(4):
        (folder / f"copy-{number}.png").write_bytes((folder / "00000.png").read_bytes())
    experts.post("/script", DOG)
    run("--check", "same=1")
    assert len(captions("jsonl", tmp_path / "out.jsonl")) == 5


def test_a_retry_gives_the_other_pictures_texts_of_their_own(run, experts, pictures, tmp_path):
    pictures(4)
    experts.post("/script", {"a": {"content": "A dog.", "times": 4}})
    requests, said = run("--check", "same=1:retry", max_concurrent_requests=4)
    assert len(requests) == 7
    assert "same: retried 3" in said
    texts = [text for _, text in captions("jsonl", tmp_path / "out.jsonl")]
    assert len(set(texts)) == 4


def test_the_prompt_is_looked_for_also_in_that_of_a_retry(run, experts, pictures, tmp_path):
    pictures(1)
    texts = ["Describe this image in detail.", "Tell what is on it in one line: a dog", "A dog."]
    experts.post("/script", {"a": [{"content": text} for text in texts]})
    prompt = ("--retry-prompt", "Tell what is on it in one line.")
    requests, _ = run("--check", "echo:retry", *prompt)
    assert len(requests) == 3
    assert captions("jsonl", tmp_path / "out.jsonl") == [("00000.png", "A dog.")]
    assert report(tmp_path / "out.jsonl")["stages"]["echo"]["retried"] == 2


def test_banned_words_of_a_job_file_lie_beside_it(pictures, tmp_path):
    folder = pictures(2)
    (tmp_path / "words.txt").write_text("checksum\n")
    job = tmp_path / "job.toml"
    job.write_text(
        f'input_path = "{folder.name}"\noutput_path = "out.jsonl"\n'
        '[model]\nmodel = "fake"\n[checks]\ncheck = ["banned=words.txt:skip"]\n'
    )
    done = cutline_here("run", job)
    assert done.returncode == 0, done.stderr
    assert "2 skipped (2 has a banned word)" in done.stderr
    found = journal(tmp_path / "out.jsonl.cutline")
    assert {tuple(skip["value"]["banned"]) for skip in found.values()} == {("checksum",)}


def test_the_list_of_banned_words_is_not_written_over(pictures, tmp_path):
    words = tmp_path / "words.csv"
    words.write_text("dog\n")
    done = cutline_here("caption", pictures(1), words, "--model", "fake", "--check", f"banned={words}")
    assert done.returncode == 2
    assert words.read_text() == "dog\n"


def test_a_structured_caption_is_looked_at_in_all_its_texts(run, experts, pictures, tmp_path):
    pictures(1)
    reply = {"short": "A dog.", "long": "The image shows a dog that runs along a beach.", "tags": ["dog"]}
    experts.post("/script", {"a": {"content": json.dumps(reply)}})
    schema = {"type": "object", "properties": {name: {} for name in reply}, "required": list(reply)}
    run("--check", "opener:repair", "--schema", json.dumps(schema))
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert row["fields"]["long"] == "A dog that runs along a beach."
    assert row["checks"]["opener"]["fields"] == {"long": {"opener": "The image shows"}}


def test_python_takes_the_same_and_a_loaded_model_retries_too(experts, pictures, tmp_path):
    folder = pictures(2)
    experts.post("/script", {"a": {"content": "The image shows a dog.", "times": 2}})
    found = cutline.caption(
        folder,
        tmp_path / "out.jsonl",
        model="a",
        endpoint=experts.url,
        check=["opener:retry"],
        retry_prompt="Again!",
        check_retries=1,
    )
    assert [row["steps"][0]["attempts"] for row in found] == [2, 2]
    experts.post("/script", {"a": {"content": "Dog.", "times": 1}})
    with cutline.load("a", endpoint=experts.url, check="words=2..:retry") as model:
        caption = model.caption(folder / "00000.png")
        assert caption.caption.startswith("a sees picture")
        assert caption.completion_tokens == 2 * 10
    with pytest.raises(ConfigError, match="check='same' compares the captions of a run: leave it out"):
        cutline.load("a", endpoint=experts.url, check="same=2")


def test_the_death_of_a_run_among_retries_costs_what_was_under_way(experts, pictures, tmp_path):
    folder = pictures(6)
    experts.post("/script", {"a": {"content": "A dog.", "latency": 0.15}})
    arguments = (
        "caption", folder, tmp_path / "out.jsonl", "--model", "a", "--endpoint", experts.url,
        "--check", "words=3..:retry", "--check-retries", "8", "--max-concurrent-requests", "2",
    )  # fmt: skip
    process = start_cutline(*arguments)
    wait_until(lambda: len(experts.get("/asked")) >= 9)
    process.kill()
    process.wait()
    before = len(experts.get("/asked"))
    experts.post("/script", {"a": {"content": "A dog."}})
    done = cutline_here(*arguments)
    assert done.returncode == 1
    asked = len(experts.get("/asked"))
    assert 6 * 9 <= asked <= 6 * 9 + 2
    assert asked > before
    assert report(tmp_path / "out.jsonl")["completion_tokens"] == 6 * 9 * 10
