"""Requests that samples of several shards share: one shard makes each, and nobody waits for ever."""

from __future__ import annotations

import collections
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.ray.requests import Requests
from cutline.ray.shards import Shard


def new_shard(number):
    return Shard(number=number, source=None, stop=None, entries=None)


class Cluster:
    """Shards whose samples make requests, some at a time, in any order that workers may have.

    Samples of one shard make equal requests one after the other, as ``Turns`` has them do.
    """

    def __init__(self, shards, failing, chunk, at_once, seed):
        self.samples = [
            [(f"{number}/{place}", request) for place, request in enumerate(requests)]
            for number, requests in enumerate(shards)
        ]
        self.failing, self.chunk, self.at_once = failing, chunk, at_once
        self.random = random.Random(seed)
        self.outcomes, self.done = {}, set()
        self.made = collections.Counter()
        self.making = {}  # a request: its shard's number, and the samples of that in turn
        self.requests = Requests(self.outcomes.get)
        self.shards = [new_shard(number) for number in range(len(shards))]
        self.listed = [0] * len(shards)
        self.ready = [collections.deque() for _ in shards]
        self.under_way = [{} for _ in shards]  # a sample: whether it waits for another shard

    def run(self, deaths=0):
        while steps := self.steps():
            if deaths and self.random.random() < 0.05:
                deaths -= 1
                self.die(self.random.randrange(len(self.shards)))
                continue
            step, *arguments = self.random.choice(steps)
            step(*arguments)
        return self

    def steps(self):
        """What can happen next."""
        found = []
        for number, samples in enumerate(self.samples):
            if not self.ready[number] and self.listed[number] < len(samples):
                found.append((self.look_up, number))
            if self.ready[number] and len(self.under_way[number]) < self.at_once:
                found.append((self.begin, number))
            for (key, request), waits in self.under_way[number].items():
                first_in_turn = self.making.get(request, (number, [key]))[1][0] == key
                if not waits and (first_in_turn or request in self.outcomes):
                    found.append((self.end, number, key, request))
        return found

    def look_up(self, number):
        first = self.listed[number]
        chunk = self.samples[number][first : first + self.chunk]
        self.listed[number] += len(chunk)
        for key, request in chunk:
            if key not in self.done:
                own = self.requests.claim(request, key, self.shards[number])
                self.ready[number].append((key, request, own))

    def begin(self, number):
        key, request, own = self.ready[number].popleft()
        shard = self.shards[number]

        def answer(found):
            assert self.shards[number] is shard, "an answer to a worker that is gone"
            self.under_way[number][key, request] = False
            assert found == self.outcomes.get(request)
            if found is None:
                self.make(number, key, request)

        self.under_way[number][key, request] = True
        if own:
            answer(self.outcomes.get(request))
        else:
            self.requests.wait(request, key, shard, answer)

    def make(self, number, key, request):
        holder, turn = self.making.setdefault(request, (number, []))
        assert holder == number, "two shards make one request at a time"
        turn.append(key)

    def end(self, number, key, request):
        del self.under_way[number][key, request]
        if request not in self.outcomes:
            self.made[request] += 1
            if request not in self.failing:
                self.outcomes[request] = key
        turn = self.making.get(request, (number, []))[1]
        if key in turn:
            turn.remove(key)
        if not turn:
            self.making.pop(request, None)
        self.done.add(key)
        self.requests.end(key, self.shards[number])

    def die(self, number):
        """The worker of a shard dies: another one begins it again."""
        self.making = {request: made for request, made in self.making.items() if made[0] != number}
        dead, self.shards[number] = self.shards[number], new_shard(number)
        self.listed[number] = 0
        self.ready[number].clear()
        self.under_way[number].clear()
        self.requests.release(dead)

    def check(self):
        """Every sample has its outcome, and nothing is left of any request."""
        assert self.done == {key for samples in self.samples for key, _ in samples}
        assert not self.requests._owners
        assert not self.requests._waiting


requests = st.sampled_from([f"picture {number}" for number in range(6)])
clusters = {
    "shards": st.lists(st.lists(requests, max_size=12), min_size=1, max_size=4),
    "failing": st.frozensets(requests, max_size=2),
    "chunk": st.integers(1, 5),
    "at_once": st.integers(1, 4),
    "seed": st.integers(0, 2**16),
}


@given(**clusters)
def test_each_request_is_made_once_whatever_comes_first(shards, failing, chunk, at_once, seed):
    cluster = Cluster(shards, failing, chunk, at_once, seed).run()
    cluster.check()
    wanted = collections.Counter(request for each in shards for request in each)
    assert cluster.made == {request: count if request in failing else 1 for request, count in wanted.items()}


@given(**clusters, deaths=st.integers(1, 4))
def test_nobody_waits_for_a_worker_that_died(shards, failing, chunk, at_once, seed, deaths):
    Cluster(shards, failing, chunk, at_once, seed).run(deaths).check()


@pytest.mark.parametrize("comes", ["caption", None])
def test_the_next_makes_a_request_that_failed_or_all_get_what_came_of_it(comes):
    outcomes, answers = {}, []
    requests = Requests(outcomes.get)
    first, second, third = map(new_shard, range(3))
    assert requests.claim("picture", "a", first)
    for shard, key in ((second, "b"), (third, "c")):
        assert not requests.claim("picture", key, shard)
        requests.wait("picture", key, shard, lambda found, key=key: answers.append((key, found)))
    if comes:
        outcomes["picture"] = comes
    requests.end("a", first)
    assert answers == ([("b", "caption"), ("c", "caption")] if comes else [("b", None)])
