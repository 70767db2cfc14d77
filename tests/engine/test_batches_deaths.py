"""Batches and death: whatever is killed or lost, no picture is sent twice and none is forgotten."""

from __future__ import annotations

import random
import time

import pytest
from batching import BatchService, collect, keys, outcomes, state_of

from engine_outputs import captions, failures
from engine_pictures import png
from processes import PATIENCE, cutline, cutline_here, start_cutline, wait_until


def started(service, folder, output, *more):
    return start_cutline("batch", "submit", folder, output, "--quiet", *service.arguments(), *more)


def killed(process):
    process.kill()
    process.communicate()


@pytest.mark.parametrize("moment", ["upload", "create"])
@pytest.mark.parametrize("file", [1, 2])
def test_a_kill_while_the_service_has_not_answered(moment, file, service, pictures, tmp_path):
    """The service has the file, or has begun the batch, and we were killed before we heard of it."""
    folder, output = pictures(50), tmp_path / "captions.jsonl"
    more = ("--max-file-requests", 20)
    service.configure(hold=moment, hold_from=file)
    process = started(service, folder, output, *more)
    wait_until(lambda: service.stats["held"] == moment)
    killed(process)
    service.configure(hold="")
    done = service.submit(folder, output, *more)
    assert done.returncode == 0, done.stderr
    assert f"{'50 pictures sent in 3' if file == 1 else '30 pictures sent in 2'} batches" in done.stderr
    assert ("20 pictures were sent before" in done.stderr) == (file == 2)
    stats = service.stats
    assert (stats["uploads"], stats["creations"]) == (3, 3)
    assert sorted(stats["requests"]) == [10, 20, 20]
    assert set(stats["asked"].values()) == {1}
    service.answer_all()
    assert collect(output).returncode == 0
    assert sorted(outcomes(output)) == keys(output) == sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("moment", ["upload", "create", "output"])
def test_an_answer_that_is_lost_on_the_way(moment, service, pictures, tmp_path):
    folder, output = pictures(30), tmp_path / "captions.jsonl"
    service.configure(lose=moment)
    assert service.submit(folder, output).returncode == 0
    service.answer_all()
    assert collect(output).returncode == 0
    stats = service.stats
    assert (stats["uploads"], stats["creations"]) == (1, 1)
    assert len(outcomes(output)) == 30


def test_being_told_to_slow_down(service, pictures, tmp_path):
    service.configure(refuse=4)
    done = service.submit(pictures(3), tmp_path / "captions.jsonl")
    assert done.returncode == 0, done.stderr
    assert service.stats["creations"] == 1


@pytest.mark.parametrize("command", ["submit", "status", "collect", "cancel"])
def test_what_is_waited_for_is_told_and_can_be_left(command, service, pictures, tmp_path):
    folder, output = pictures(3), tmp_path / "captions.jsonl"
    assert service.submit(folder, output).returncode == 0
    (folder / "later.png").write_bytes(png())
    service.configure(refuse=99, retry_after=60)
    of = (folder, output, *service.arguments()) if command == "submit" else (output,)
    process = start_cutline("batch", command, *of)
    told = process.stderr.readline()
    while told and "retrying in 60 s" not in told:
        told = process.stderr.readline()
    assert "429" in told
    process.send_signal(2)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "run the same command again to continue" in err
    service.configure(refuse=0)
    assert cutline_here("batch", command, *of).returncode == (3 if command == "collect" else 0)


def test_a_half_written_file_does_not_stay_behind(service, pictures, tmp_path):
    folder, output = pictures(400), tmp_path / "captions.jsonl"
    left = state_of(output) / "batches"
    process = started(service, folder, output)
    wait_until(lambda: list(left.glob("*.requests.jsonl")) or process.poll() is not None, every=0.001)
    killed(process)
    if service.stats["creations"]:
        pytest.skip("the machine was too quick: everything was sent before the kill")
    assert service.caption(folder, output).returncode == 0
    assert list(left.iterdir()) == []
    assert len(outcomes(output)) == 400


def test_kills_at_any_moment_of_everything(service, pictures, tmp_path):
    folder, output = pictures(400), tmp_path / "captions.jsonl"
    chance = random.Random(5)
    more = ("--max-file-requests", 45)
    for _ in range(5):
        process = started(service, folder, output, *more)
        target = service.stats["uploads"] + chance.randint(0, 2)
        wait_until(
            lambda: process.poll() is not None or service.stats["uploads"] >= target,  # noqa: B023
            every=0.002,
        )
        time.sleep(chance.uniform(0, 0.03))
        killed(process)
    done = service.submit(folder, output, *more)
    assert done.returncode == 0, done.stderr
    stats = service.stats
    assert set(stats["asked"].values()) == {1}
    assert sum(stats["requests"]) == len(stats["asked"]) == 400

    service.advance("in_progress")
    first, *others = [batch["id"] for batch in stats["batches"]]
    service.advance("completed", batches=[first])
    service.advance("expired", share=0.5, batches=others)
    for _ in range(4):
        process = start_cutline("batch", "collect", output, "--quiet")
        wait_until(
            lambda: process.poll() is not None or (state_of(output) / "owner.json").exists(),  # noqa: B023
            every=0.002,
        )
        time.sleep(chance.uniform(0.3, 1.2))
        killed(process)
    collect(output)
    expired = [row["key"] for row in failures(output) if row["kind"] == "expired"]
    assert len(keys(output)) + len(expired) == 400
    assert service.caption(folder, output, "--quiet").returncode == 0
    names = sorted(path.name for path in folder.iterdir())
    assert sorted(outcomes(output)) == keys(output) == names
    assert len({text for _, text in captions("jsonl", output)}) == 400
    stats = service.stats
    assert stats["chats"] == len(expired)
    assert set(stats["answered"].values()) == {1}
    assert stats["files"] == [], "files were left at the service"


def test_a_kill_while_files_are_deleted(service, pictures, tmp_path):
    folder, output = pictures(60), tmp_path / "captions.jsonl"
    assert service.submit(folder, output, "--max-file-requests", 10).returncode == 0
    service.advance("in_progress")
    service.advance("expired", share=0.5)
    process = start_cutline("batch", "collect", output, "--quiet")
    wait_until(lambda: process.poll() is not None or len(service.stats["deleted"]) >= 7, every=0.001)
    killed(process)
    before = sorted(row["image_id"] for row in failures(output))
    collect(output)
    assert len(keys(output)) + len(before) == 60
    assert sorted(row["image_id"] for row in failures(output)) == before
    assert service.stats["files"] == []


def test_a_service_that_is_away_for_a_while_is_waited_for(pictures, tmp_path):
    """A day is long: the network may go, and come again."""
    output = tmp_path / "captions.jsonl"
    with BatchService() as service:
        assert service.submit(pictures(3), output).returncode == 0
        process = start_cutline("batch", "collect", output, "--wait")
        wait_until(lambda: service.stats["looks"])
    told = process.stderr.readline()
    while told and "cannot connect" not in told:
        told = process.stderr.readline()
    while told and "waiting for batches: cannot connect" not in told:
        told = process.stderr.readline()
    assert told, "it waits no more"
    process.send_signal(2)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert collect(output).returncode == 3, "who is not there from the beginning is not waited for"


def test_ctrl_c_while_waiting_loses_nothing(service, pictures, tmp_path):
    folder, output = pictures(5), tmp_path / "captions.jsonl"
    assert service.submit(folder, output).returncode == 0
    process = start_cutline("batch", "collect", output, "--wait")
    wait_until(lambda: service.stats["looks"])
    process.send_signal(2)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert "run the same command again to continue" in err
    service.configure(auto=True)
    done = cutline("batch", "collect", output, "--wait")
    assert done.returncode == 0, done.stderr
    assert "waiting for batches: 0 of 1 ended" in done.stderr
    assert len(keys(output)) == 5
