"""Runs that are asked to end, and runs that get in each other's way."""

from __future__ import annotations

import signal
import socket
import time

import pytest

from engine_outputs import captions, journal, lines, report
from processes import PATIENCE, cutline, rest_of, start_cutline, stop, wait_until


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_run_cleanly(number, code, endpoint, pictures, tmp_path):
    endpoint.configure(latency=0.2, slots=16)
    folder, output = pictures(400), tmp_path / "captions.jsonl"
    arguments = ("caption", folder, output, *endpoint.arguments(max_concurrent_requests=16))
    process = start_cutline(*arguments)
    wait_until(lambda: endpoint.stats()["pictures"] > 30)
    stop(process, number)
    errors = rest_of(process)
    assert process.returncode == code
    assert "run the same command again to continue" in errors.splitlines()[-1]
    assert report(output)["complete"] is False
    assert report(output)["exit_code"] == code
    answered = endpoint.stats()["pictures"]
    assert len(journal(f"{output}.cutline")) == answered, "an answer was thrown away"
    assert len(lines(output)) > 0
    endpoint.configure(latency=0)
    assert cutline(*arguments).returncode == 0
    assert [key for key, _ in captions("jsonl", output)] == sorted(path.name for path in folder.iterdir())
    assert endpoint.stats()["twice"] == 0


def test_no_request_is_begun_after_the_signal(endpoint, pictures, tmp_path):
    """Pictures that wait for a place, and for their next attempt, are left to the next run."""
    endpoint.configure(latency=1.0, fault={"500": 0.4})
    folder, output = pictures(60), tmp_path / "captions.jsonl"
    options = {"max_concurrent_requests": 3, "retry_delay": 0.5, "stop_after_failures": 0}
    process = start_cutline("caption", folder, output, *endpoint.arguments(**options))
    wait_until(lambda: endpoint.stats()["requests"] > 4)
    stop(process, signal.SIGTERM)
    time.sleep(0.1)  # those that were sent before, to the endpoint
    begun = endpoint.stats()["requests"]
    errors = rest_of(process)
    assert endpoint.stats()["requests"] == begun, errors
    assert endpoint.stats()["answered"] == len(journal(f"{output}.cutline"))
    assert process.returncode == 143


def test_later_steps_of_a_chain_are_not_begun_after_the_signal(endpoint, pictures, tmp_path):
    endpoint.configure(latency=1.0)
    arguments = endpoint.arguments(max_concurrent_requests=4)
    arguments = [*arguments[:2], *arguments[4:]]  # the steps name the model
    steps = ("--step", "one=test", "--step", "two=test")
    process = start_cutline("caption", pictures(40), tmp_path / "c.jsonl", *steps, *arguments)
    wait_until(lambda: endpoint.stats()["requests"] >= 4)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert endpoint.stats()["requests"] == 4


def test_a_signal_that_comes_when_all_is_under_way_interrupts_nothing(endpoint, pictures, tmp_path):
    endpoint.configure(latency=4)  # less than requests under way are given, and enough to be looked at
    output = tmp_path / "captions.jsonl"
    process = start_cutline("caption", pictures(3), output, *endpoint.arguments())
    wait_until(lambda: endpoint.stats()["requests"] == 3)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert "interrupted" not in errors
    assert report(output)["complete"] is True
    assert len(captions("jsonl", output)) == 3


def test_requests_that_hang_are_dropped_in_time(endpoint, pictures, tmp_path):
    endpoint.configure(latency=3600)
    arguments = endpoint.arguments(timeout=3600)
    process = start_cutline("caption", pictures(20), tmp_path / "c.jsonl", *arguments)
    wait_until(lambda: endpoint.stats()["requests"] > 5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_downloads_that_hang_keep_nobody_waiting(tmp_path):
    """Nothing is paid for them yet, so they are dropped at once."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        (tmp_path / "urls.txt").write_text(f"{url}/1.jpg\n{url}/2.jpg\n")
        arguments = ("urls.txt", "c.jsonl", "--model", "fake", "--allow-private-urls")
        process = start_cutline("caption", *arguments, cwd=tmp_path)
        assert "0/2 done · 2 downloading" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    assert report(tmp_path / "c.jsonl")["failures"] == 0, errors  # one that was waited for would be one


def test_a_second_signal_ends_at_once(endpoint, pictures, tmp_path):
    endpoint.configure(latency=3600)
    output = tmp_path / "c.jsonl"
    process = start_cutline("caption", pictures(20), output, *endpoint.arguments(timeout=3600))
    wait_until(lambda: endpoint.stats()["requests"] > 5)
    stop(process, signal.SIGINT)
    process.send_signal(signal.SIGINT)
    assert rest_of(process) == "", "one that ends in good order sums up"
    assert process.returncode == 130


def test_a_second_run_on_the_same_output_is_refused(endpoint, pictures, tmp_path):
    endpoint.configure(latency=0.5, slots=4)
    folder, output = pictures(600), tmp_path / "captions.jsonl"
    process = start_cutline("caption", folder, output, *endpoint.arguments())
    wait_until(lambda: endpoint.stats()["pictures"] > 2)
    link = tmp_path / "link.jsonl"
    link.symlink_to(output)
    for name in (output, link):
        second = cutline("caption", folder, name, "--model", "fake")
        assert second.returncode == 2
        assert f"process {process.pid} " in second.stderr
        assert len(second.stderr.splitlines()) == 1
    endpoint.configure(latency=0)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert len(captions("jsonl", output)) == 600


def test_folders_without_a_name_of_their_own_do_not_share_a_journal(pictures):
    """Sidecars for ``.`` in two folders whose pictures have the same names."""
    one, two = pictures(2, "one"), pictures(2, "two")
    for folder in (one, two):
        done = cutline("caption", ".", "--output-format", "sidecar", "--model", "fake", cwd=folder)
        assert done.returncode == 0, done.stderr
        assert len(list(folder.glob("*.txt"))) == 2
    assert (one / "00000.txt").read_text() != (two / "00000.txt").read_text()
