"""Failures of an endpoint that is away are told from those of a picture, in simulated time."""

from __future__ import annotations

import heapq
import random
from collections import Counter

import pytest

from cutline.captioners.outage import OutageDetector, Verdict

SLOTS, LATENCY, DELAY = 8, 0.1, 0.1


class Simulation:
    """Pictures sent to an endpoint, 8 at a time, ``retries`` times again.

    ``share`` of the requests fails once 40 are answered, ``noise`` before; ``poisoned`` pictures always fail.
    """

    def __init__(self, seed, *, pictures=600, share=0.0, poisoned=(), noise=0.0, retries=1):
        self.chance, self.detector = random.Random(seed), OutageDetector()
        self.share, self.noise, self.poisoned = share, noise, frozenset(poisoned)
        self.retries = retries
        self.attempts, self.failures = Counter(), Counter()
        self.answered, self.failed, self.in_a_row = set(), set(), 0
        self.in_flight, self.new = [], list(range(pictures))[::-1]
        self.waiting = []  # for their next attempt

    def run(self):
        now = 0.0
        while True:
            while len(self.in_flight) < SLOTS and (picture := self.next(now)) is not None:
                failing = picture in self.poisoned or self.chance.random() < self.rate
                seconds = 0.005 if failing else LATENCY * self.chance.uniform(0.8, 1.2)
                heapq.heappush(self.in_flight, (now + seconds, picture, failing))
            if not self.in_flight and not self.waiting:
                return self
            if not self.in_flight:
                now = self.waiting[0][0]
                continue
            now, picture, failing = heapq.heappop(self.in_flight)
            self.attempts[picture] += 1
            if failing:
                self.fail(now, picture)
            else:
                self.in_a_row = 0
                self.detector.answered(picture)
                self.answered.add(picture)

    @property
    def rate(self):
        return self.share if self.share and len(self.answered) >= 40 else self.noise

    def next(self, now):
        if self.waiting and self.waiting[0][0] <= now:
            return heapq.heappop(self.waiting)[1]
        return self.new.pop() if self.new else None

    def fail(self, now, picture):
        self.in_a_row += 1
        verdict = self.detector.failed(
            picture, is_away=True, is_silent=self.in_a_row >= 3, others=len(self.in_flight)
        )
        self.failures[picture] += verdict is not Verdict.OUTAGE
        is_last = self.failures[picture] > self.retries and verdict is Verdict.OWN
        if is_last or self.attempts[picture] > 500:
            self.failed.add(picture)
        else:
            delay = self.chance.uniform(0, DELAY * 2 ** min(self.attempts[picture] - 1, 2))
            heapq.heappush(self.waiting, (now + delay, picture))


@pytest.mark.parametrize("share", [0.2, 0.34, 0.5, 0.75])
def test_a_part_of_the_backends_away_fails_no_picture(share):
    """Not even at first, when each picture's second failure comes before much is known."""
    runs = [Simulation(seed, share=share).run() for seed in range(60)]
    assert sum(len(run.failed) for run in runs) == 0


@pytest.mark.parametrize(("noise", "most"), [(0.0, 7), (0.04, 12)])
def test_a_picture_that_breaks_the_endpoint_fails_soon(noise, most):
    runs = [Simulation(seed, poisoned=[100], noise=noise).run() for seed in range(60)]
    assert all(run.failed == {100} for run in runs)
    assert max(run.attempts[100] for run in runs) <= most
    patient = [Simulation(seed, poisoned=[100], retries=5).run() for seed in range(60)]
    assert max(run.attempts[100] for run in patient) <= 7, "hardly more than one and five"


def test_pictures_that_break_it_at_the_same_time_fail_too():
    runs = [Simulation(seed, poisoned=[100, 101, 102, 350]).run() for seed in range(30)]
    assert all(run.failed == {100, 101, 102, 350} for run in runs)
    assert max(run.attempts[picture] for run in runs for picture in run.poisoned) <= 40
