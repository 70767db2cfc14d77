"""Stages of a run: filters before the chain, checks of captions after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

from cutline.imaging import Picture
from cutline.records import JSON, Sample, Step


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A stage's decision that a sample gets no caption: it becomes a Skip.

    ``reason`` is the same text for every sample, as skips are counted by it; ``value`` is what was measured:
    a dict of plain JSON, such as ``{"width": 80}``.
    """

    reason: str
    value: JSON | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A caption between the chain and the output: without trigger word, prefix and suffix.

    ``prompt`` has the texts of the caption's request as they are in the prompt, variables not filled in.
    """

    sample: Sample
    picture: Picture
    text: str
    fields: JSON | None = None
    steps: tuple[Step, ...] = ()
    prompt: tuple[str, ...] = ()

    @property
    def picture_id(self) -> str:
        """What tells the picture from others: a digest of its bytes; where they are not read, the key."""
        return (self.picture.digest if self.picture is not None else "") or self.sample.key


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The caption after a check. ``note`` is plain JSON for the column ``checks``; its lists are counted."""

    text: str
    fields: JSON | None = None
    note: Mapping[str, Any] = dataclasses.field(default_factory=dict)


Action: TypeAlias = Literal["fail", "retry", "repair", "skip", "note"]
"""What becomes of a caption that a check objects to: a failure whose kind is the check's name; another
request; the caption as the check mends it; a skip; or the caption with a note."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """What a check objects to in a caption; the ``action`` among its options decides what becomes of that.

    ``reason`` is the rule, the same text for every sample, as skips are counted by it; ``message`` says what
    is wrong with this caption, ``note`` is as in ``CheckResult``. ``repaired`` is the caption as the check
    can mend it; None where it cannot.
    """

    reason: str
    message: str
    note: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    repaired: CheckResult | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NoOptions:
    """The options of a stage that has none."""


class Stage(Protocol):
    """What is done to every sample before or after the chain; subclass ``Filter`` or ``Check``.

    ``name`` is that in the registry. ``Options`` is a frozen dataclass whose fields have defaults: the first
    takes the value of ``--check name=value``, a field named ``device`` is --device unless it is given.
    """

    name: str
    options: Any
    Options: ClassVar[type[Any]] = NoOptions

    def __init__(self, options: Any) -> None:
        """Keep the options; raises ConfigError for those that cannot be used."""
        self.options = options

    @property
    def fingerprint(self) -> str:
        """Whatever decides the results, as text; when it changes, what the stage skipped is decided again."""
        fields = dataclasses.fields(self.options)
        given = ((field.name, getattr(self.options, field.name)) for field in fields)
        return ", ".join(f"{name}={value}" for name, value in given if value is not None and name != "device")

    async def open(self, say: Callable[[str], None]) -> None:
        """Load what it needs, before anything is paid for; raises ConfigError if it cannot run here."""

    def summary(self, counts: Mapping[str, int]) -> str:
        """What it did in a run, for the summary; empty for nothing worth a line.

        ``counts`` has ``skipped``, ``failed`` (failures with the stage's name as kind), and for each list in
        its notes, such as ``dropped``, the number of items and, as ``dropped captions``, captions with any.
        """
        return f"skipped {counts.get('skipped', 0):,}"

    async def aclose(self) -> None:
        """Free what the stage holds; called once."""


class Filter(Stage, Protocol):
    """Decides before the chain, and before anything is paid, which samples get a caption."""

    async def filter(self, sample: Sample, picture: Picture) -> Rejection | None:
        """Why the sample gets no caption, or None; an error is its failure, RunStopped ends the run."""
        ...


class Check(Stage, Protocol):
    """Looks at a caption beside its picture after the chain.

    One that returns a ``Violation`` has an ``action`` among its options, of the type ``Action``; without it
    the caption is a failure. ``repairs``: some violations come with the repaired caption. ``remembers``: it
    compares the captions of a run with each other; such checks come after all others.
    """

    repairs: ClassVar[bool] = False
    remembers: ClassVar[bool] = False

    async def check(self, draft: Draft) -> CheckResult | Rejection | Violation:
        """The caption, perhaps with other text, and a note; what is wrong with it; or why there is none.

        An error is the sample's failure: of a SampleError's kind, else ``check``; RunStopped ends the run.
        """
        ...

    def remember(self, text: str, picture: str) -> None:
        """Take note of a caption that was kept, in this run or an earlier one.

        ``picture`` is as ``Draft.picture_id``.
        """
        return

    def forget(self, text: str, picture: str) -> None:
        """Drop what ``remember`` was called with: the picture gets another caption."""
        return

    def summary(self, counts: Mapping[str, int]) -> str:
        """How many captions the check objected to, by what became of them; see ``Stage.summary``."""
        names = ("skipped", "failed", "retried", "repaired", "noted")
        found = {name: counts.get(f"{name} captions", counts.get(name, 0)) for name in names}
        return ", ".join(f"{name} {count:,}" for name, count in found.items() if count) or "found nothing"
