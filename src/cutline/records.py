"""Records: samples in, outcomes out. All are frozen, picklable and free of I/O."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Protocol, Self, TypeAlias

JSON: TypeAlias = dict[str, Any]
Truncated: TypeAlias = Literal["fail", "keep", "sentence"]
"""How replies that were cut at the token limit are handled."""


class Location(Protocol):
    """Where the encoded bytes of one picture are; subclasses must define ``path`` and ``read``."""

    __slots__ = ()

    @property
    def path(self) -> str:
        """The location as shown to users: a file path, a URL, ``shard.tar/member``."""

    def read(self) -> bytes:
        """Read the encoded bytes; blocks.

        Raises:
            PictureError: ``missing`` or ``fetch``, when it is not available.
        """

    def url(self) -> str | None:
        """The http(s) URL that must be downloaded first, if any; ``read`` then refuses."""
        return None

    def file(self) -> str | None:
        """The picture's local file, if it is one; need not be valid Unicode."""
        return None

    def content_id(self) -> str:
        """Differs if another picture has this one's key in a later run; empty if unknown.

        It is known without reading the picture. If it differs, the digests of both pictures are compared.
        """
        return ""

    def etag(self) -> str:
        """Differs if the picture was changed or deleted during a run; empty if unknown.

        For a download it is the server's ``ETag`` or ``Last-Modified`` date.
        """
        return ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of a dataset, before it has a caption.

    ``key`` is unique within the source and stable between runs. ``text`` is the existing caption, if any.
    ``metadata`` goes to the output and fills the variables of a prompt. ``members`` are the other files of a
    webdataset sample, by extension, copied into shards. ``problem`` replaces ``location`` if there is no
    picture to load: the engine turns it into an outcome. ``origin`` is the picture's place, for keys that do
    not name it. ``text_problem`` is the reason why the existing text cannot be used.
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
        """That of the location, with the ``origin``; empty without a location."""
        content_id = self.location.content_id() if self.location else ""
        return f"{content_id} of {self.origin}" if self.origin else content_id

    @property
    def etag(self) -> str:
        """That of the location; empty without one."""
        return self.location.etag() if self.location else ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a source has no picture for a sample; ``skip`` makes it a Skip, not a Failure.

    ``rule``, ``value`` and ``kept`` are those of a ``Skip`` with the message as its reason; ``path`` is the
    path of a picture that a rule rejects.
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
    """Possible pictures in an input that its source did not read.

    ``examples`` are the first names; ``what`` is the noun for ``count``, ``cure`` what to do.
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
    """Tokens as counted by the endpoint; zero if it did not report them."""

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

    ``raw`` is the complete response as JSON; ``seconds`` is the time of the successful request, without
    waiting; ``attempts`` counts all requests. ``extracted``: the text is already the caption, without regex.
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
    """One reply within a chain. ``text`` was extracted from ``reply.text``.

    ``asked`` is a digest of the request, by which later runs find the reply; empty where it was not recorded.
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
    """A captioned sample.

    ``text`` is final: with trigger word, prefix and suffix, joined with the existing text by the policy.
    ``draft`` is the text before that, after the checks; None without checks, when it is that of ``source``.
    ``fields`` are those of a structured caption. ``existing`` is the text before the caption, to join them
    again; ``content_id`` is the sample's at that time. ``checks`` holds the notes of checks, by name.
    ``step`` names the step whose text became the caption; empty for the first. ``missing_steps`` are the
    optional steps that failed, with their kinds of failure; ``useless`` is the usage of unusable replies.
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
        """The sum over the steps, including those of earlier runs."""
        return Usage.sum([step.reply.usage for step in self.steps])

    @property
    def source(self) -> Step | None:
        """The step whose text became the caption."""
        named = (step for step in self.steps if step.name == self.step)
        return next(named, self.steps[0] if self.steps else None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A sample that was skipped on purpose, with the ``reason`` and the measured ``value``.

    ``rule`` is the name under which it is counted, such as ``sharpness>=0.8``; empty for the reason. ``kept``
    is the key of the picture that is captioned instead of a duplicate.

    ``stage`` is the name and fingerprint of the filter or check that decided it, if any: only such decisions
    are journalled, until the fingerprint changes. The other fields are as in ``Failure``.
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
    """A sample without a caption.

    ``steps`` succeeded; ``reply`` is the model's unusable reply, if any; ``useless`` is the usage of unusable
    replies, by step. ``step`` and ``digest`` identify the request of a ``reply`` that a later run may use.
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
    """Delays by refusals and outages of endpoints.

    ``times`` counts them by cause (``429``, ``503``, ``unreachable`` …), ``seconds`` is the time for which
    requests were delayed, and ``now`` describes the current delay, if any.
    """

    times: Mapping[str, int] = dataclasses.field(default_factory=dict)
    seconds: float = 0.0
    now: str = ""

    def __add__(self, other: Slowdown) -> Slowdown:
        times = dict(collections.Counter(self.times) + collections.Counter(other.times))
        return Slowdown(times=times, seconds=self.seconds + other.seconds, now=self.now or other.now)

    def since(self, before: Slowdown) -> Slowdown:
        """The difference to an earlier value."""
        times = dict(collections.Counter(self.times) - collections.Counter(before.times))
        return Slowdown(times=times, seconds=self.seconds - before.seconds, now=self.now)
