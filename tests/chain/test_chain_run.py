"""Any chain, any step failing: what is asked, in which order, and what comes of it."""

from __future__ import annotations

import asyncio
import dataclasses
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutline.chain import Chain, ChainStep, StepFailed
from cutline.errors import ConfigError, EndpointUnusable, Rejected, ReplyError, SinkError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import Reply, Usage


class Here:
    """A place for a picture that no captioner here looks at."""

    path = "here.png"

    def read(self):
        return b""


class Expert(Captioner):
    """Answers with its question, fails when told so, and notes what it was asked while what was under way."""

    def __init__(self, failing=(), seed=0):
        self.name = "expert"
        self.failing = dict(failing)
        self.requests = []
        self.prompts = {}
        self.turn = random.Random(seed)

    async def caption(self, picture, prompt):
        name = prompt.id.partition("@")[0]
        self.requests.append(name)
        for _ in range(self.turn.randrange(4)):
            await asyncio.sleep(0)
        error = self.failing.get(name)
        if error is not None:
            raise error
        usage = Usage(prompt_tokens=1, completion_tokens=1)
        self.prompts[name] = prompt.prefix
        return Reply(text=f"The words of {name}.", model="expert", usage=usage, seconds=1.0)

    async def aclose(self):
        """Nothing is held."""


@st.composite
def plans(draw):
    """Steps by name with those each takes from; never in a circle."""
    count = draw(st.integers(1, 6))
    order = draw(st.permutations([f"s{number}" for number in range(count)]))
    links = {
        name: draw(st.sets(st.sampled_from(order[:place]), max_size=3)) if place else set()
        for place, name in enumerate(order)
    }
    names = sorted(order)
    return {name: sorted(links[name]) for name in names}


def chain_of(plan, expert, optional=frozenset(), caption=None):
    steps = [
        ChainStep(
            name=name,
            captioner=expert,
            prompt=Prompt(name=name, prefix=f"{name}? " + " ".join(f"{{{source}}}" for source in sources)),
            optional=name in optional,
        )
        for name, sources in plan.items()
    ]
    return Chain(steps, linked=True, caption=caption)


def run(chain, **options):
    async def main():
        return await chain.run(Picture(Here()), {}, **options)

    return asyncio.run(main())


def ancestors(plan, name):
    found = set(plan[name])
    for source in plan[name]:
        found |= ancestors(plan, source)
    return found


@settings(max_examples=200, deadline=None)
@given(data=st.data(), plan=plans(), seed=st.integers(0, 99))
def test_every_step_is_asked_after_what_it_needs_and_fails_with_it(data, plan, seed):
    names = list(plan)
    failing = data.draw(st.sets(st.sampled_from(names)))
    optional = data.draw(st.sets(st.sampled_from(names)))
    caption = data.draw(st.none() | st.sampled_from(names))
    expert = Expert({name: Rejected("rejected", f"not {name}", status=400) for name in failing}, seed)
    chain = chain_of(plan, expert, optional, caption)
    noted = []

    lost = {name for name in names if failing & (ancestors(plan, name) | {name})}
    kept = set(names) - lost
    captioned = caption or names[-1]
    before = names[: names.index(captioned)]
    rescue = captioned in kept or any(name in kept for name in before)
    try:
        result = run(chain, note=noted.append)
    except StepFailed as error:
        assert lost - optional or not rescue
        steps = error.steps
        first = str(error).removeprefix("step ").partition(":")[0]
        assert len(names) == 1 or first in failing
    else:
        assert not lost - optional
        assert set(result.missing) == lost
        assert result.caption.name in kept
        if captioned in kept:
            assert result.caption.name == captioned
        else:
            its_own = [name for name in before if name in kept & ancestors(plan, captioned)]
            assert result.caption.name == (its_own or [name for name in before if name in kept])[-1]
        steps = result.steps

    assert [step.name for step in steps] == [name for name in names if name in kept]
    # Each was asked once, after those it takes from, and of those that failed all that could be asked.
    askable = {name for name in names if not failing & ancestors(plan, name)}
    assert sorted(expert.requests) == sorted(askable)
    for name in expert.requests:
        assert all(expert.requests.index(source) < expert.requests.index(name) for source in plan[name])
    texts = {step.name: step.text for step in steps}
    for step in steps:
        assert all(texts[source] in expert.prompts[step.name] for source in plan[step.name])
    assert {step.name for step in noted} <= kept
    assert {step.name for step in steps if step.counted} == {step.name for step in noted}

    # The second time only what failed is asked, whatever was noted in between.
    again = Expert()
    repeated = run(chain_of(plan, again, optional, caption), known=steps)
    assert sorted(again.requests) == sorted(lost)
    assert [step.name for step in repeated.steps] == names
    assert {step.name for step in repeated.steps if step.counted} >= kept


def test_a_step_that_is_noted_too_late_is_not_noted():
    """The last answer goes into the outcome itself: the journal is spared a line."""
    noted = []
    run(chain_of({"a": [], "b": ["a"], "c": ["b"]}, Expert()), note=noted.append)
    assert [step.name for step in noted] == ["a", "b"]
    noted = []
    run(chain_of({"a": []}, Expert()), note=noted.append)
    assert noted == []


def test_what_noting_raises_ends_the_run_not_the_picture():
    def full(_):
        raise SinkError("the disk is full")

    with pytest.raises(SinkError, match="full"):
        run(chain_of({"a": [], "b": ["a"], "c": []}, Expert()), note=full)


def test_what_stops_the_run_is_raised_even_from_an_optional_step():
    expert = Expert({"b": EndpointUnusable("no credit")})
    with pytest.raises(EndpointUnusable):
        run(chain_of({"a": [], "b": ["a"], "c": []}, expert, optional={"b"}))


def test_an_answer_of_no_use_is_counted_for_its_step():
    error = ReplyError("empty", "nothing")
    error.reply = Reply(text="", model="m", usage=Usage(prompt_tokens=5))
    with pytest.raises(StepFailed) as raised:
        run(chain_of({"a": [], "b": ["a"]}, Expert({"b": error})))
    assert raised.value.useless == {"b": Usage(prompt_tokens=5)}
    result = run(chain_of({"a": [], "b": ["a"]}, Expert({"b": error}), optional={"b"}))
    assert result.useless == {"b": Usage(prompt_tokens=5)}
    assert result.missing == {"b": "empty"}


def test_another_recipe_is_another_question():
    chain = chain_of({"a": [], "b": ["a"]}, Expert())
    known = run(chain).steps
    expert = Expert()
    changed = chain_of({"a": [], "b": ["a"]}, expert)
    changed.steps[1] = dataclasses.replace(changed.steps[1], recipe="warmer")
    run(changed, known=known)
    assert expert.requests == ["b"]


def test_time_is_that_of_the_longest_way():
    chain = chain_of({"a": [], "b": ["a"], "c": [], "d": ["b", "c"]}, Expert())
    assert chain.seconds(run(chain).steps) == 3.0


@pytest.mark.parametrize(
    ("prompts", "cure"),
    [
        ({"a": "{b}", "b": "{c.x}", "c": "{a}"}, "steps wait for each other"),
        ({"a": "{a}"}, r"steps wait for each other \(a → a\)"),
        ({"a": "{previous.x}"}, "step a: it is the first"),
        ({"a": "", "b": "{previous}", "c": "{prevoius}"}, r"step c: .* did you mean \{previous\}"),
    ],
)
def test_steps_that_can_never_be_asked_are_refused(prompts, cure):
    steps = [ChainStep(name=n, captioner=Expert(), prompt=Prompt(prefix=p)) for n, p in prompts.items()]
    with pytest.raises(ConfigError, match=cure):
        Chain(steps, linked=True)


def test_without_links_names_are_the_samples_own():
    expert = Expert()
    steps = [
        ChainStep(name=name, captioner=expert, prompt=Prompt(name=name, prefix=f"{name} {{previous}} {{a}}"))
        for name in ("a", "b")
    ]
    result = asyncio.run(Chain(steps).run(Picture(Here()), {"previous": "one", "a": "two"}))
    assert expert.prompts == {"a": "a one two", "b": "b one two"}
    assert result.caption.name == "a"
