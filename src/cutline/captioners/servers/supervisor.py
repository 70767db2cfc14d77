"""Run one server, and end it with all its processes when our program is gone, however it ended.

Run as a program of its own, ``python -I supervisor.py COMMAND …``, whose standard input is a pipe to our
program: its end means that the server is no longer needed. Exits with the server's exit code. One thread and
the standard library only, so that it can fork safely and starts fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

GRACE = 5.0
"""Seconds for a server to end after SIGTERM."""
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_INTERVAL = 1.0  # seconds; for an exit of our program that the pipe hides, as a fork holds it open


def main(command: list[str]) -> int:
    watch = _Watch()
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    if libc is not None:  # orphans of the server become our children
        libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    us = os.getpid()
    server = os.fork()
    if server == 0:
        _become(command, libc, us)
    with contextlib.suppress(OSError):  # the child does it too: a race
        os.setpgid(server, server)
    code = watch.until_ended(server)
    if code is None:
        _signal_group(server, signal.SIGTERM)
        code = watch.until_ended(server, seconds=GRACE)
    _signal_group(server, signal.SIGKILL)
    if code is None:
        os.waitpid(server, 0)
    _end_orphans(us)
    return 0 if code is None else code


class _Watch:
    """Wakes up when a child exits, when our program is gone, or on SIGTERM."""

    def __init__(self) -> None:
        self._parent = os.getppid()
        self._terminated = False
        self._awake, wake = os.pipe()
        os.set_blocking(self._awake, False)
        os.set_blocking(wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._end)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _end(self, _number: int, _frame: FrameType | None) -> None:
        self._terminated = True

    def until_ended(self, server: int, *, seconds: float | None = None) -> int | None:
        """The server's exit code; None if our program is gone, or after ``seconds``.

        With ``seconds``, our program is known to be gone.
        """
        end = None if seconds is None else time.monotonic() + seconds
        watched = [self._awake] if end is not None else [self._awake, 0]
        while True:
            code = _ended(server)
            if code is not None:
                return code
            if end is None and (self._terminated or os.getppid() != self._parent):
                return None
            left = _POLL_INTERVAL if end is None else end - time.monotonic()
            if left <= 0:
                return None
            ready, _, _ = select.select(watched, [], [], min(left, _POLL_INTERVAL))
            if self._awake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._awake, 4096)
            if 0 in ready and not os.read(0, 4096):
                return None


def _ended(server: int) -> int | None:
    """The server's exit code, if it has exited. Reaps other children too."""
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == server:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
        if not pid:
            return None


def _become(command: list[str], libc: Any, parent: int) -> None:
    """Replace this fork by the server; never returns."""
    try:
        os.setpgid(0, 0)
        if libc is not None:  # should the supervisor itself be killed
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execv(command[0], command)  # noqa: S606 - the user requested this server
    except OSError as error:
        os.write(2, f"{command[0]} cannot be run: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _signal_group(leader: int, number: int) -> None:
    with contextlib.suppress(OSError):  # the group is empty
        os.killpg(leader, number)


def _end_orphans(us: int) -> None:
    """Kill children that have left the server's group."""
    end = time.monotonic() + GRACE
    while (left := _children(us)) and time.monotonic() < end:
        for pid in left:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _children(us: int) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == us:
                found.append(int(path.parent.name))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
