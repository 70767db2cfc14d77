"""A process that a test leaves running fails this test alone."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from processes import nothing_left, wait_until

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]


def sleepers() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # others' may have ended meanwhile
            if child.cmdline()[1:] == SLEEPER[1:]:
                found.append(child)
    return found


def start_sleeper() -> subprocess.Popen[bytes]:
    """Start one and wait until it has its command line: for a moment it has none."""
    started = subprocess.Popen(SLEEPER)
    wait_until(lambda: started.pid in {process.pid for process in sleepers()})
    return started


@pytest.fixture
def earlier() -> Iterator[subprocess.Popen[bytes]]:
    """A process that was there before."""
    with start_sleeper() as process:
        yield process
        process.kill()


def test_a_leak_is_reported_and_ended(earlier: subprocess.Popen[bytes]) -> None:
    with (
        pytest.raises(pytest.fail.Exception, match=r"left running: psutil\.Process") as caught,
        nothing_left(sleepers, seconds=0.2),
    ):
        leaked = start_sleeper()
    assert f"pid={leaked.pid}" in str(caught.value)
    assert f"pid={earlier.pid}" not in str(caught.value)
    assert not psutil.pid_exists(leaked.pid)
    leaked.wait()
    assert earlier.poll() is None, "not of this test"


def test_what_ends_in_time_is_no_leak(earlier: subprocess.Popen[bytes]) -> None:
    with nothing_left(sleepers), subprocess.Popen(SLEEPER) as process:
        process.kill()
