"""Nodes that join, die or fall silent during a run, and a head that dies: nothing is lost or doubled.

The tests follow one another on one cluster, which begins with its head alone.
"""

from __future__ import annotations

import re

import pytest
from local_ray import Cluster, listening
from ray_kills import run_with_kills

from engine_outputs import check_once_each
from processes import cutline, start_cutline, wait_until

pytest.importorskip("ray", reason="needs the extra ray")

IN_FLIGHT = 8


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A cluster that tests may break."""
    started = Cluster(tmp_path_factory.mktemp("own") / "log", nodes=1)
    yield started
    started.stop()


def arguments(endpoint, folder, output):
    return ("caption", folder, output, *endpoint.arguments(max_concurrent_requests=IN_FLIGHT))


def on(cluster):
    return ("--samples-per-task", 10, *cluster.arguments())


def both_work(endpoint, cluster, pictures=20):
    return endpoint.stats()["pictures"] >= pictures and len(cluster.workers(endpoint)) == 2


def test_a_node_that_joins_is_used_and_one_that_dies_or_falls_silent_is_done_without(
    new_endpoint, pictures, tmp_path, own
):
    endpoint = new_endpoint(latency=0.5)
    folder, output = pictures(320), tmp_path / "captions.jsonl"
    run = start_cutline(*arguments(endpoint, folder, output), "--actors", 2, *on(own))
    wait_until(lambda: len(own.workers(endpoint)) == 1)
    for number in range(2):
        node = own.join()
        wait_until(lambda: both_work(endpoint, own))
        if number == 0:
            node.kill()
            wait_until(lambda: len(own.workers(endpoint)) == 1)
        else:
            with node.silent():
                _, errors = run.communicate()
    assert run.returncode == 0, errors
    assert "room for 1 worker of --actors 2; the others start when nodes are added" in errors
    assert errors.count("worker died") == 2, errors
    assert "does not respond any more" in errors
    check_once_each(endpoint, folder, output, "jsonl", twice=2 * (IN_FLIGHT + 20))
    assert endpoint.stats()["most_in_flight"] <= IN_FLIGHT


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_thirty_kills_of_drivers_workers_and_nodes(new_endpoint, pictures, tmp_path, own):
    endpoint = new_endpoint(latency=1, fault={"500": 0.05, "429": 0.01})
    folder, output = pictures(2000), tmp_path / "captions.jsonl"
    victims = ("driver", "worker", "node")
    done = run_with_kills(endpoint, own, folder, output, form="jsonl", kills=30, seed=7, victims=victims)
    assert done.returncode == 0, done.stderr
    check_once_each(endpoint, folder, output, "jsonl", twice=30 * 3 * 16)


def test_a_head_that_dies_stops_the_run_with_one_line_and_the_same_command_goes_on(
    new_endpoint, pictures, tmp_path, own, cluster
):
    endpoint = new_endpoint(latency=1)
    folder, output = pictures(240), tmp_path / "captions.jsonl"
    own.join()
    run = start_cutline(*arguments(endpoint, folder, output), *on(own))
    wait_until(lambda: both_work(endpoint, own))
    own.head.kill()
    _, errors = run.communicate()
    assert run.returncode == 3, errors
    (line,) = [line for line in errors.splitlines() if line.startswith("stopped: ")]
    assert f"the head of the Ray cluster, {own.address}, does not respond" in line
    assert "nothing is lost" in line
    endpoint.configure(latency=0.05)
    limit = ("--image-limit", 220)
    assert cutline(*arguments(endpoint, folder, output), *limit, *on(cluster)).returncode == 0
    assert cutline(*arguments(endpoint, folder, output)).returncode == 0
    check_once_each(endpoint, folder, output, "jsonl", twice=IN_FLIGHT + 20)


def test_a_cluster_listens_on_loopback_alone_and_ends_as_by_an_interrupt_when_terminated(tmp_path):
    started = Cluster(tmp_path / "log", nodes=1, dashboard=True)
    nodes = started.head.processes()
    (dashboard,) = re.findall(r"dashboard: http://127\.0\.0\.1:(\d+)", started.log.read_text())
    found = [address for process in nodes for address in listening(process)]
    port = int(started.address.rpartition(":")[2])
    assert {port, int(dashboard)} < {address.port for address in found}
    assert {address.ip.removeprefix("::ffff:") for address in found} == {"127.0.0.1"}
    started.process.terminate()
    assert started.process.wait(60) == 0, started.log.read_text()
    assert "1 node at" in started.log.read_text()
    assert started.log.read_text().endswith("stopping\n")
    assert nodes
    wait_until(lambda: not any(one.is_running() for one in nodes))
