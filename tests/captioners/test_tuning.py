"""The search for the number of requests at once, against endpoints that are pure arithmetic."""

from __future__ import annotations

import heapq
import random
from collections import deque

import pytest

from cutline.captioners.adaptive_limit import Tuner


class Endpoint:
    """Discrete events: ``slots`` at a time, each for ``latency(at work)`` seconds, spread by ``jitter``."""

    def __init__(self, *, slots=10**9, latency=0.2, jitter=0.0, start=16, ceiling=512):
        self.slots, self.jitter = slots, jitter
        self.latency = latency if callable(latency) else lambda _: latency
        self.tuner, self.limit = Tuner(start, ceiling), start
        self.random = random.Random(7)
        self.now, self.at_work, self.under_way, self.number = 0.0, 0, 0, 0
        self.events, self.line = [], deque()
        self.most = 0

    def _begin(self, sent):
        self.at_work += 1
        self.number += 1
        seconds = self.latency(self.at_work) * self.random.uniform(1 - self.jitter, 1 + self.jitter)
        heapq.heappush(self.events, (self.now + seconds, self.number, sent))

    def run(self, seconds) -> float:
        """Replies per second over the next ``seconds``."""
        end, done = self.now + seconds, 0
        while self.now < end:
            while self.under_way < self.limit:
                self.under_way += 1
                if self.at_work < self.slots:
                    self._begin(self.now)
                else:
                    self.line.append(self.now)
            self.most = max(self.most, self.under_way)
            saturated = self.under_way >= self.limit
            self.now, _, sent = heapq.heappop(self.events)
            self.at_work -= 1
            self.under_way -= 1
            done += 1
            while self.line and self.at_work < self.slots:
                self._begin(self.line.popleft())
            self.limit = self.tuner.note(self.now, self.now - sent, saturated=saturated)
        return done / seconds


@pytest.mark.parametrize("start", [1, 16])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.9])
def test_finds_the_ceiling_of_sixty_four_slots_within_seconds(start, jitter):
    endpoint = Endpoint(slots=64, jitter=jitter, start=start)
    endpoint.run(3)
    assert endpoint.run(20) >= 0.95 * 320
    assert endpoint.most <= 320  # four to five times the slots, for a moment


def test_from_the_default_start_little_of_a_run_is_lost():
    assert Endpoint(slots=64).run(20) >= 0.98 * 320


def test_an_endpoint_with_one_slot_is_asked_less_and_less():
    endpoint = Endpoint(slots=1, latency=0.1)
    endpoint.run(60)
    assert endpoint.limit <= 16
    assert endpoint.most <= 32
    assert endpoint.run(60) >= 0.95 * 10


def test_slow_replies_are_not_made_slower_than_the_time_limit():
    endpoint = Endpoint(slots=1, latency=10.0)
    endpoint.tuner = Tuner(16, 512, longest=150)
    endpoint.run(2000)
    assert endpoint.most <= 18  # 180 seconds in line, of 300 allowed


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("latency", [2.0, 20.0])
def test_a_slow_server_with_few_slots_gets_few_requests(slots, latency):
    endpoint = Endpoint(slots=slots, latency=latency)
    endpoint.tuner = Tuner(16, 512, longest=150)
    endpoint.run(100 * latency / slots)
    assert endpoint.limit <= 8
    endpoint.run(200 * latency / slots)
    assert endpoint.limit <= 4
    assert endpoint.run(300 * latency / slots) >= 0.95 * slots / latency


def test_a_server_that_batches_is_given_many_requests():
    endpoint = Endpoint(latency=lambda at_work: 0.2 * (1 + at_work / 50))
    endpoint.run(10)
    best = 512 / (0.2 * (1 + 512 / 50))
    assert endpoint.run(60) >= 0.95 * best


def test_sinks_when_slots_go_away_and_climbs_when_they_come_back():
    endpoint = Endpoint(slots=64)
    endpoint.run(10)
    endpoint.slots = 8
    endpoint.run(40)
    assert endpoint.limit <= 32
    endpoint.slots = 64
    endpoint.run(30)
    assert endpoint.run(10) >= 0.9 * 320


def test_a_complaint_lowers_the_limit_until_more_is_taken_again():
    endpoint = Endpoint(slots=64)
    endpoint.run(10)
    endpoint.tuner.lowered_to(4, endpoint.now)
    endpoint.limit = 4
    assert endpoint.run(1) < 100
    endpoint.run(30)
    assert endpoint.run(10) >= 0.9 * 320


def test_nothing_is_learnt_while_too_few_pictures_come():
    tuner, now = Tuner(16, 512), 0.0
    for _ in range(1000):
        now += 0.1
        assert tuner.note(now, 0.2, saturated=False) == 16
