"""Chains of models from the command line: who is asked what, when, and what is kept."""

from __future__ import annotations

import csv
import json

import pyarrow.parquet
import pytest
from engine_chains import FILE, STEPS, ask, asked, models

from engine_outputs import failures, lines

# What is asked


def test_each_later_step_is_given_the_text_before_it(experts, pictures, tmp_path):
    output = tmp_path / "out.jsonl"
    done = ask(experts, pictures(3), output, *STEPS)
    assert done.returncode == 0, done.stderr
    assert models(experts) == {"a": 3, "b": 3, "c": 3}
    for entry in asked(experts, "a"):
        assert "structured paragraphs" in entry["text"]
    for model, before in (("b", "a"), ("c", "b")):
        for entry in asked(experts, model):
            assert f"\n{before} sees picture {entry['picture']}.\n" in entry["text"]
            assert "left out" in entry["text"]
    for row in lines(output):
        picture = row["caption"].removeprefix("c sees picture ")
        assert row["captions"] == {
            name: f"{model} sees picture {picture}"
            for name, model in (("describe", "a"), ("refine", "b"), ("finish", "c"))
        }
        assert (row["model"], row["prompt_id"].split("@")[0]) == ("c-2026", "finish")


def test_the_first_step_gets_the_prompt_of_the_job(experts, pictures, tmp_path):
    done = ask(experts, pictures(1), tmp_path / "o.jsonl", *STEPS[:4], "--prompt", "What stands in {stem}?")
    assert done.returncode == 0, done.stderr
    assert asked(experts, "a")[0]["text"] == "What stands in 00000?"
    assert "\na sees picture" in asked(experts, "b")[0]["text"]


def test_a_chain_file_says_all_of_each_step(experts, pictures, tmp_path, chain):
    (tmp_path / "ask").mkdir()
    (tmp_path / "ask/place.json").write_text('{"prompt_prefix": "Where is this?", "system_prompt": "Short."}')
    output = tmp_path / "out.jsonl"
    done = ask(experts, pictures(2), output, *chain(FILE), top_p=0.9)
    assert done.returncode == 0, done.stderr
    said = {(entry["model"], entry["text"].split()[0]): entry for entry in asked(experts)}
    picture = said["c", "From"]["picture"]
    assert said["c", "From"]["text"].startswith(
        f"From a sees picture {picture}. and b sees picture {picture}."
    )
    assert "; {objects} stays. File 0000" in said["c", "From"]["text"]
    assert said["b", "Where"]["text"] == "Where is this?"
    tags = said["a", "Tags"]
    assert tags["text"] == f"Tags for c sees picture {tags['picture']}."
    usual = {"max_tokens": 512, "temperature": None, "top_p": 0.9, "seed": None}
    assert said["a", "List"]["parameters"] == usual | {"max_tokens": 40, "temperature": 0.5}
    assert said["c", "From"]["parameters"] == usual | {"seed": 7}
    assert tags["parameters"] == usual
    for row in lines(output):
        assert row["caption"].startswith("c sees picture")
        assert list(row["captions"]) == ["objects", "place", "merge", "tags"]


@pytest.mark.parametrize("schema", ['"schema.json"', '{ type = "object", required = ["short"] }'])
def test_fields_of_a_structured_step_can_be_used(schema, experts, pictures, tmp_path, chain):
    experts.post("/script", {"a": {"content": '{"short": "A mast", "colour": {"sky": "grey"}}'}})
    (tmp_path / "schema.json").write_text('{"type": "object", "required": ["short"]}')
    text = """
    [[step]]
    name = "facts"
    model = "a"
    prompt = "Facts."
    schema = SCHEMA
    [[step]]
    name = "tell"
    model = "b"
    prompt = "{facts.short} below a {facts.colour.sky} sky ({previous.short})"
    """
    done = ask(experts, pictures(1), tmp_path / "o.jsonl", *chain(text.replace("SCHEMA", schema)))
    assert done.returncode == 0, done.stderr
    assert asked(experts, "b")[0]["text"] == "A mast below a grey sky (A mast)"
    assert lines(tmp_path / "o.jsonl")[0]["fields"] is None, "those of the caption's step"


def test_a_steps_text_wins_over_a_column_of_its_name(experts, pictures, tmp_path, chain):
    pictures(1)
    (tmp_path / "table.csv").write_text("image,describe,colour\npictures/00000.png,from the table,red\n")
    text = """
    step = [
      { name = "describe", model = "a", prompt = "Is it {colour}?" },
      { name = "refine", model = "b", prompt = "{describe} And {colour}?" },
    ]
    """
    done = ask(experts, tmp_path / "table.csv", tmp_path / "o.jsonl", *chain(text))
    assert done.returncode == 0, done.stderr
    assert asked(experts, "a")[0]["text"] == "Is it red?"
    assert asked(experts, "b")[0]["text"].startswith("a sees picture")
    assert asked(experts, "b")[0]["text"].endswith(". And red?")


def test_what_a_sample_lacks_for_a_later_step_is_found_before_anything_is_paid(
    experts, pictures, tmp_path, chain
):
    pictures(2)
    (tmp_path / "table.csv").write_text("image,colour\npictures/00000.png,red\npictures/00001.png,\n")
    text = """
    step = [
      { name = "describe", model = "a", prompt = "What?" },
      { name = "refine", model = "b", prompt = "{describe} And {colour}?" },
    ]
    """
    output = tmp_path / "o.jsonl"
    done = ask(experts, tmp_path / "table.csv", output, *chain(text))
    assert done.returncode == 1
    assert models(experts) == {"a": 1, "b": 1}
    (row,) = failures(output)
    assert (row["kind"], row["steps"]) == ("prompt-variable", [])
    assert row["message"].startswith("step refine: this sample has no value")


@pytest.mark.parametrize("prompt", ["From {lock}: what?", "{colour}", "{describe_text} And?"])
def test_a_variable_that_nothing_has_is_found_before_a_step_that_needs_none_is_paid(
    experts, pictures, tmp_path, chain, prompt
):
    pictures(2)
    text = f"""
    step = [
      {{ name = "describe", model = "a", prompt = "What?" }},
      {{ name = "write", model = "b", prompt = "{prompt}" }},
    ]
    """
    done = ask(experts, tmp_path / "pictures", tmp_path / "o.jsonl", *chain(text))
    assert done.returncode in {1, 2}
    assert models(experts) == {}


# When it is asked


def test_steps_run_side_by_side_and_each_as_soon_as_it_has_what_it_needs(experts, pictures, tmp_path, chain):
    """``slow`` is only answered while ``d`` is asked, and ``d`` needs ``b``, which needs ``a``."""
    experts.post("/script", {"slow": {"with": ["d"]}, "d": {"latency": 0.3}})
    text = """
    step = [
      { name = "slow", model = "slow", prompt = "Slowly" },
      { name = "a", model = "a", prompt = "First" },
      { name = "b", model = "b", prompt = "Then {a}" },
      { name = "d", model = "d", prompt = "Last {b}" },
    ]
    """
    done = ask(experts, pictures(3), tmp_path / "o.jsonl", *chain(text))
    assert done.returncode == 0, done.stderr
    assert models(experts) == {"slow": 3, "a": 3, "b": 3, "d": 3}


def test_several_prompts_go_on_being_asked_side_by_side_with_the_first_as_caption(
    experts, pictures, tmp_path
):
    output = tmp_path / "o.jsonl"
    prompts = ("--model", "m", "--prompt", "one=What?", "--prompt", "two=Not {{one}} but where?")
    assert ask(experts, pictures(2), output, *prompts).returncode == 0
    texts = {entry["text"] for entry in asked(experts)}
    assert texts == {"What?", "Not {one} but where?"}
    assert {row["prompt_id"].split("@")[0] for row in lines(output)} == {"one"}


# Where it is kept


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet"])
def test_every_steps_text_prompt_model_tokens_and_seconds_are_in_the_output(
    form, experts, pictures, tmp_path
):
    output = tmp_path / f"out.{form}"
    assert ask(experts, pictures(2), output, *STEPS).returncode == 0
    if form == "parquet":
        rows = pyarrow.parquet.read_table(output).to_pylist()
    elif form == "csv":
        rows = list(csv.DictReader(output.read_text("utf-8").splitlines()))
    else:
        rows = lines(output) if form == "jsonl" else json.loads(output.read_bytes())
    assert len(rows) == 2
    for row in rows:
        steps = row["steps"] if isinstance(row["steps"], list) else json.loads(row["steps"])
        assert [step["name"] for step in steps] == ["describe", "refine", "finish"]
        assert [step["model"] for step in steps] == ["a-2026", "b-2026", "c-2026"]
        for step in steps:
            assert step["text"].startswith(f"{step['model'][0]} sees picture")
            assert step["prompt_id"].startswith(f"{step['name']}@")
            assert (step["prompt_tokens"], step["completion_tokens"]) == (100, 10)
            assert step["seconds"] > 0
            assert (step["attempts"], step["finish_reason"]) == (1, "stop")
        assert int(row["prompt_tokens"]) == 300
        assert float(row["seconds"]) == pytest.approx(sum(step["seconds"] for step in steps))


def test_the_response_that_is_kept_is_that_of_the_captions_step(experts, pictures, tmp_path):
    output = tmp_path / "out.parquet"
    assert ask(experts, pictures(1), output, *STEPS).returncode == 0
    (row,) = pyarrow.parquet.read_table(output).to_pylist()
    assert json.loads(row["llm"])["model"] == "c-2026"


def test_a_chain_can_write_sidecars(experts, pictures):
    folder = pictures(2)
    done = ask(experts, folder, folder, "--output-format", "sidecar", *STEPS)
    assert done.returncode == 0, done.stderr
    assert (folder / "00001.txt").read_text().startswith("c sees picture")
