"""Which cluster a run uses, and what is said where there is none."""

from __future__ import annotations

import http.server
import os
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

from cutline.errors import ConfigError
from cutline.ray.cluster import LOCAL, connect, resolve
from processes import command, cutline_here, environment, free_port, start_cutline, stop, wait_until


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No cluster that other programs have started."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))


def test_the_option_wins_over_the_environment(monkeypatch):
    assert resolve(None) == LOCAL
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert resolve(None) == "10.0.0.1:6379"
    assert resolve("10.0.0.2:6379") == "10.0.0.2:6379"


def test_an_empty_address_is_not_this_machine():
    with pytest.raises(ConfigError, match="--address is empty: give HOST:PORT, or remove it"):
        resolve("")


def test_auto_is_the_cluster_of_this_machine(tmp_path):
    with pytest.raises(ConfigError, match="no Ray cluster is found: start one"):
        resolve("auto")
    (tmp_path / "ray").mkdir()
    (tmp_path / "ray" / "ray_current_cluster").write_text("127.0.0.1:6379\n")
    assert resolve("auto") == "127.0.0.1:6379"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_auto_is_not_the_cluster_of_another_user(tmp_path):
    (tmp_path / "ray").mkdir()
    record = tmp_path / "ray" / "ray_current_cluster"
    record.write_text("127.0.0.1:6379\n")
    os.chown(record, 12_345, -1)
    with pytest.raises(ConfigError, match=r"another user's: give --address 127.0.0.1:6379 to use it"):
        resolve("auto")


def test_addresses_of_other_services_of_ray_are_refused(monkeypatch):
    with pytest.raises(ConfigError, match=r"--address is ray://head:10001: give HOST:PORT"):
        resolve("ray://head:10001")
    monkeypatch.setenv("RAY_ADDRESS", "http://me:secret@127.0.0.1:8265")
    with pytest.raises(ConfigError, match=r"RAY_ADDRESS is http://127.0.0.1:8265: give") as refused:
        resolve(None)
    assert "secret" not in str(refused.value)


def test_nothing_listens(tmp_path):
    pytest.importorskip("ray", reason="needs the extra ray")
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ConfigError, match=f"no Ray cluster responds at {address}: start one"):
        connect(address, str(tmp_path))


def test_what_listens_is_no_cluster(tmp_path):
    """As the dashboard's port, on which Ray itself waits for minutes."""
    pytest.importorskip("ray", reason="needs the extra ray")
    with http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{other.server_port}"
        with pytest.raises(ConfigError, match=f"Ray cannot join what listens at {address}: if that requires"):
            connect(address, str(tmp_path))
        other.shutdown()


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("--port", None), "port {port} is in use: choose another with --port"),
        (("--port", 70000), "70000 is not a port"),
        (("--port", 0, "--cpus-per-node", -1), "--cpus-per-node"),
        (("--port", 0, "--nodes", 0), "--nodes"),
    ],
)
def test_a_cluster_that_cannot_be_started_is_one_line(options, shown):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = cutline_here("ray", "up", *(port if word is None else word for word in options))
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert shown.format(port=port) in line


def test_ray_without_room_for_its_files_is_one_line(pictures, tmp_path):
    """As on a full disk; its processes end, for which it waits half a minute."""
    pytest.importorskip("ray", reason="needs the extra ray")
    output = tmp_path / "captions.jsonl"
    own = command("caption", pictures(2), output, "--model", "fake", "--engine", "ray")
    with tempfile.TemporaryDirectory() as short:  # names of sockets have at most 107 letters
        done = subprocess.run(
            ["bash", "-c", 'ulimit -f 500; exec "$@"', "-", *own],
            env=environment(RAY_TMPDIR=short),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("cutline: ")]
    assert "Ray does not start on this machine: " in line
    assert f"its logs are in {short}/ray, where it needs room: RAY_TMPDIR names another" in line
    assert not output.exists()


def test_a_run_on_a_full_cluster_says_what_it_waits_for(new_endpoint, pictures, tmp_path, cluster):
    endpoint = new_endpoint(latency=0.5)
    folder = pictures(400)

    def start(name, limit):
        return start_cutline(
            *("caption", folder, tmp_path / name, "--image-limit", limit),
            *endpoint.arguments(max_concurrent_requests=4),
            *cluster.arguments(),
        )

    running = start("first.jsonl", 400)
    wait_until(lambda: endpoint.stats()["most_in_flight"] == 4)  # both workers have begun
    waiting = start("second.jsonl", 4)
    lines = iter(waiting.stderr.readline, "")
    assert any("waiting for room on the cluster" in line for line in lines), waiting.poll()
    stop(running, signal.SIGINT)
    _, errors = waiting.communicate()
    assert waiting.returncode == 0, errors
    assert len((tmp_path / "second.jsonl").read_text().splitlines()) == 4
