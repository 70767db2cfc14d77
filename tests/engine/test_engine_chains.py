"""Chains of models from the command line: who is asked what, what is kept, and what is paid again."""

from __future__ import annotations

import collections
import csv
import json
import os
import signal

import pyarrow.parquet
import pytest
from engine_outputs import failures, journal, lines, report

from processes import cutline_here, start_cutline, wait_until
from server_process import Server

TOKENS = 110  # of every answer
STEPS = ("--step", "describe=a", "--step", "refine=b", "--step", "finish=c")


@pytest.fixture(scope="module")
def _experts():
    with Server("experts.py") as server:
        yield server


@pytest.fixture
def experts(_experts):
    """An endpoint with any number of models, each to be scripted."""
    _experts.post("/forget", {})
    return _experts


@pytest.fixture
def chain(tmp_path):
    """Writes a chain file; returns the option that names it."""

    def write(text, name="chain.toml"):
        (tmp_path / name).write_text(text)
        return ("--chain", tmp_path / name)

    return write


def ask(experts, folder, output, *arguments, **options):
    """One run of the command line at the endpoint."""
    chosen = {"endpoint": experts.url, "retry_delay": 0.02, "max_retries": 0, **options}
    words = [word for name, value in chosen.items() for word in (f"--{name.replace('_', '-')}", value)]
    return cutline_here("caption", folder, output, *arguments, *words)


def asked(experts, model=None):
    """What was asked, or what one model was asked, in the order of arrival."""
    return [entry for entry in experts.get("/asked") if model in {None, entry["model"]}]


def models(experts):
    return collections.Counter(entry["model"] for entry in asked(experts))


def answered(experts):
    return sum(entry["answered"] for entry in asked(experts))


def spent(output):
    told = report(output)
    return told["prompt_tokens"] + told["completion_tokens"]


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


FILE = """
caption = "merge"

[[step]]
name = "objects"
model = "a"
prompt = "List the objects."
max_tokens = 40
temperature = 0.5

[[step]]
name = "place"
model = "b"
prompt = "ask/place.json"

[[step]]
name = "merge"
model = "c"
prompt = "From {objects} and {place}, one text; {{objects}} stays. File {stem}."
seed = 7

[[step]]
name = "tags"
model = "a"
prompt = "Tags for {previous}"
"""


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


OPTIONAL = """
[[step]]
name = "describe"
model = "a"
[[step]]
name = "tags"
model = "t"
prompt = "Tags"
[[step]]
name = "refine"
model = "b"
prompt = "More than {describe}"
optional = true
"""


def test_an_optional_step_may_fail_and_is_missed_in_words(experts, pictures, tmp_path, chain):
    folder, output = pictures(4), tmp_path / "o.jsonl"
    experts.post("/script", {"b": {"content": "", "times": 3}})
    options = chain(OPTIONAL)
    done = ask(experts, folder, output, *options, max_concurrent_requests=1)
    assert done.returncode == 0, done.stderr
    assert "4 captions" in done.stderr
    assert "3 captions are without the optional step refine" in done.stderr
    assert report(output)["missing_steps"] == {"refine": 3}
    assert spent(output) == TOKENS * 12
    short = [row for row in lines(output) if "refine" not in row["captions"]]
    assert len(short) == 3
    for row in short:
        assert [step["name"] for step in row["steps"]] == ["describe", "tags"]
        assert row["caption"].startswith("a sees picture"), "what it builds on, not the tags before it"
        assert (row["model"], row["prompt_id"].split("@")[0]) == ("a-2026", "describe")
    again = ask(experts, folder, output, *options)
    assert "nothing was asked" in again.stderr
    assert "3 captions are without the optional step refine" in again.stderr


def test_missing_optional_steps_are_asked_again_when_failed_ones_are(experts, pictures, tmp_path, chain):
    folder, output = pictures(4), tmp_path / "o.jsonl"
    experts.post("/script", {"b": {"status": 400}})
    options = chain(OPTIONAL)
    assert ask(experts, folder, output, *options).returncode == 0
    assert report(output)["missing_steps"] == {"refine": 4}

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


# What it costs


PRICES = """
[endpoint.a]
input = 1000.0
output = 0.0
[endpoint.b]
input = 0.0
output = 100000.0
"""


def test_each_step_is_priced_by_its_own_model(experts, pictures, tmp_path):
    (tmp_path / "prices.toml").write_text(PRICES)
    folder, output = pictures(4), tmp_path / "o.jsonl"
    experts.post("/script", {"b": {"content": "", "times": 1}})
    prices = ("--prices", tmp_path / "prices.toml")
    assert ask(experts, folder, output, *STEPS[:4], *prices).returncode == 1
    assert report(output)["cost_usd"] == pytest.approx(4 * (0.1 + 1.0))
    done = ask(experts, folder, output, *STEPS[:4], *prices, "--retry-failed")
    assert done.returncode == 0
    assert report(output)["cost_usd"] == pytest.approx(4 * 0.1 + 5 * 1.0)
    # What an earlier run asked of another model keeps that model's price.
    done = ask(experts, folder, output, "--model", "a", *prices, "--on-change", "redo-all")
    assert done.returncode == 0, done.stderr
    assert report(output)["cost_usd"] == pytest.approx(8 * 0.1 + 5 * 1.0)


def test_a_money_budget_needs_the_price_of_every_model(experts, pictures, tmp_path):
    (tmp_path / "prices.toml").write_text(PRICES)
    folder, output = pictures(30), tmp_path / "o.jsonl"
    done = ask(experts, folder, output, *STEPS, max_cost=1)
    assert done.returncode == 2
    assert done.stderr == (
        "cutline: --max-cost needs a price for endpoint:a and endpoint:b and endpoint:c: "
        "give it with --prices FILE\n"
    )
    done = ask(experts, folder, output, *STEPS, prices=tmp_path / "prices.toml", max_cost=1)
    assert done.returncode == 2
    assert "has no price for endpoint:c" in done.stderr
    assert not asked(experts)
    options = {"prices": tmp_path / "prices.toml", "max_concurrent_requests": 1}
    done = ask(experts, folder, output, *STEPS[:4], max_cost=5, **options)
    assert done.returncode == 3
    assert 3 <= report(output)["cost_usd"] < 7


def test_an_estimate_reckons_with_every_step(experts, pictures, tmp_path):
    (tmp_path / "prices.toml").write_text(PRICES)
    done = ask(
        experts, pictures(4), tmp_path / "o.jsonl", *STEPS[:4], "--estimate", prices=tmp_path / "prices.toml"
    )
    assert done.returncode == 0, done.stderr
    assert "800 tokens in, 80 out · $4.40" in done.stdout


def test_a_preview_shows_every_step(experts, pictures, tmp_path, chain):
    experts.post("/script", {"b": {"content": ""}})
    done = ask(experts, pictures(2), tmp_path / "o.jsonl", *chain(OPTIONAL), "--preview", 1)
    assert done.returncode == 0, done.stderr
    said = " ".join(done.stdout.split())
    assert "00000.png a sees picture" in said
    assert "tags: t sees picture" in said
    assert "refine: missing (empty), which the chain allows" in said


# What counts as another chain


CHANGES = {
    "model": FILE.replace('model = "b"', 'model = "bb"'),
    "prompt": FILE.replace("List the", "Count the"),
    "parameter": FILE.replace("seed = 7", "seed = 8"),
    "option": FILE.replace("seed = 7", "seed = 7\nmax_side = 99"),
    "caption": FILE.replace('caption = "merge"', ""),
    "optional": FILE.replace("seed = 7", "seed = 7\noptional = true"),
    "name": FILE.replace('name = "tags"', 'name = "words"'),
    "order": FILE.replace('name = "objects"', 'name = "x"')
    .replace('name = "place"', 'name = "objects"')
    .replace('name = "x"', 'name = "place"'),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_chain_is_noticed(change, experts, pictures, tmp_path, chain):
    (tmp_path / "ask").mkdir()
    (tmp_path / "ask/place.json").write_text('{"prompt_prefix": "Where is this?"}')
    folder, output = pictures(1), tmp_path / "o.jsonl"
    assert ask(experts, folder, output, *chain(FILE)).returncode == 0
    assert ask(experts, folder, output, *chain(FILE)).returncode == 0
    assert len(asked(experts)) == 4, "the same chain again asks nothing"
    done = ask(experts, folder, output, *chain(CHANGES[change]))
    assert done.returncode == 2
    assert "begun with other settings" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert ask(experts, folder, output, *chain(CHANGES[change]), "--on-change", "redo-all").returncode == 0
    assert len(asked(experts)) == 8, "all is asked anew when that is asked for"


def test_answers_to_a_question_that_changed_are_not_used_again(experts, pictures, tmp_path, chain):
    """The failed picture has a description by another prompt: it is asked again, and what follows too."""
    folder, output = pictures(1), tmp_path / "o.jsonl"
    text = """
    step = [
      { name = "describe", model = "a", prompt = "What?" },
      { name = "place", model = "p", prompt = "Where?" },
      { name = "refine", model = "b", prompt = "More than {describe}" },
      { name = "finish", model = "c", prompt = "{refine} {place}" },
    ]
    """
    experts.post("/script", {"c": {"status": 400}})
    assert ask(experts, folder, output, *chain(text)).returncode == 1
    experts.post("/script", {"a": {"content": "Something else."}})
    changed = chain(text.replace("What?", "Which?"))
    done = ask(experts, folder, output, *changed, "--on-change", "redo-failed")
    assert done.returncode == 0, done.stderr
    assert models(experts) == {"a": 2, "p": 1, "b": 2, "c": 2}
    assert asked(experts, "b")[-1]["text"] == "More than Something else."
