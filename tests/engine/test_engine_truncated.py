"""Replies that were cut at the token limit, and what --truncated makes of them."""

from __future__ import annotations

import json

import pytest

from engine_outputs import captions, failures, report
from processes import cutline_here


@pytest.mark.parametrize("reason", ["length", "MAX_TOKENS"])
@pytest.mark.parametrize(("truncated", "ending"), [("keep", "It was cut in the mid"), ("sentence", ".")])
def test_what_was_cut_is_used(reason, truncated, ending, endpoint, pictures, tmp_path):
    endpoint.configure(fault={reason: 1.0})
    output = tmp_path / "captions.jsonl"
    done = cutline_here("caption", pictures(3), output, *endpoint.arguments(), "--truncated", truncated)
    assert done.returncode == 0, done.stderr
    texts = [text for _, text in captions("jsonl", output)]
    assert len(texts) == 3
    assert all(text.startswith("A test caption of picture ") and text.endswith(ending) for text in texts)
    assert endpoint.stats()["requests"] == 3


def tokens_of(output):
    """The tokens of all runs."""
    return {name: value for name, value in report(output).items() if name.endswith("_tokens")}


@pytest.mark.parametrize("prompt", ["short", "Say what {file_name} shows."])
def test_what_an_earlier_run_paid_for_is_used_without_a_request(prompt, endpoint, pictures, tmp_path):
    endpoint.configure(fault={"length": 1.0})
    output = tmp_path / "captions.jsonl"
    arguments = ("caption", pictures(4), output, *endpoint.arguments(), "--prompt", prompt)
    failed = cutline_here(*arguments)
    assert failed.returncode == 1
    assert "--truncated sentence" in failed.stderr, "the summary names what helps"
    assert {row["kind"] for row in failures(output)} == {"truncated"}
    tokens = tokens_of(output)
    before = endpoint.stats()["requests"]
    done = cutline_here(*arguments, "--truncated", "sentence")
    assert done.returncode == 0, done.stderr
    assert endpoint.stats()["requests"] == before, "it was paid for"
    assert len(captions("jsonl", output)) == 4
    assert tokens_of(output) == tokens
    again = cutline_here(*arguments, "--truncated", "keep")
    assert again.returncode == 0, again.stderr
    assert endpoint.stats()["requests"] == before


def test_a_chain_goes_on_from_what_was_cut(endpoint, pictures, tmp_path):
    endpoint.configure(fault={"length": 1.0})
    chain = tmp_path / "chain.toml"
    url = json.dumps(endpoint.url)
    chain.write_text(
        f'[[step]]\nname = "one"\nmodel = "endpoint:m"\nendpoint = {url}\ntruncated = "keep"\n'
        f'[[step]]\nname = "two"\nmodel = "endpoint:m"\nendpoint = {url}\n'
    )
    output = tmp_path / "captions.jsonl"
    arguments = ("caption", pictures(2), output, "--chain", chain)
    assert cutline_here(*arguments).returncode == 1
    assert {row["message"].partition(":")[0] for row in failures(output)} == {"step two"}
    before = endpoint.stats()["requests"]
    done = cutline_here(*arguments, "--truncated", "keep")
    assert done.returncode == 0, done.stderr
    assert endpoint.stats()["requests"] == before
    assert len(captions("jsonl", output)) == 2


def test_a_reply_without_a_whole_sentence_stays_a_failure(endpoint, pictures, tmp_path):
    endpoint.configure(fault={"length": 1.0})
    output = tmp_path / "captions.jsonl"
    schema = '{"type": "object", "properties": {"caption": {"type": "string"}}}'
    options = (*endpoint.arguments(), "--truncated", "keep", "--schema", schema)
    assert cutline_here("caption", pictures(2), output, *options).returncode == 1
    [message] = {row["message"] for row in failures(output)}
    assert "the answer was cut, and there is no JSON object in the reply; raise --max-tokens" in message
    assert {row["kind"] for row in failures(output)} == {"truncated"}
