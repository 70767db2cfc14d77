"""The rate that an endpoint admits, against endpoints that are pure arithmetic."""

from __future__ import annotations

import heapq
import random
from collections import deque

import pytest

from cutline.captioners.throttle import Throttle

LATENCY = 0.1


class Client:
    """Discrete events: at most ``limit`` requests at once, which ``admits(now, under way)`` or refuses.

    A refused one comes again after ``retry_after(now)`` seconds, or within a second where that is None.
    Timers are up to 4 ms late.
    """

    def __init__(self, admits, *, retry_after=lambda _: 1.0, limit=64, latency=LATENCY, limited=True):
        self.admits, self.retry_after, self.limit, self.latency = admits, retry_after, limit, latency
        self.limited = limited
        self.throttle, self.random = Throttle(), random.Random(5)
        self.now, self.sent, self.refused, self.under_way, self.waiting = 0.0, 0, 0, 0, 0
        self.events, self.ready, self.order = [], deque(), 0
        self.early = 0

    def run(self, count):
        """Seconds until so many more are answered."""
        start, left, new, playing = self.now, count, count, 0
        while left:
            wake = None
            while self.under_way < self.limit and (
                self.ready or (new and playing < self.limit + min(self.waiting, 4 * self.limit))
            ):
                wait = self.throttle.wait(self.now)
                if wait > 0:
                    wake = self.now + max(wait, 1e-4) + self.random.uniform(0, 0.004)
                    break
                if self.ready:
                    self.early += self.now < self.ready.popleft()
                else:
                    new, playing = new - 1, playing + 1
                self._send()
            if wake is not None and (not self.events or wake < self.events[0][0]):
                self.now = wake
                continue
            self.now, _, event, argument = heapq.heappop(self.events)
            done = event(argument)
            left, playing = left - done, playing - done
        return self.now - start

    def _at(self, seconds, event, argument=None):
        self.order += 1
        heapq.heappush(self.events, (self.now + seconds, self.order, event, argument))

    def _send(self):
        window = self.throttle.sent(self.now)
        self.under_way += 1
        self.sent += 1
        if self.admits(self.now, self.under_way):
            self._at(self.latency * self.random.uniform(0.8, 1.2), self._answered, self.now)
        else:
            self._at(0.005, self._refused, window)

    def _answered(self, sent):
        self.under_way -= 1
        self.throttle.admitted(self.now, self.now - sent)
        return 1

    def _refused(self, window):
        self.refused += 1
        self.waiting += 1
        seconds = self.retry_after(self.now)
        self.throttle.refused(self.now, window, 0.005, seconds, limited=self.limited)
        seconds = self.random.uniform(0, 1) if seconds is None else seconds
        self._at(seconds, self._again, self.now + seconds)
        self._at(min(seconds, self.throttle.latency or LATENCY), self._free)
        return 0

    def _free(self, _):
        self.under_way -= 1
        return 0

    def _again(self, not_before):
        self.waiting -= 1
        self.ready.append(not_before)
        return 0


def bucket(rate, burst):
    tokens, filled = float(burst), 0.0

    def admits(now, _):
        nonlocal tokens, filled
        tokens, filled = min(burst, tokens + (now - filled) * rate()), now
        if tokens < 1:
            return False
        tokens -= 1
        return True

    return admits


@pytest.mark.parametrize(("share", "least"), [(0.01, 0.85), (0.03, 0.8), (0.1, 0.65)])
def test_refusals_at_random_cost_little(share, least):
    draws = random.Random(3)
    client = Client(lambda now, _: draws.random() >= share)
    rate = 6000 / client.run(6000)
    assert rate >= least * 64 / LATENCY
    assert client.early == 0


@pytest.mark.parametrize("burst", [10, 100])
@pytest.mark.parametrize("retry_after", [1.0, 0.05, None])
def test_a_rate_that_is_allowed_is_used_and_hardly_exceeded(burst, retry_after):
    client = Client(bucket(lambda: 100, burst), retry_after=lambda _: retry_after)
    assert 3000 / client.run(3000) >= 90  # the search included
    first = client.refused
    assert first / client.sent <= 0.1  # most of them until the rate is known
    sent = client.sent
    assert 3000 / client.run(3000) >= 95
    assert (client.refused - first) / (client.sent - sent) <= 0.04
    assert client.early == 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("burst", [100, 300])
def test_a_burst_that_hides_the_rate_delays_nothing_afterwards(burst, seed):
    """A pace that was far too low for a moment holds nothing back once a better one is known."""
    client = Client(bucket(lambda: 100, burst), limit=256)
    client.random = random.Random(seed)
    assert (2000 - burst) / client.run(2000) >= 85


def test_a_burst_that_hides_the_rate_costs_few_refusals():
    shares = []
    for seed in range(12):
        client = Client(bucket(lambda: 100, 100))
        client.random = random.Random(seed)
        assert 3000 / client.run(3000) >= 95
        shares.append(client.refused / client.sent)
    assert max(shares) <= 0.05, "of the whole run, those until the rate is known included"


def test_saved_tokens_hide_the_rate_from_no_more_than_a_few_requests():
    """What is admitted between two refusals tells the rate, however many requests are tried at once."""
    shares = []
    for seed in range(6):
        client = Client(bucket(lambda: 500, 100), limit=256)
        client.random = random.Random(seed)
        assert 6000 / client.run(6000) >= 440
        shares.append(client.refused / client.sent)
    assert sum(shares) / len(shares) <= 0.055


@pytest.mark.parametrize(("count", "most"), [(100, 0.18), (500, 0.08)])
def test_a_short_run_meets_few_refusals(count, most):
    client = Client(bucket(lambda: 100, 10), limit=16)
    client.run(count)
    assert client.refused <= most * client.sent


def test_a_slow_rate_is_found_too():
    client = Client(bucket(lambda: 5, 5), latency=1.0)
    assert 600 / client.run(600) >= 4.7


def test_a_rate_that_changes_is_followed():
    allowed = [100]
    client = Client(bucket(lambda: allowed[0], 10))
    client.run(1500)
    allowed[0] = 400
    client.run(2500)  # finds it within seconds
    assert 6000 / client.run(6000) >= 0.9 * 400
    allowed[0] = 100
    client.run(300)
    sent, refused = client.sent, client.refused
    assert 1000 / client.run(1000) >= 90
    assert client.refused - refused <= 0.05 * (client.sent - sent)


def test_requests_a_minute_are_used_up_and_the_rest_of_the_minute_is_waited_for():
    minutes = {}

    def admits(now, _):
        minutes[int(now // 60)] = minutes.get(int(now // 60), 0) + 1
        return minutes[int(now // 60)] <= 600

    client = Client(admits, retry_after=lambda now: 60 - now % 60)
    assert client.run(2400) <= 245
    assert client.refused <= 0.15 * client.sent


@pytest.mark.parametrize(("most", "least"), [(8, 0.8), (32, 0.6)])
def test_a_number_at_once_that_is_allowed_is_nearly_used(most, least):
    client = Client(lambda _, under_way: under_way <= most, retry_after=lambda _: 0.0)
    assert 3000 / client.run(3000) >= least * most / LATENCY
    assert client.refused <= 0.15 * client.sent


def test_an_outage_is_waited_out_by_a_few_requests():
    client = Client(lambda now, _: not 2 < now < 42, retry_after=lambda _: None, limited=False)
    seconds = client.run(6000)
    assert seconds <= 6000 * LATENCY / 64 + 40 + 6
    assert client.refused <= 120


def test_an_endpoint_that_loads_at_first_is_not_taken_for_a_limited_one():
    client = Client(lambda now, _: now > 8, retry_after=lambda _: None, limited=False)
    assert client.run(3000) <= 8 + 4 + 3000 * LATENCY / 64 + 1
    assert client.refused <= 80


@pytest.mark.parametrize("requested", [0.0, 0.05])
def test_refusals_that_request_no_wait_are_no_flood(requested):
    client = Client(lambda now, _: now > 60, retry_after=lambda _: requested)
    client.run(64)
    assert client.refused <= 64 + 60 + 10


def test_nothing_is_held_back_once_a_limit_is_gone():
    gone = [False]
    allowed = bucket(lambda: 100, 10)
    client = Client(lambda now, under_way: gone[0] or allowed(now, under_way))
    client.run(1000)
    gone[0] = True
    client.run(2000)
    assert 3000 / client.run(3000) >= 0.9 * 64 / LATENCY
