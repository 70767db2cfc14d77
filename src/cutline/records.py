"""Records: samples in, outcomes out. All are frozen, picklable and free of I/O."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, Self, TypeAlias

JSON: TypeAlias = dict[str, Any]
Truncated: TypeAlias = Literal["fail", "keep", "sentence"]
"""What a reply that was cut at the token limit becomes."""


class Location(Protocol):
    """Where the encoded bytes of one picture are.

    Subclass it: all members but ``path`` and ``read`` have defaults.
    """

    __slots__ = ()

    @property
    def path(self) -> str:
        """The place for people: a file path, a URL, ``shard.tar/member``."""

    def read(self) -> bytes:
        """Read the encoded bytes; blocks.

        Raises:
            PictureError: ``missing`` or ``fetch``, when they cannot be had.
        """

    def url(self) -> str | None:
        """The http(s) URL that has to be downloaded first, if there is one; ``read`` then refuses."""
        return None

    def file(self) -> str | None:
        """The picture's own file on this machine, if it is one; need not be valid Unicode."""
        return None

    def content_id(self) -> str:
        """Differs when another picture took this one's key between runs; empty if unknown.

        It costs no reading. It may differ for the same bytes: then the digests of both are compared.
        """
        return ""

    def etag(self) -> str:
        """Differs when the picture was changed or deleted during a run; empty if unknown.

        Of a download it is the server's ``ETag``, or its ``Last-Modified`` date.
        """
        return ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of a dataset, before it has a caption.

    ``key`` is unique within the source and stable between runs. ``text`` is the caption the sample has, if
    any. ``metadata`` goes to the output and fills the variables of a prompt. ``members`` are the other files
    of a webdataset sample, by extension, carried into shards. ``problem`` replaces ``location`` when there
    is no picture to load: the engine turns it into that outcome. ``origin`` is where the picture is, for keys
    that do not name it. ``text_problem`` says why the text there is cannot be used.
    """

    key: str
    location: Location | None
    text: str | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    members: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    problem: Problem | None = None
    origin: str = ""
    text_problem: str = ""

    @property
    def path(self) -> str:
        if self.location is not None:
            return self.location.path
        return (self.problem.path if self.problem else "") or self.key

    @property
    def content_id(self) -> str:
        """As of the location, and the ``origin``; empty without a location."""
        content_id = self.location.content_id() if self.location else ""
        return f"{content_id} of {self.origin}" if self.origin else content_id

    @property
    def etag(self) -> str:
        """As of the location; empty without one."""
        return self.location.etag() if self.location else ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a source has no picture for a sample; ``skip`` makes it a Skip, not a Failure.

    ``rule``, ``value`` and ``kept`` are those of a ``Skip`` whose reason is the message; ``path`` is where
    the picture is that a rule rejects.
    """

    kind: str
    message: str
    skip: bool = False
    rule: str = ""
    value: JSON | None = None
    kept: str = ""
    path: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """Pictures, or what may be some, that an input holds and its source did not deliver as samples.

    ``examples`` are the first names; ``what`` is the plural that fits ``count``, ``cure`` what to do.
    """

    kind: str
    count: int
    what: str
    cure: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        more = ", …" if self.count > len(self.examples) else ""
        return f"left out {self.count:,} {self.what} ({', '.join(self.examples)}{more}): {self.cure}"

    def to_json(self) -> JSON:
        return {"count": self.count, "what": self.what, "examples": list(self.examples), "cure": self.cure}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the endpoint counted them; zero where it did not report them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )

    def __sub__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens - other.prompt_tokens,
            completion_tokens=self.completion_tokens - other.completion_tokens,
        )

    @classmethod
    def sum(cls, usages: Iterable[Usage]) -> Self:
        """All of them together."""
        prompt = completion = 0
        for usage in usages:
            prompt += usage.prompt_tokens
            completion += usage.completion_tokens
        return cls(prompt_tokens=prompt, completion_tokens=completion)

    @property
    def total(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A captioner's response to one picture.

    ``raw`` is the whole response as JSON; ``seconds`` is the time of the request that succeeded, without
    waiting; ``attempts`` counts all requests. ``extracted``: the text is the caption already, so a prompt's
    regex is not applied to it.
    """

    text: str
    model: str
    usage: Usage = Usage()
    finish_reason: str | None = None
    seconds: float = 0.0
    attempts: int = 1
    raw: JSON | None = None
    extracted: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One reply within a chain. ``text`` is what was extracted from ``reply.text``.

    ``asked`` is a digest of the whole request, by which a retry finds the reply; empty for one step.
    ``counted``: an earlier line of the journal has the step's tokens.
    """

    name: str
    prompt_id: str
    text: str
    reply: Reply
    fields: JSON | None = None
    asked: str = ""
    counted: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Caption:
    """A sample that got its caption.

    ``text`` is final: with trigger word, prefix and suffix, joined with the sample's text by the policy.
    ``draft`` is the text before that, as checks left it; without checks None: it is that of ``source``.
    ``fields`` are those of a structured caption. ``existing`` is the text the sample had before, for joining
    again; ``content_id`` is the sample's at that time. ``checks`` holds the notes of checks, by name.
    ``step`` names the step whose text became the caption; empty for the first. ``missing_steps`` are the
    optional steps that failed, with their kinds of failure; ``useless`` is what unusable replies cost.
    """

    key: str
    text: str
    draft: str | None = None
    steps: tuple[Step, ...] = ()
    fields: JSON | None = None
    existing: str | None = None
    content_id: str = ""
    checks: JSON | None = None
    step: str = ""
    missing_steps: Mapping[str, str] = dataclasses.field(default_factory=dict)
    useless: Mapping[str, Usage] = dataclasses.field(default_factory=dict)

    @property
    def usage(self) -> Usage:
        """The sum over the steps, those from earlier runs included."""
        return Usage.sum([step.reply.usage for step in self.steps])

    @property
    def source(self) -> Step | None:
        """The step whose text became the caption."""
        named = (step for step in self.steps if step.name == self.step)
        return next(named, self.steps[0] if self.steps else None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A sample that was left alone on purpose; ``reason`` says why, ``value`` is what was measured.

    ``rule`` is what it is counted by, such as ``sharpness>=0.8``; empty where that is the reason. ``kept`` is
    the key of the picture that is captioned instead of a duplicate.

    ``stage`` is the name and fingerprint of the filter or check that decided so, empty where none did: only
    their decisions are journalled, until the fingerprint changes. The rest is as in ``Failure``.
    """

    key: str
    reason: str
    value: JSON | None = None
    rule: str = ""
    kept: str = ""
    stage: str = ""
    steps: tuple[Step, ...] = ()
    useless: Mapping[str, Usage] = dataclasses.field(default_factory=dict)
    content_id: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A sample that got no caption.

    ``steps`` succeeded; ``reply`` is the model's unusable reply, if any; ``useless`` is the cost of all
    unusable replies, by step. ``step`` and ``digest`` are those of the request of a ``reply`` that a later
    run may use.
    """

    key: str
    kind: str
    message: str
    attempts: int = 0
    steps: tuple[Step, ...] = ()
    useless: Mapping[str, Usage] = dataclasses.field(default_factory=dict)
    reply: Reply | None = None
    content_id: str = ""
    step: str = ""
    digest: str = ""


Outcome: TypeAlias = Caption | Skip | Failure


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Slowdown:
    """What refusals and outages of endpoints cost.

    ``times`` counts them by cause (``429``, ``503``, ``unreachable`` …), ``seconds`` is how long requests
    were held back, and ``now`` a few words on what holds them at the time, if anything does.
    """

    times: Mapping[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    now: str = ""

    def __add__(self, other: Slowdown) -> Slowdown:
        times = dict(collections.Counter(self.times) + collections.Counter(other.times))
        return Slowdown(times=times, seconds=self.seconds + other.seconds, now=self.now or other.now)

    def since(self, before: Slowdown) -> Slowdown:
        """What has come after ``before``."""
        times = dict(collections.Counter(self.times) - collections.Counter(before.times))
        return Slowdown(times=times, seconds=self.seconds - before.seconds, now=self.now)
