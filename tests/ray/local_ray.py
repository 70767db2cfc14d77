"""A Ray cluster of two nodes, in processes of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil

from processes import free_port, kill, wait_until


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

    def kill_a_node(self):
        """Kill the process that is the node without the head, and what runs on it."""
        nodes = [one for one in psutil.Process(self.process.pid).children() if one.name() == "raylet"]
        kill([nodes[-1]])

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)
