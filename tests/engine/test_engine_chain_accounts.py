"""What chains cost, and what counts as another chain."""

from __future__ import annotations

import pytest
from engine_chains import FILE, OPTIONAL, STEPS, ask, asked, models

from engine_outputs import report
from processes import cutline_here

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


def test_a_budget_of_tokens_is_used_up_by_a_chain_that_answers_at_once(pictures, tmp_path):
    """Steps of pictures that are half done do not look like the cost of whole ones."""
    output = tmp_path / "o.jsonl"
    steps = ("--step", "look=fake", "--step", "refine=fake")
    done = cutline_here("caption", pictures(80), output, *steps, "--budget-tokens", "640")
    assert done.returncode == 3, done.stderr
    summed = report(output)
    used, most = summed["prompt_tokens"] + summed["completion_tokens"], summed["captions"]
    assert 640 <= used < 640 + 2 * used / most, "it is passed by about one picture"


def test_a_budget_that_nothing_counts_for_stops_the_run(pictures, tmp_path):
    output = tmp_path / "o.jsonl"
    done = cutline_here("caption", pictures(60), output, "--model", "pixels", "--budget-tokens", "5000")
    assert done.returncode == 3
    assert "--budget-tokens cannot be kept" in done.stderr
    assert 10 <= report(output)["captions"] < 60
    assert cutline_here("caption", pictures(60), output, "--model", "pixels").returncode == 0


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
    assert "00000.png describe: a sees picture" in said
    assert "tags: t sees picture" in said
    assert "refine: missing (empty); the step is optional" in said


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

REQUESTED = {
    "model": 2,
    "prompt": 1,
    "parameter": 1,
    "option": 1,
    "caption": 0,
    "optional": 0,
    "name": 1,
    "order": 3,
}
"""Requests that the new chain needs: of the step that changed, and of those whose prompts hold another text."""


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
    assert len(asked(experts)) == 4 + REQUESTED[change], (
        "steps whose requests are the same keep their replies"
    )
    again = ask(experts, folder, output, *chain(CHANGES[change]), "--on-change", "redo-all")
    assert again.returncode == 0
    assert len(asked(experts)) == 4 + REQUESTED[change]


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
