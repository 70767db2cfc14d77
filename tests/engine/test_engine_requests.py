"""What is asked again, what never, and what ends the run, against an endpoint with faults."""

from __future__ import annotations

import re
import time

import pytest

from engine_outputs import captions, failures, report
from processes import PATIENCE, cutline, cutline_here, start_cutline, wait_until


@pytest.mark.parametrize("status", [400, 403, 404, 413, 422])
def test_what_would_fail_again_is_asked_once(status, endpoint, pictures, tmp_path):
    """With one picture answered first, so that the endpoint is known to work."""
    folder, output = pictures(1), tmp_path / "captions.jsonl"
    endpoint.configure(fault={})
    assert cutline_here("caption", folder, output, *endpoint.arguments()).returncode == 0
    endpoint.configure(fault={str(status): 1.0})
    for number in range(4):
        (folder / f"more-{number}.png").write_bytes((folder / "00000.png").read_bytes() + bytes([number]))
    before = endpoint.stats()["requests"]
    done = cutline_here("caption", folder, output, *endpoint.arguments())
    asked = endpoint.stats()["requests"] - before
    assert "Traceback" not in done.stderr
    if status in {403, 404}:  # in a process of its own nothing has worked yet: the key or the name is wrong
        assert done.returncode == 3
        assert asked <= 4
    else:
        assert done.returncode == 1
        assert asked == 4
        assert {row["kind"] for row in failures(output)} == {"rejected"}
        assert {row["attempts"] for row in failures(output)} == {1}


@pytest.mark.parametrize(("fault", "at_once"), [("403", None), ("404", 1), ("410", 20)])
def test_what_stops_a_run_at_its_beginning_fails_no_picture(fault, at_once, endpoint, pictures, tmp_path):
    """An unknown model, or a key that may not use it: with that mended the same command does it all."""
    endpoint.configure(fault={fault: 1.0})
    options = {"max_concurrent_requests": at_once} if at_once else {}
    arguments = ("caption", pictures(30), tmp_path / "captions.jsonl", *endpoint.arguments(**options))
    stopped = cutline_here(*arguments)
    assert stopped.returncode == 3
    assert "0 captions · " in stopped.stderr
    assert "failed" not in stopped.stderr
    endpoint.configure(fault={})
    done = cutline_here(*arguments)
    assert done.returncode == 0, done.stderr
    assert len(captions("jsonl", tmp_path / "captions.jsonl")) == 30


def test_a_page_in_place_of_an_api_fails_no_picture(endpoint, pictures, tmp_path):
    endpoint.configure(fault={"malformed": 1.0})
    arguments = ("caption", pictures(30), tmp_path / "captions.jsonl", *endpoint.arguments())
    stopped = cutline_here(*arguments)
    assert stopped.returncode == 3
    assert "is the URL that of the API" in stopped.stderr
    assert "failed" not in stopped.stderr
    endpoint.configure(fault={})
    assert cutline_here(*arguments).returncode == 0


def test_what_failed_before_a_run_was_stopped_half_way_can_be_asked_again(endpoint, pictures, tmp_path):
    endpoint.configure(latency=0.2)
    arguments = ("caption", pictures(40), tmp_path / "captions.jsonl", *endpoint.arguments())
    process = start_cutline(*arguments, "--max-concurrent-requests", 2)
    wait_until(lambda: endpoint.stats()["answered"] >= 4)
    endpoint.configure(fault={"403": 1.0}, latency=0.0)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 3, err
    assert "run the same command again with --retry-failed to continue" in err
    endpoint.configure(fault={})
    assert cutline_here(*arguments, "--retry-failed").returncode == 0


PASSING = ["408", "429", "500", "503", "reset", "cut", "malformed", "no-choices"]


@pytest.mark.parametrize("fault", PASSING)
def test_what_may_pass_is_asked_again(fault, endpoint, pictures, tmp_path):
    endpoint.configure(fault={fault: 0.4}, retry_after=0.2)
    output = tmp_path / "captions.jsonl"
    done = cutline_here("caption", pictures(20), output, *endpoint.arguments(max_retries=12))
    assert done.returncode == 0, done.stderr
    stats = endpoint.stats()
    assert stats["injected"][fault] >= 2
    assert stats["requests"] == 20 + stats["injected"][fault]
    assert len(captions("jsonl", output)) == 20
    assert report(output)["failures"] == 0


def test_what_hangs_is_asked_again_after_the_time_limit(endpoint, pictures, tmp_path):
    endpoint.configure(fault={"hang": 0.2})
    start = time.monotonic()
    done = cutline_here("caption", pictures(20), tmp_path / "c.jsonl", *endpoint.arguments(timeout=0.5))
    assert done.returncode == 0, done.stderr
    assert endpoint.stats()["injected"]["hang"] >= 1
    assert time.monotonic() - start < 60


def test_what_never_passes_is_given_up_after_the_retries(endpoint, pictures, tmp_path):
    endpoint.configure(fault={"500": 1.0})
    output = tmp_path / "captions.jsonl"
    done = cutline_here("caption", pictures(3), output, *endpoint.arguments(max_retries=2))
    assert done.returncode == 1
    assert endpoint.stats()["requests"] == 9
    assert [(row["kind"], row["attempts"]) for row in failures(output)] == [("endpoint", 3)] * 3


@pytest.mark.parametrize(("fault", "wait"), [("429", 2.0), ("429-date", 0.0), ("503-after", 2.0)])
def test_a_retry_after_is_kept_by_the_request_that_met_it_and_holds_no_other(
    fault, wait, endpoint, pictures, tmp_path
):
    """A date has whole seconds, so it is one or two."""
    endpoint.configure(fault={fault: 0.1}, retry_after=wait, latency=0.01, slots=4)
    done = cutline_here(
        "caption", pictures(60), tmp_path / "c.jsonl", *endpoint.arguments(max_concurrent_requests=4)
    )
    assert done.returncode == 0, done.stderr
    stats = endpoint.stats()
    refused = stats["injected"][fault]
    assert refused >= 3
    assert stats["early"] == 0
    this_run = report(tmp_path / "c.jsonl")["this_run"]
    assert max(wait, 1.0) <= this_run["seconds"]
    assert this_run["refused"] == {fault[:3]: refused}
    assert f"slowed by {fault[:3]}: {refused} times" in done.stderr


def test_an_allowed_rate_is_found_and_the_summary_names_the_refusals(endpoint, pictures, tmp_path):
    endpoint.configure(rate=50, burst=5, latency=0.05)
    output = tmp_path / "c.jsonl"
    done = cutline_here("caption", pictures(400), output, "--verbose", *endpoint.arguments())
    assert done.returncode == 0, done.stderr
    stats = endpoint.stats()
    assert stats["early"] == 0
    assert re.search(r"pace=[\d.]+/s before=inf/s", done.stderr), "a limit was seen"
    assert stats["requests"] <= 400 * 1.4, "most of it until the rate is known"
    assert re.search(r"slowed by 429: \d+ times, [\d.]+ s", done.stderr), done.stderr
    assert report(output)["this_run"]["held_back_seconds"] > 1


def test_an_outage_is_one_wait_of_the_run(endpoint, pictures, tmp_path):
    """More attempts than a picture has fail meanwhile, if each continues by itself."""
    folder, output = pictures(200), tmp_path / "c.jsonl"
    endpoint.configure(latency=0.05)
    process = start_cutline(
        "caption", folder, output, *endpoint.arguments(max_concurrent_requests=8, max_retries=1)
    )
    wait_until(lambda: endpoint.stats()["pictures"] >= 20)
    endpoint.configure(fault={"503": 1.0})
    wait_until(lambda: endpoint.stats()["injected"].get("503", 0) >= 12)
    time.sleep(1)  # those that were under way are counted before
    asked = endpoint.stats()["requests"]
    time.sleep(3)
    assert endpoint.stats()["requests"] - asked <= 6, "one at a time finds out"
    endpoint.configure(fault={})
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert len(captions("jsonl", output)) == 200
    assert "waiting for the endpoint (503)" in err
    assert "slowed by 503: " in err


def test_a_daily_quota_ends_the_run_with_the_time_of_its_return(endpoint, pictures, tmp_path):
    folder, output = pictures(60), tmp_path / "c.jsonl"
    endpoint.configure(fault={"429": 0.2}, retry_after=7200)
    done = cutline_here("caption", folder, output, *endpoint.arguments())
    assert done.returncode == 3
    assert re.search(r"it admits requests again at \d{4}-\d\d-\d\d \d\d:\d\d", done.stderr), done.stderr
    assert "nothing is lost: run the same command again to continue" in done.stderr, "there is nothing to fix"
    endpoint.configure(fault={})
    again = cutline_here("caption", folder, output, *endpoint.arguments())
    assert again.returncode == 0, again.stderr
    assert len(captions("jsonl", output)) == 60


def test_six_kinds_of_faults_at_once_lose_nothing(endpoint, pictures, tmp_path):
    kinds = ["429", "500", "503", "reset", "cut", "malformed"]
    endpoint.configure(fault=dict.fromkeys(kinds, 0.04), retry_after=0.1, latency=0.005)
    output = tmp_path / "captions.jsonl"
    done = cutline_here("caption", pictures(500), output, *endpoint.arguments())
    assert done.returncode == 0, done.stderr
    injected = endpoint.stats()["injected"]
    assert all(injected[kind] > 3 for kind in kinds), injected
    assert len(captions("jsonl", output)) == 500
    assert endpoint.stats()["twice"] == 0


def test_spent_credit_ends_the_run_with_the_cure(endpoint, pictures, tmp_path):
    folder, output = pictures(200), tmp_path / "captions.jsonl"
    endpoint.configure(fault={"quota": 0.05})
    done = cutline_here("caption", folder, output, *endpoint.arguments())
    assert done.returncode == 3
    assert "no credit left; add credit" in done.stderr
    assert done.stderr.count("run the same command") == 1, "the cure is named once"
    assert endpoint.stats()["requests"] < 200
    assert report(output)["failures"] == 0, "a picture was blamed"
    endpoint.configure(fault={})
    assert cutline_here("caption", folder, output, *endpoint.arguments()).returncode == 0
    assert len(captions("jsonl", output)) == 200
    assert endpoint.stats()["twice"] == 0


def test_a_wrong_key_ends_the_run_at_once_and_is_shown_nowhere(endpoint, pictures, tmp_path):
    endpoint.configure(key="right-key-0123456789")
    wrong = "wrong-key-9876543210"
    output = tmp_path / "captions.jsonl"
    start = time.monotonic()
    done = cutline("caption", pictures(200), output, "--verbose", "--api-key", wrong, *endpoint.arguments())
    assert time.monotonic() - start < 60
    assert done.returncode == 3
    assert endpoint.stats()["requests"] < 60
    assert "the key is not accepted" in done.stderr
    assert report(output)["failures"] == 0
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(
        wrong.encode() in content for content in [*written, done.stderr.encode(), done.stdout.encode()]
    )


def test_an_endpoint_that_is_not_there_ends_the_run_in_one_line(pictures, tmp_path):
    start = time.monotonic()
    done = cutline(
        *("caption", pictures(50), tmp_path / "captions.jsonl", "--endpoint", "http://127.0.0.1:9/v1"),
        *("--model", "test", "--quiet", "--max-retries", 2, "--retry-delay", 0.05),
    )
    assert time.monotonic() - start < 60
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) == 1
    assert "is the server running?" in done.stderr
