"""Runs on a cluster lose nothing to an endpoint with faults, nor to a death while all is on remote storage."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from engine_outputs import NAMES, captions, check_once_each
from processes import cutline, start_cutline, wait_until

pytest.importorskip("ray", reason="needs the extra ray")

IN_FLIGHT = 16


def test_an_endpoint_with_errors_refusals_and_hangs_loses_nothing(endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.05, fault={"500": 0.05, "429": 0.01, "hang": 0.01})
    folder, output = pictures(400), tmp_path / "captions.jsonl"
    done = cutline(
        *("caption", folder, output, "--timeout", 3, "--samples-per-task", 50),
        *endpoint.arguments(max_concurrent_requests=IN_FLIGHT),
        *cluster.arguments(),
    )
    assert done.returncode == 0, done.stderr
    injected = endpoint.stats()["injected"]
    assert all(injected[fault] for fault in ("500", "429", "hang")), injected
    check_once_each(endpoint, folder, output, "jsonl", twice=0)


def test_a_driver_that_dies_goes_on_with_output_and_state_on_s3(
    endpoint, pictures, tmp_path, cluster, bucket
):
    endpoint.configure(latency=0.2)
    folder, output = pictures(160), f"{bucket.url}/captions.jsonl"
    arguments = (
        *("caption", folder, output, "--state", f"{bucket.url}/state", "--samples-per-task", 10),
        *endpoint.arguments(max_concurrent_requests=IN_FLIGHT),
        *cluster.arguments(),
    )
    environment = bucket.environment | {"XDG_STATE_HOME": str(tmp_path / "state")}
    run = start_cutline(*arguments, env=environment)
    wait_until(lambda: endpoint.stats()["pictures"] >= 60)
    run.kill()
    run.communicate()
    done = cutline(*arguments, env=environment)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in bucket.read("captions.jsonl").splitlines()]
    assert [row["image_id"] for row in rows] == sorted(path.name for path in folder.iterdir())
    assert len({row["caption"] for row in rows}) == 160
    assert any(name.startswith("state/") for name in bucket.names())
    stats = endpoint.stats()
    assert stats["pictures"] == 160
    assert stats["twice"] <= IN_FLIGHT + 4 * IN_FLIGHT  # under way, and within a second of the state


@pytest.mark.parametrize("form", ["json", "csv", "parquet", "scienceqa", "webdataset"])
def test_every_format_is_whole_and_in_order_on_s3(form, endpoint, pictures, tmp_path, cluster, bucket):
    endpoint.configure(latency=0.02)
    folder = pictures(40)
    done = cutline(
        *("caption", folder, f"{bucket.url}/{NAMES[form]}", "--output-format", form, "--samples-per-task", 7),
        *(("--samples-per-shard", 9) if form == "webdataset" else ()),
        *endpoint.arguments(max_concurrent_requests=IN_FLIGHT),
        *cluster.arguments(),
        env=bucket.environment | {"XDG_STATE_HOME": str(tmp_path / "state")},
    )
    assert done.returncode == 0, done.stderr
    copy = tmp_path / "copy" / NAMES[form]
    for name in bucket.names():
        file = tmp_path / "copy" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bucket.read(name))
    found = captions(form, copy)
    assert [Path(key).stem for key, _ in found] == [path.stem for path in sorted(folder.iterdir())]
    assert len({text for _, text in found}) == endpoint.stats()["pictures"] == 40


def test_each_death_of_a_worker_leaves_the_limit_as_it_is(endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.3)
    folder, output = pictures(160), tmp_path / "captions.jsonl"
    run = start_cutline(
        *("caption", folder, output, "--samples-per-task", 10),
        *endpoint.arguments(max_concurrent_requests=5),
        *cluster.arguments(),
    )
    for count in (20, 60):
        wait_until(lambda: endpoint.stats()["pictures"] >= count and cluster.workers(endpoint))  # noqa: B023
        cluster.workers(endpoint)[-1].kill()
    _, errors = run.communicate()
    assert run.returncode == 0, errors
    assert len(captions("jsonl", output)) == 160
    assert endpoint.stats()["most_in_flight"] == 5


def test_workers_begin_nothing_more_while_their_driver_is_silent(endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.5)
    folder, output = pictures(240), tmp_path / "captions.jsonl"
    run = start_cutline(
        *("caption", folder, output, "--samples-per-task", 120),
        *endpoint.arguments(max_concurrent_requests=4),
        *cluster.arguments(),
    )
    wait_until(lambda: endpoint.stats()["pictures"] >= 20 and cluster.workers(endpoint))
    driver = psutil.Process(run.pid)
    driver.suspend()
    counts = []
    wait_until(lambda: counts.append(endpoint.stats()["requests"]) or _is_steady(counts), every=0.5)
    assert counts[-1] < 240
    driver.resume()
    endpoint.configure(latency=0.01)
    _, errors = run.communicate()
    assert run.returncode == 0, errors
    check_once_each(endpoint, folder, output, "jsonl", twice=0)


def _is_steady(counts):
    """No request for three seconds."""
    return len(counts) > 6 and counts[-1] == counts[-7]
