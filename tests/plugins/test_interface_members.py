"""Classes without the methods of their interface: refused in a line, before the first picture."""

from __future__ import annotations

from pathlib import Path

import pytest

import cutline
from cutline import registry
from cutline.errors import ConfigError
from cutline.interfaces import CorpusMetric


class Nameless(cutline.Filter):
    name = "nameless"


class Misnamed(cutline.Filter):
    name = "misnamed"

    async def check(self, sample, picture): ...


class Plain(cutline.Filter):
    name = "plain"

    def filter(self, sample, picture):
        return cutline.Rejection(reason="no")


class PlainOpen(cutline.Filter):
    name = "plain-open"

    def open(self, say): ...

    async def filter(self, sample, picture): ...


class PlainCheck(cutline.Check):
    name = "plain-check"

    def check(self, draft):
        return cutline.CheckResult(text=draft.text)


class CheckWithout(cutline.Check):
    name = "check-without"

    async def verify(self, draft): ...


class WaitingSummary(cutline.Check):
    name = "waiting-summary"

    async def check(self, draft): ...

    async def summary(self, counts): ...


class MeasureWithout(cutline.Measure):
    name = "measure-without"
    meaning = "nothing"

    def value(self, picture): ...


class WaitingMeasure(cutline.Measure):
    name = "waiting-measure"
    meaning = "nothing"

    async def measure(self, picture): ...


class PlainDerived(Plain):
    name = "derived"


@pytest.mark.parametrize(
    ("made", "cure"),
    [
        (Nameless, r"'nameless' needs a method `async def filter\(self, sample, picture\)`$"),
        (Misnamed, r"needs a method `async def filter\(.*; its own methods are check$"),
        (Plain, "^the filter 'plain': filter is called with await: make it `async def filter`$"),
        (PlainDerived, "make it `async def filter`"),
        (PlainOpen, "make it `async def open`"),
        (PlainCheck, "^the check 'plain-check': check is called with await: make it `async def check`$"),
        (CheckWithout, r"needs a method `async def check\(self, draft\)`; its own methods are verify"),
        (WaitingSummary, "make it `def summary`, without async"),
        (MeasureWithout, r"needs a method `def measure\(self, picture\)`; its own methods are value"),
        (WaitingMeasure, "make it `def measure`, without async"),
    ],
)
def test_a_stage_without_its_method_is_refused(made: type, cure: str) -> None:
    with pytest.raises(ConfigError, match=cure):
        cutline.register_stage(made)  # type: ignore[type-var]
    bases = {"filters": cutline.Filter, "checks": cutline.Check, "measures": cutline.Measure}
    (room,) = (room for room, base in bases.items() if base in made.__mro__)
    registry.register(room, made.name, made)  # as the entry point of a package names it
    option = {"keep": f"{made.name}>1"} if room == "measures" else {room[:-1]: made.name}
    with pytest.raises(ConfigError, match=cure):
        cutline.caption([b"1"], model="fake", **option)


def decorated(method):
    import functools

    @functools.wraps(method)
    def call(*args):
        return method(*args)

    return call


class Decorated(cutline.Filter):
    name = "decorated"

    @decorated
    async def filter(self, sample, picture):
        return cutline.Rejection(reason="too odd")


def test_a_method_behind_a_decorator_is_taken() -> None:
    cutline.register_stage(Decorated)
    captions = cutline.caption([b"1"], model="fake", filter="decorated")
    assert [one["reason"] for one in captions.rejected] == ["too odd"]


class Silent(cutline.Captioner):
    name = "silent"

    async def aclose(self): ...


class Blocking:
    name = "blocking"

    def caption(self, picture, prompt):
        return cutline.Reply(text="x", model="blocking", usage=cutline.Usage())

    async def aclose(self): ...


class NoSamples(cutline.Source):
    @classmethod
    def from_options(cls, path, options):
        return cls()


class NoWay(cutline.Source):
    def samples(self): ...


class Written(cutline.Sink):
    def __init__(self, output, state, options): ...

    def open(self, mark): ...

    def save(self, sample, outcome, picture): ...


class Unread(Written):
    def write(self, sample, outcome, picture): ...

    def commit(self): ...

    def finish(self): ...

    def outputs(self): ...


class Scoreless(CorpusMetric):
    name = "scoreless"
    needs = frozenset()

    async def score(self, corpus): ...


@pytest.mark.parametrize(
    ("room", "made", "cure"),
    [
        ("captioners", Silent, r"needs a method `async def caption\(self, picture, prompt\)`"),
        ("captioners", Blocking, "make it `async def caption`"),
        ("sources", NoSamples, r"needs a method `def samples\(self\)`"),
        ("sources", NoWay, "needs `@classmethod def from_options"),
        ("sinks", Written, r"needs a method `def write\(.*; its own methods are open, save"),
        ("sinks", Unread, "outputs is read as an attribute: write @property above it"),
        ("metrics", Scoreless, r"needs a method `def scores\(self, corpus\)`; its own methods are score"),
    ],
)
def test_other_parts_without_their_methods_are_refused(
    room: str, made: type, cure: str, tmp_path: Path, photos
) -> None:
    folder = photos(1)
    out = tmp_path / "out.jsonl"
    cutline.caption(folder, out, model="fake")
    (tmp_path / "texts.jsonl").write_text('{"image_id": "0.png", "references": ["a"]}\n')
    uses = {
        "captioners": lambda: cutline.caption(folder, model="mine"),
        "sources": lambda: cutline.caption(folder, model="fake", source_type="mine"),
        "sinks": lambda: cutline.caption(folder, tmp_path / "out.mine", model="fake", output_format="mine"),
        "metrics": lambda: cutline.evaluate(out, metrics=["mine"]),
    }
    registry.register(room, "mine", made)
    with pytest.raises(ConfigError, match=cure):
        uses[room]()


def test_the_methods_are_named_by_a_plug_in_file_too(tmp_path: Path, photos) -> None:
    plugin = tmp_path / "mine.py"
    plugin.write_text(
        "import cutline\n@cutline.register_stage\nclass A(cutline.Filter):\n    name = 'a'\n"
        "    def filter(self, sample, picture): ...\n"
    )
    with pytest.raises(ConfigError, match="make it `async def filter`"):
        cutline.caption(photos(1), model="fake", filter="a", plugin=plugin)
