from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from engine_pictures import begin, fill
from processes import free_port, wait_until

pytest.importorskip("ray", reason="needs the extra ray")


@pytest.fixture(autouse=True)
def _own_pictures(request):
    begin(request.node.nodeid)


@pytest.fixture
def pictures(tmp_path):
    """Makes a folder of different small pictures."""

    def make(count, name="pictures"):
        folder = tmp_path / name
        fill(folder, count)
        return folder

    return make


class Cluster:
    """`cutline ray up` in a process of its own: two nodes with one CPU each."""

    def __init__(self, log):
        self.address = f"127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        self.log = log
        command = [sys.executable, "-m", "cutline", "cluster", "up", "--nodes", "2", "--cpus-per-node", "1"]
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [*command, "--port", port, "--no-dashboard"],
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(lambda: b"nodes at" in log.read_bytes() or self.process.poll() is not None, seconds=300)
        assert self.process.poll() is None, log.read_text()

    def arguments(self):
        return ["--engine", "ray", "--address", self.address]

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("cluster") / "log")
    yield started
    started.stop()
