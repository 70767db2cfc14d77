"""Programs in processes of their own: the command line, and the faulty test endpoint."""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import socket
import subprocess
import sys
import time

import psutil
import pytest

from server_process import Server

PATIENCE = 240.0  # seconds until a test gives up; far more than it needs on a machine ten times as busy
COUNTED = ("requests", "pictures", "answered", "twice", "early")
_started = []
DEFAULTS = {
    "slots": 64,
    "latency": 0.0,
    "fault": {},
    "retry_after": 1,
    "max_in_flight": 0,
    "rate": 0,
    "burst": 10,
    "openai_headers": False,
    "key": "",
    "seed": 0,
    "fast": False,
}


def environment(**changes):
    """This process's environment without keys and colours, for a program that a user starts."""
    kept = {name: value for name, value in os.environ.items() if not name.endswith(("_API_KEY", "_TOKEN"))}
    return {**kept, "NO_COLOR": "1", "COLUMNS": "200", **changes}


def command(*arguments):
    return [sys.executable, "-m", "cutline", *map(str, arguments)]


def cutline(*arguments, cwd=None, env=None, timeout=PATIENCE, **options):
    """Run the command line to its end; output and errors are text."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=environment(**(env or {})),
        timeout=timeout,
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


_ports = itertools.count(os.getpid() * 61)


def free_port():
    """A port of this machine that nobody uses, below those that outgoing connections get meanwhile."""
    while True:
        port = 12_000 + next(_ports) % 18_000
        with contextlib.suppress(OSError), socket.socket() as free:
            free.bind(("127.0.0.1", port))
            return port


def cutline_here(*arguments):
    """As ``cutline``, in this process: the same code without the time that a new one takes to start."""
    from cutline.cli.app import run

    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def start_cutline(*arguments, cwd=None, env=None, stdin=None):
    """The command line as a running process; its two streams are pipes. It ends with the test."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=cwd,
        env=environment(**(env or {})),
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _started.append(process)
    return process


def stop(process, number):
    """Send a run a signal, and wait until it has taken notice of it; see ``rest_of``."""
    process.send_signal(number)
    assert any("stopping; " in line for line in process.stderr), "it ended without a word"


def rest_of(process):
    """What a process still writes to its error stream until it ends; ``communicate`` may miss some."""
    rest = process.stderr.read()
    process.wait(PATIENCE)
    return rest


def end_started():
    """Kill what ``start_cutline`` started and a test left running, and the processes below it."""
    while _started:
        with _started.pop() as process:
            if process.poll() is None:
                one = psutil.Process(process.pid)
                kill([one, *one.children(recursive=True)])


def kill(processes):
    """Kill psutil's processes, and wait until they are gone."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=PATIENCE)


@contextlib.contextmanager
def nothing_left(find, seconds=60.0):
    """Fail a test that leaves processes of those that ``find`` returns.

    They are killed then, and those that were there before it do not count: no other test fails for them.
    """
    before = set(find())
    yield
    end_started()
    end = time.monotonic() + seconds
    while left := [process for process in find() if process not in before]:
        if time.monotonic() > end:
            kill(left)
            pytest.fail(f"left running: {', '.join(map(str, left))}")
        time.sleep(0.05)


def wait_until(condition, seconds=PATIENCE, every=0.01):
    """Wait for something to become true; fails the test when it does not in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {condition}"
        time.sleep(every)
    return value


class Endpoint(Server):
    """The test endpoint's process; ``stats`` counts from the last ``reset`` on."""

    def __init__(self, **settings):
        super().__init__("endpoint.py")
        self._baseline = {}
        self.configure(**{**DEFAULTS, **settings})

    def configure(self, **settings):
        self.post("/configure", settings)

    def reset(self):
        self.configure(**DEFAULTS)
        self._baseline = self.get("/stats")

    def stats(self):
        stats = self.get("/stats")
        before = self._baseline
        for name in COUNTED:
            stats[name] -= before.get(name, 0)
        for name, count in before.get("injected", {}).items():
            stats["injected"][name] -= count
        return stats

    def arguments(self, **options):
        """Command-line options that ask this endpoint; ``retry_delay`` etc. as further options."""
        chosen = {"endpoint": self.url, "model": "test", "retry_delay": 0.05, **options}
        return [
            part for name, value in chosen.items() for part in (f"--{name.replace('_', '-')}", str(value))
        ]
