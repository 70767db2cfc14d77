"""What batches cost, what they refuse, and what they keep to themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from batching import collect, outcomes, state_of

from engine_outputs import report
from engine_pictures import fill
from processes import cutline, cutline_here

KEY = "sk-batch-0123456789abcdef"
SHADES = Path(__file__).parents[2] / "examples" / "plugin" / "cutline_shades.py"


@pytest.fixture
def prices(tmp_path):
    """A hundred and twenty tokens, as the service counts each picture, cost 12 cents; in a batch 6."""
    path = tmp_path / "prices.toml"
    path.write_text('[endpoint."test"]\ninput = 1000.0\noutput = 1000.0\nbatch = 0.5\n')
    return ("--prices", path)


# Money


def test_an_estimate_compares_both_prices(service, pictures, tmp_path, prices):
    folder, output = pictures(100), tmp_path / "captions.jsonl"
    for command in (("caption",), ("batch", "submit")):
        done = cutline_here(*command, folder, output, *service.arguments(), *prices, "--estimate")
        assert done.returncode == 0, done.stderr
        assert "$12.00" in done.stdout
        assert "by `cutline batch submit`, within a day: $6.00" in done.stdout
    assert service.stats["uploads"] == 0
    done = service.submit(folder, output, *prices, "--estimate", "--max-cost", 7)
    assert "stop" not in done.stdout
    done = service.submit(folder, output, *prices, "--estimate", "--max-cost", 5)
    assert "--max-cost 5" in done.stdout


def test_answers_of_a_batch_count_half(service, pictures, tmp_path, prices):
    folder, output = pictures(10), tmp_path / "captions.jsonl"
    assert service.caption(folder, output, *prices, "--image-limit", 4).returncode == 0
    assert report(output)["cost_usd"] == pytest.approx(4 * 0.12)
    assert service.submit(folder, output, *prices).returncode == 0
    service.answer_all()
    assert collect(output).returncode == 0
    assert report(output)["cost_usd"] == pytest.approx(4 * 0.12 + 6 * 0.06)
    fill(folder, 2, start=10)
    assert service.caption(folder, output, *prices).returncode == 0
    assert report(output)["cost_usd"] == pytest.approx(6 * 0.12 + 6 * 0.06)
    assert report(output)["complete"]


def test_a_budget_lets_only_so_many_pictures_into_batches(service, pictures, tmp_path, prices):
    folder, output = pictures(60), tmp_path / "captions.jsonl"
    budget = ("--max-cost", 8 * 0.12 + 20.5 * 0.06)
    done = service.submit(folder, output, *prices, *budget, "--max-file-requests", 9)
    assert done.returncode == 3, done.stderr
    assert "20 pictures sent in 3 batches" in done.stderr
    assert "the budget allows no more pictures" in done.stderr
    stats = service.stats
    assert (stats["chats"], sum(stats["requests"])) == (8, 20)
    again = service.submit(folder, output, *prices, *budget)
    assert again.returncode == 3
    assert service.stats["creations"] == 3
    service.answer_all()
    assert collect(output).returncode == 0
    assert report(output)["cost_usd"] <= budget[1]
    assert len(outcomes(output)) == 28
    assert service.submit(folder, output, *prices, "--max-cost", 100).returncode == 0
    assert sum(service.stats["asked"].values()) == 52


def test_a_budget_of_tokens(service, pictures, tmp_path):
    folder, output = pictures(40), tmp_path / "captions.jsonl"
    done = service.submit(folder, output, "--budget-tokens", 120 * 20)
    assert done.returncode == 3, done.stderr
    assert "12 pictures sent in 1 batch" in done.stderr


def test_a_budget_of_money_without_a_price_is_refused(service, pictures, tmp_path):
    done = service.submit(pictures(3), tmp_path / "captions.jsonl", "--max-cost", 5)
    assert done.returncode == 2
    assert "--max-cost needs a price for endpoint:test" in done.stderr
    assert service.stats["chats"] == service.stats["uploads"] == 0


# What cannot be


def test_an_endpoint_without_batches_is_told_in_one_line(service, pictures, tmp_path):
    service.configure(batches=False)
    done = service.submit(pictures(2), tmp_path / "captions.jsonl")
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()[-1:]) == 1
    assert "has no batch API (POST /files returned 404)" in done.stderr
    assert "`cutline caption`" in done.stderr
    service.configure(batches=True)
    assert service.submit(tmp_path / "pictures", tmp_path / "captions.jsonl").returncode == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "pixels"), "pixels has no batch API"),
        (("--model", "fake"), "fake has no batch API"),
        (("--model", "shades", "--plugin", SHADES), "shades has no batch API"),
        (("--model", "gemini:gemini-2.5-flash"), "gemini needs a key"),
        (("--step", "a=fake", "--step", "b=fake"), "a chain cannot be one"),
        (("--model", "openai:gpt-4o-mini"), "openai needs a key"),
        (("--model", "m", "--endpoint", "http://u:p@localhost:1/v1"), "holds no secrets"),
        (
            ("--model", "m", "--endpoint", "http://localhost:1/v1", "--max-file-bytes", "0"),
            "--max-file-bytes",
        ),
        (
            ("--model", "m", "--endpoint", "http://localhost:1/v1", "--max-concurrent-requests", "4"),
            "have no effect on a batch",
        ),
        (("--model", "m", "--endpoint", "http://localhost:1/v1", "--device", "cpu"), "--device"),
    ],
)
def test_what_no_batch_can_do_is_refused_before_anything_is_touched(options, words, pictures, tmp_path):
    output = tmp_path / "captions.jsonl"
    done = cutline_here("batch", "submit", pictures(2), output, *options)
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not output.exists()
    assert not state_of(output).exists()


@pytest.mark.parametrize("command", ["status", "collect", "cancel"])
def test_an_output_without_batches(command, tmp_path):
    done = cutline_here("batch", command, tmp_path / "captions.jsonl")
    assert done.returncode == 2
    assert "no batch was sent for" in done.stderr


def test_an_output_of_someone_else_is_refused_before_anything_is_sent(service, pictures, tmp_path):
    output = tmp_path / "captions.jsonl"
    output.write_text("mine\n")
    done = service.submit(pictures(2), output)
    assert done.returncode == 2
    assert "--existing overwrite" in done.stderr
    assert output.read_text() == "mine\n"
    assert service.stats["uploads"] == 0


def test_a_picture_that_no_file_has_room_for(service, pictures, tmp_path):
    folder, output = pictures(3), tmp_path / "captions.jsonl"
    done = service.submit(folder, output, "--max-file-bytes", 300)
    assert done.returncode == 1
    assert "3 pictures could not be sent: 3 too-large" in done.stderr


# Secrets


def test_the_key_is_needed_and_stays_secret(service, pictures, tmp_path):
    folder, output = pictures(4), tmp_path / "captions.jsonl"
    service.configure(key=KEY)
    wrong = service.submit(folder, output, "--api-key", KEY[:-1] + "X")
    assert wrong.returncode == 3
    assert "the key is not accepted" in wrong.stderr
    sent = cutline(
        *("batch", "submit", folder, output, *service.arguments(), "--verbose"), env={"CUTLINE_API_KEY": KEY}
    )
    assert sent.returncode == 0, sent.stderr
    service.configure(key="", auto=True)
    service.configure(key=KEY)
    done = [wrong, sent]
    for words in (("status", output), ("collect", output, "--wait", "-v"), ("cancel", output)):
        done.append(cutline("batch", *words, env={"CUTLINE_API_KEY": KEY}))
        assert done[-1].returncode == 0, done[-1].stderr
    assert all(KEY[:-1] not in run.stdout + run.stderr for run in done)
    written = [path for path in tmp_path.rglob("*") if path.is_file() and path.parent != folder]
    assert len(written) > 5
    assert all(KEY.encode() not in path.read_bytes() for path in written)


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (("status",), "cutline batch status"),
        (("sumbit",), "cutline batch"),
        (("collect", "a", "b"), "cutline batch collect"),
    ],
)
def test_a_mistake_leads_to_the_page_of_its_command(words, page):
    done = cutline_here("batch", *words)
    assert done.returncode == 2
    assert done.stderr.endswith(f"; see `{page} --help`\n")
