"""Captioners of other packages: three members suffice, and everything else is found once."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from cutline.captioners.foreign import adapt
from cutline.captioners.wrapper import Wrapper
from cutline.errors import ConfigError
from cutline.interfaces import Captioner, Profile
from cutline.prompts import Prompt
from cutline.records import Reply, Usage


class Minimal:
    name = "minimal"

    async def caption(self, picture, prompt):
        return Reply(text=f"{self.name}: {prompt.prefix}", model=self.name, usage=Usage())

    async def aclose(self):
        self.closed = True


class Whole(Minimal):
    name = "whole"
    slots = 7
    profile = Profile(instructable=False)
    opened = 0

    async def open(self, say):
        self.opened += 1
        say("loading")

    def check_prompt(self, prompt):
        if prompt.regex:
            raise ConfigError("no regex")

    def adjusted(self, parameters):
        other = Whole()
        other.name = f"whole {parameters}"
        return other


@pytest.mark.parametrize("around", [lambda one: one, Wrapper, lambda one: Wrapper(Wrapper(one))])
def test_three_members_suffice(around):
    made = Minimal()
    captioner = around(adapt(made, "minimal"))
    assert isinstance(captioner, Captioner)
    assert (captioner.slots, captioner.at_once, captioner.in_flight) == (1, 1, 0)
    captioner.check_prompt(Prompt())
    captioner.halt()
    with pytest.raises(ConfigError, match="minimal does not support seed; remove it"):
        captioner.adjusted({"seed": 1})

    async def use():
        await captioner.open()
        await captioner.prepare(None)
        reply = await captioner.caption(None, Prompt(prefix="What?"))
        await captioner.aclose()
        return reply

    assert asyncio.run(use()).text == "minimal: What?"
    assert made.closed


@pytest.mark.parametrize("around", [lambda one: one, Wrapper])
def test_optional_members_are_used(around):
    made = Whole()
    captioner = around(adapt(made, "whole"))
    lines = []
    asyncio.run(captioner.open(lines.append))
    assert (lines, made.opened) == (["loading"], 1)
    assert (captioner.slots, captioner.at_once) == (7, 7)
    assert captioner.profile.instructable is False
    with pytest.raises(ConfigError, match="no regex"):
        captioner.check_prompt(Prompt(regex="a"))
    other = captioner.adjusted({"seed": 1})
    assert (other.name, other.slots) == ("whole {'seed': 1}", 7)
    assert captioner.name == "whole"


def test_a_subclass_is_used_as_it_is():
    class Own(Captioner):
        name = "own"

        async def caption(self, picture, prompt): ...

        async def aclose(self): ...

    made = Own()
    assert adapt(made, "own") is made


@pytest.mark.parametrize(
    ("made", "cure"),
    [
        (object(), "needs a name: write `name = 'broken'` in its class"),
        (SimpleNamespace(name=3, caption=print, aclose=print), "needs a name"),
        (SimpleNamespace(name="a"), r"needs a method `async def caption\(self, picture, prompt\)`"),
        (SimpleNamespace(name="a", caption=print, aclose=print), "make it `async def caption`"),
    ],
)
def test_what_is_not_a_captioner_is_refused(made, cure):
    with pytest.raises(ConfigError, match=f"^the captioner 'broken'.*{cure}"):
        adapt(made, "broken")
