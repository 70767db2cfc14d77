"""Attempts by stamina: counted, silent, and cancelled at once."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time

import pytest

from cutline.errors import Rejected, Retryable
from cutline.retry_policy import delay, spread, with_retries


async def calls(most: int, error: Exception, wait: float | None = 0.0) -> int:
    """How often a request is made that fails each time."""
    made = 0

    async def request() -> None:
        nonlocal made
        made += 1
        raise error

    with pytest.raises(type(error)) as caught:
        await with_retries(request, most, lambda _: wait)
    assert caught.value is error
    return made


async def test_the_result_is_that_of_the_first_attempt_that_succeeds() -> None:
    errors = [Retryable("endpoint", "busy"), Retryable("endpoint", "busy")]

    async def request() -> int:
        if errors:
            raise errors.pop()
        return 5

    assert await with_retries(request, 9, lambda error: 0.001 * error.attempts) == 5
    assert not errors
    assert await with_retries(request, 1, lambda _: None) == 5


@pytest.mark.parametrize("most", [1, 3])
async def test_a_retryable_error_is_retried_and_counted(most: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error = Retryable("endpoint", "busy")
    assert await calls(most, error) == most == error.attempts
    assert caplog.records == []


async def test_other_errors_and_those_without_a_wait_are_raised_at_once() -> None:
    assert await calls(3, Rejected("rejected", "no")) == 1
    assert await calls(3, ValueError()) == 1
    assert await calls(3, Retryable("endpoint", "busy"), None) == 1


async def test_cancellation_ends_a_wait_and_an_attempt_at_once() -> None:
    async def wait_long() -> None:
        await calls(3, Retryable("endpoint", "busy"), 600.0)

    async def hang_again() -> None:
        async def request() -> None:
            nonlocal tried
            tried = not tried
            if tried:
                raise Retryable("endpoint", "busy")
            await asyncio.sleep(600)

        tried = False
        await with_retries(request, 3, lambda _: 0.0)

    for work in (wait_long, hang_again):
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
import asyncio
from cutline.errors import Retryable
from cutline.retry_policy import with_retries
assert ("stamina" in sys.modules) == {bool(hooks)}
failures = [Retryable("endpoint", "busy")]
async def request():
    if failures:
        raise failures.pop()
asyncio.run(with_retries(request, 2, lambda error: 0.0))
import stamina
assert len(stamina.instrumentation.get_on_retry_hooks()) == {hooks}
assert not {{"prometheus_client", "structlog"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
