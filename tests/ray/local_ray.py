"""A Ray cluster of several nodes, in processes of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil

from processes import environment, free_port, wait_until


class Cluster:
    """`cutline ray up` in a process of its own: nodes with one CPU each."""

    def __init__(self, log, nodes=2, *, dashboard=False):
        self.address = f"127.0.0.1:{free_port()}"
        port = self.address.rpartition(":")[2]
        self.log = log
        self.joined = []
        command = [
            sys.executable,
            "-m",
            "cutline",
            "ray",
            "up",
            "--nodes",
            str(nodes),
            "--cpus-per-node",
            "1",
        ]
        with log.open("wb") as stream:
            self.process = subprocess.Popen(
                [*command, "--port", port, "--dashboard" if dashboard else "--no-dashboard"],
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        wait_until(
            lambda: b"until Ctrl-C" in log.read_bytes() or self.process.poll() is not None, seconds=300
        )
        assert self.process.poll() is None, log.read_text()

    def python(self, program, *arguments):
        """What a program printed that connects to this cluster, whose address is its first argument."""
        done = subprocess.run(
            [sys.executable, "-c", program, self.address, *map(str, arguments)],
            env=environment(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0"),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def arguments(self):
        return ["--engine", "ray", "--address", self.address]

    def join(self, **environ):
        """Start one more node; returns what its machine would run, once it is a part of the cluster."""
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("ray_node.py"), self.address],
            env={**os.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.joined.append(process)
        assert process.stdout.readline() == b"ready\n"
        return Node(psutil.Process(process.pid))

    @property
    def head(self):
        """What the head's machine runs, but for this cluster's own process."""
        return Node(*psutil.Process(self.process.pid).children())

    def workers(self, endpoint):
        """The processes, on all nodes, that send requests to a test endpoint."""
        port = int(endpoint.root.rpartition(":")[2])
        own = [one for one in (self.process, *self.joined) if one.poll() is None]
        found = [one for each in own for one in Node(psutil.Process(each.pid)).processes()]
        return [one for one in found if port in _ports(one)]

    def stop(self):
        for process in self.joined:
            if process.poll() is None:
                Node(psutil.Process(process.pid)).kill()
            process.communicate()
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)


class Node:
    """Processes that stand for one machine."""

    def __init__(self, *processes):
        self._processes = processes

    def processes(self):
        found = []
        for process in self._processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [process, *process.children(recursive=True)]
        return found

    def kill(self):
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
                process.resume()

    @contextlib.contextmanager
    def silent(self):
        """Gone without a word until the block ends: nothing of it runs or responds. Then it dies."""
        for process in self.processes():
            process.suspend()
        try:
            yield
        finally:
            self.kill()


def listening(process):
    """The addresses at which a process waits for others."""
    try:
        found = process.net_connections("inet")
    except psutil.Error:
        return []
    return [one.laddr for one in found if one.status == psutil.CONN_LISTEN or one.type == socket.SOCK_DGRAM]


def _ports(process):
    """Those that a process is connected to."""
    try:
        return [one.raddr.port for one in process.net_connections("tcp") if one.raddr]
    except psutil.Error:
        return []
