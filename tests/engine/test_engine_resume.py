"""The same command again: what is asked, what is kept, what is written again."""

from __future__ import annotations

import pytest

from engine_outputs import NAMES, captions, failures, journal, report
from engine_pictures import fill, png
from processes import cutline_here, start_cutline, wait_until

RAN = 0
FAILED = 1
REFUSED = 2


@pytest.fixture
def run(endpoint, tmp_path):
    """Runs the command line on ``pictures`` and returns exit code, requests made, and the streams."""

    def run(output, *arguments, expect=RAN, **options):
        before = endpoint.stats()["requests"]
        asked = endpoint.arguments(max_retries=0, **options)
        done = cutline_here("caption", tmp_path / "pictures", output, *arguments, *asked)
        assert done.returncode == expect, done.stderr
        assert "Traceback" not in done.stderr
        return endpoint.stats()["requests"] - before

    return run


@pytest.mark.parametrize("form", ["jsonl", "webdataset", "sidecar"])
def test_pictures_that_came_and_went_before_the_end_of_the_output(form, run, pictures, tmp_path):
    folder, output = pictures(40), tmp_path / NAMES[form]
    arguments = ("--output-format", form, *(("--samples-per-shard", "15") if form == "webdataset" else ()))
    assert run(output, *arguments) == 40
    assert run(output, *arguments) == 0
    first = dict(captions(form, output))
    (folder / "00003.png").unlink()
    (folder / "00000a.png").write_bytes(png())
    (folder / "00050.png").write_bytes(png())
    assert run(output, *arguments) == 2, "what was there was asked again"
    second = captions(form, output)
    keys = sorted(path.name for path in folder.iterdir())
    if form == "sidecar":
        second = [(key, text) for key, text in second if key != "00003.png"]
    assert [key for key, _ in second] == keys
    assert {key: text for key, text in second if key in first}.items() <= first.items()
    assert report(output)["captions"] == 41


def test_only_what_failed_is_asked_again(run, endpoint, pictures, tmp_path):
    folder, output = pictures(40), tmp_path / "captions.jsonl"
    endpoint.configure(fault={"500": 0.3})
    run(output, expect=FAILED)
    lost = len(failures(output))
    assert 2 <= lost <= 30
    assert run(output, expect=FAILED) == 0, "failures are asked again without being told to"
    endpoint.configure(fault={})
    assert run(output, "--retry-failed") == lost
    assert failures(output) == []
    assert [key for key, _ in captions("jsonl", output)] == sorted(path.name for path in folder.iterdir())
    assert report(output)["captions"] == 40
    assert run(output, "--retry-failed") == 0


def test_retrying_goes_on_after_a_kill_before_anything_was_written(endpoint, run, pictures, tmp_path):
    folder, output = pictures(30), tmp_path / "captions.jsonl"
    endpoint.configure(fault={"500": 0.4})
    run(output, expect=FAILED)
    assert failures(output)
    endpoint.configure(fault={}, latency=30)
    before = endpoint.stats()["requests"]
    process = start_cutline("caption", folder, output, "--retry-failed", *endpoint.arguments(max_retries=0))
    wait_until(lambda: endpoint.stats()["requests"] > before)
    process.kill()
    process.communicate()
    endpoint.configure(latency=0)
    run(output)
    assert failures(output) == []
    assert len(captions("jsonl", output)) == 30


class TestAnotherPrompt:
    @pytest.fixture
    def output(self, run, endpoint, pictures, tmp_path):
        """An output with 20 captions and 10 failures, by the prompt ``One.``"""
        folder = pictures(20)
        output = tmp_path / "captions.jsonl"
        run(output, prompt="One.")
        fill(folder, 10, start=20)
        endpoint.configure(fault={"500": 1.0})
        run(output, prompt="One.", expect=FAILED)
        endpoint.configure(fault={})
        return output

    def test_is_refused(self, output, run):
        content = output.read_bytes()
        assert run(output, prompt="Two.", expect=REFUSED) == 0
        assert output.read_bytes() == content

    def test_is_used_for_the_rest(self, output, run, tmp_path):
        fill(tmp_path / "pictures", 5, start=30)
        assert run(output, "--on-change", "keep", prompt="Two.", expect=FAILED) == 5
        assert len(failures(output)) == 10
        assert run(output, prompt="Two.", expect=FAILED) == 0, "the change was not taken note of"

    def test_is_used_for_what_failed(self, output, run):
        assert run(output, "--on-change", "redo-failed", prompt="Two.") == 10
        assert failures(output) == []
        assert len(captions("jsonl", output)) == 30

    def test_is_used_for_all(self, output, run):
        assert run(output, "--on-change", "redo-all", prompt="Two.") == 30
        assert len(captions("jsonl", output)) == 30
        assert run(output, "--on-change", "redo-all", prompt="Two.") == 0

    def test_is_used_for_all_after_a_kill_before_anything_was_written(self, output, run, endpoint, tmp_path):
        endpoint.configure(latency=30)
        before = endpoint.stats()["requests"]
        process = start_cutline(
            *("caption", tmp_path / "pictures", output, "--on-change", "redo-all"),
            *endpoint.arguments(prompt="Two.", max_retries=0),
        )
        wait_until(lambda: endpoint.stats()["requests"] > before)
        process.kill()
        process.communicate()
        endpoint.configure(latency=0)
        assert run(output, prompt="Two.") == 30, "old captions pass for new ones"


def test_a_damaged_journal_costs_only_the_damaged_lines(run, pictures, tmp_path):
    folder, output = pictures(30), tmp_path / "captions.jsonl"
    run(output)
    state = tmp_path / "captions.jsonl.cutline"
    path = state / "journal.jsonl"
    rows = path.read_bytes().splitlines(keepends=True)
    rows[10] = b"\x00\xff" + rows[10][2:]
    rows[11] = b"[1, 2]\n"
    rows[12] = rows[12][:40] + b"\n"
    rows[-1] = rows[-1][:50]
    path.write_bytes(b"".join(rows))
    (state / "mark.json").unlink()
    assert run(output) == 4
    assert [key for key, _ in captions("jsonl", output)] == sorted(path.name for path in folder.iterdir())
    assert len(path.read_bytes().splitlines()) == 31 + 3


def test_an_output_that_someone_else_changed_is_left_alone(run, pictures, tmp_path):
    pictures(10)
    output = tmp_path / "captions.jsonl"
    run(output)
    output.write_bytes(output.read_bytes().replace(b"picture", b"PICTURE"))
    content = output.read_bytes()
    assert run(output, expect=REFUSED) == 0
    assert output.read_bytes() == content


def test_another_form_of_the_same_output_is_written_from_the_journal(run, pictures, tmp_path):
    pictures(10)
    run(tmp_path / "out", "--output-format", "jsonl")
    (tmp_path / "out").unlink()
    assert run(tmp_path / "out", "--output-format", "csv") == 0
    assert len(captions("csv", tmp_path / "out")) == 10


def test_fewer_and_more_pictures_by_the_limit(run, pictures, tmp_path):
    pictures(30)
    output = tmp_path / "captions.jsonl"
    assert run(output, image_limit=12) == 12
    assert len(captions("jsonl", output)) == 12
    assert run(output, image_limit=20) == 8
    assert len(captions("jsonl", output)) == 20
    assert run(output, image_limit=5) == 0
    assert len(captions("jsonl", output)) == 5
    assert report(output)["captions"] == 5


def test_the_most_shards_are_a_true_maximum(run, pictures, tmp_path):
    pictures(30)
    arguments = ("--output-format", "webdataset", "--samples-per-shard", "4", "--max-shards", "3")
    assert run(tmp_path / "shards", *arguments) == 12
    assert len(list((tmp_path / "shards").iterdir())) == 3
    assert len(captions("webdataset", tmp_path / "shards")) == 12


STOPPED = 3


def test_a_token_budget_stops_the_run_and_a_larger_one_goes_on(run, endpoint, pictures, tmp_path):
    pictures(100)
    output = tmp_path / "captions.jsonl"
    endpoint.configure(latency=0.01)
    run(output, budget_tokens=6000, max_concurrent_requests=8, expect=STOPPED)
    summed = report(output)
    used = summed["prompt_tokens"] + summed["completion_tokens"]
    assert used == 6000, "120 tokens a request, 8 at once"
    assert summed["complete"] is False
    assert summed["stopped"].startswith("the budget of 6,000 tokens is used up; raise it")
    assert run(output, budget_tokens=6000, expect=STOPPED) == 0, "a spent budget still pays"
    assert run(output, budget_tokens=100_000) == 100 - used // 120
    assert len(captions("jsonl", output)) == 100
    assert run(output, budget_tokens=6000) == 0, "what is complete needs no budget"


def test_a_money_budget_needs_a_price_and_stops_the_run(run, endpoint, pictures, tmp_path):
    pictures(60)
    output = tmp_path / "captions.jsonl"
    run(output, max_cost=1, expect=REFUSED)
    prices = tmp_path / "prices.toml"
    prices.write_text("[endpoint.test]\ninput = 10\noutput = 100\n")
    run(output, max_cost=0.06, prices=prices, max_concurrent_requests=4, expect=STOPPED)
    assert 0.06 <= report(output)["cost_usd"] <= 0.07, "0.003 dollars a request"
    run(output, max_cost=5, prices=prices)
    assert report(output)["cost_usd"] == pytest.approx(60 * 0.003)


def test_failures_in_a_row_stop_the_run(run, endpoint, pictures, tmp_path):
    pictures(100)
    output = tmp_path / "captions.jsonl"
    endpoint.configure(fault={"500": 1.0})
    run(output, stop_after_failures=20, max_concurrent_requests=4, expect=STOPPED)
    assert 20 <= len(journal(f"{output}.cutline")) <= 40
    assert "in a row" in report(output)["stopped"]
    endpoint.configure(fault={})
    run(output, "--retry-failed", stop_after_failures=20)
    assert len(captions("jsonl", output)) == 100


def test_a_misspelt_variable_stops_the_run_with_a_cure_that_works(run, pictures, tmp_path):
    pictures(100)
    output = tmp_path / "captions.jsonl"
    assert run(output, "--prompt", "In {foldr}:", stop_after_failures=20, expect=STOPPED) == 0
    assert all(failure["attempts"] == 0 for failure in failures(output))
    assert "correct the prompt and run again with --on-change redo-failed" in report(output)["stopped"]
    assert run(output, "--prompt", "In {folder}:", "--on-change", "redo-failed") == 100
    assert len(captions("jsonl", output)) == 100


def test_the_report_counts_what_the_output_had_before_among_that_of_earlier_runs(run, pictures, tmp_path):
    folder, output = pictures(30), tmp_path / "captions.jsonl"
    assert run(output) == 30
    fill(folder, 10, start=30)
    assert run(output) == 10
    assert report(output)["this_run"] | {"captions": 10, "resumed": 30} == report(output)["this_run"]


def test_the_report_sums_up_all_runs(run, endpoint, pictures, tmp_path):
    folder, output = pictures(20), tmp_path / "captions.jsonl"
    run(output)
    fill(folder, 5, start=20)
    endpoint.configure(fault={"400": 1.0})
    run(output, expect=FAILED)
    summed = report(output)
    assert summed["captions"] == 20
    assert summed["failures"] == 5
    assert summed["failure_kinds"] == {"rejected": 5}
    assert summed["prompt_tokens"] == 20 * 100
    assert summed["completion_tokens"] == 20 * 20
    assert summed["this_run"]["captions"] == 0
    assert summed["this_run"]["failures"] == 5
    assert summed["exit_code"] == 1
    assert summed["outputs"] == [str(output), f"{output}.failures.jsonl"]
    for row in failures(output):
        assert row["kind"] == "rejected"
        assert "400" in row["message"]
        assert row["attempts"] == 1
        assert row["image_path"] == str(folder / row["key"])
