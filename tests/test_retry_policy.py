"""Attempts by stamina: counted, silent, and cancelled at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import time

import pytest

from cutline.errors import Rejected, Retryable
from cutline.retry_policy import attempts, delay, spread


async def request(most: int, error: Exception, wait: float | None = 0.0) -> list[int]:
    """Attempts at a request that fails each time."""
    made = []
    with contextlib.suppress(type(error)):
        async for attempt in attempts(most, lambda _: wait):
            with attempt:
                made.append(attempt.num)
                raise error
    return made


@pytest.mark.parametrize("most", [1, 3])
async def test_a_retryable_error_is_retried_and_counted(most: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error = Retryable("endpoint", "busy")
    assert len(await request(most, error)) == most == error.attempts
    assert caplog.records == []


async def test_other_errors_and_those_without_a_wait_are_raised_at_once() -> None:
    assert await request(3, Rejected("rejected", "no")) == [1]
    assert await request(3, ValueError()) == [1]
    assert await request(3, Retryable("endpoint", "busy"), None) == [1]


async def test_cancellation_ends_a_wait_and_an_attempt_at_once() -> None:
    async def wait_long() -> None:
        await request(3, Retryable("endpoint", "busy"), 600.0)

    async def hang() -> None:
        async for attempt in attempts(3, lambda _: 0.0):
            with attempt:
                await asyncio.sleep(600)

    for work in (wait_long, hang):
        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert time.monotonic() - started < 10


def test_delays_are_within_their_bounds() -> None:
    for _ in range(100):
        assert 0 <= delay(3, first=1.0) <= 4
        assert 30 <= delay(9, first=1.0, least=0.5) <= 60
        assert 9 <= delay(3, first=2.0, growth=3.0, longest=3600.0, least=0.5) <= 18
        assert 10 <= spread(10.0) <= 11


@pytest.mark.parametrize(
    ("before", "hooks"), [("", 0), ("import stamina; stamina.instrumentation.set_on_retry_hooks([print])", 1)]
)
def test_only_the_hooks_of_a_host_that_uses_stamina_are_kept(before: str, hooks: int) -> None:
    code = f"""
import sys
{before}
from cutline.retry_policy import attempts
attempts(1, lambda error: 0.0)
import stamina
assert len(stamina.instrumentation.get_on_retry_hooks()) == {hooks}
assert not {{"prometheus_client", "structlog"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
