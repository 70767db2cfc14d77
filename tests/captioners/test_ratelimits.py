"""How long an endpoint asks to wait, in the headers of each service."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import pytest
from multidict import CIMultiDict

from cutline.captioners.hosted.rate_limits import requested_wait, span

NOW = time.time()


def wait(headers: dict[str, str], *, limited: bool = True) -> float | None:
    return requested_wait(CIMultiDict(headers), limited=limited)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("12ms", 0.012),
        ("59.7s", 59.7),
        ("7", 7.0),
        (" 0.5 ", 0.5),
        ("0", None),
        ("-5", None),
        pytest.param(str(int(NOW) - 40), None, id="a time that has passed"),
        ("nan", None),
        ("1e400", None),
        ("soon", None),
        ("5 apples", None),
        ("", None),
    ],
)
def test_spans(text: str, seconds: float | None) -> None:
    assert span(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    "text",
    [
        str(int(NOW) + 4000),
        str(int((NOW + 4000) * 1000)),
        time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(NOW + 4000)),
    ],
    ids=("seconds", "milliseconds", "date"),  # the same in every process of the tests
)
def test_times(text: str) -> None:
    assert span(text) == since_start(4000)


def since_start(seconds: float) -> Any:
    """So many seconds from when this file was imported, by now."""
    return pytest.approx(seconds - (time.time() - NOW), abs=2)


def test_a_date() -> None:
    assert wait({"Retry-After": email.utils.formatdate(NOW + 4000, usegmt=True)}) == since_start(4000)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "7", "retry-after-ms": "6500"}, 6.5),
        ({"retry-after": "7", "X-RateLimit-Reset": "90"}, 7),
        ({"X-RateLimit-Reset": "90"}, 90),
        (
            {
                "x-ratelimit-remaining-requests": "3",
                "x-ratelimit-reset-requests": "90s",
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": "4s",
            },
            4,  # only the tokens are used up
        ),
        ({"x-ratelimit-reset-requests": "2s", "x-ratelimit-reset-tokens": "5s"}, 5),
        ({"RateLimit": '"default";r=0;t=42'}, 42),
        ({"RateLimit": "limit=10, remaining=0, reset=42"}, 42),
        ({"ratelimit-reset": "34", "ratelimit-remaining": "0"}, 34),
        ({"x-ms-retry-after-ms": "900"}, 0.9),
        ({"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "8s"}, 8),
        ({"Retry-After": "2s"}, 2),
        ({"Retry-After": "-3"}, 0),
        ({"Retry-After": "99999999999999999", "x-ratelimit-reset": "3"}, 3),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"retry-after-ms": "inf", "Retry-After": "4"}, 4),
        ({"RateLimit": "none", "x-ratelimit-reset": "never"}, None),
        ({}, None),
    ],
)
def test_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert wait(headers) == (None if seconds is None else pytest.approx(seconds))


def test_limits_of_an_answer_that_is_about_something_else_do_not_count() -> None:
    assert wait({"x-ratelimit-reset-requests": "90s"}, limited=False) is None
    assert wait({"Retry-After": "3"}, limited=False) == 3


@pytest.mark.parametrize("header", ["Retry-After", "x-ratelimit-reset", "anthropic-ratelimit-tokens-reset"])
def test_a_time_counts_by_the_clock_of_the_endpoint(header: str) -> None:
    """Which may be half an hour ahead, or behind."""
    for ahead in (1800, -1800):
        there = int(NOW) + ahead
        times = {
            "Retry-After": email.utils.formatdate(there + 5, usegmt=True),
            "x-ratelimit-reset": str(there + 5),
            "anthropic-ratelimit-tokens-reset": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(there + 5)),
        }
        assert wait({header: times[header], "Date": email.utils.formatdate(there, usegmt=True)}) == 5
