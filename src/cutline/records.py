"""The values that travel through cutline: samples in, outcomes out.

Everything here is frozen, picklable and free of I/O, so a record can cross a
thread, a process or a cluster without changing its meaning.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, TypedDict

JSON: TypeAlias = dict[str, Any]


class Location(Protocol):
    """Where the encoded bytes of one picture are."""

    @property
    def path(self) -> str:
        """What a person would call the place: a file path, a URL, ``shard.tar/member``."""

    def read(self) -> bytes:
        """Read the encoded bytes; blocks.

        Raises:
            PictureError: ``missing`` or ``fetch``, when they cannot be had.
        """


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One row of a dataset, before it has a caption.

    ``key`` is unique within the source and stable between runs. ``text`` is the
    caption the sample already has, if any. ``image_id`` and ``metadata`` go to the
    output as they are; metadata also fills the variables of a prompt. ``members``
    are the other files of a webdataset sample, by extension, carried into shards.
    ``problem`` is set instead of ``location`` when the source can already tell that
    there is no picture to load: the engine turns it into that outcome.
    """

    key: str
    location: Location | None
    text: str | None = None
    metadata: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    members: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    problem: Problem | None = None

    @property
    def path(self) -> str:
        return self.location.path if self.location else self.key

    @property
    def stamp(self) -> str:
        """What tells that another picture has come under the same key; empty where nothing cheap does."""
        stamp = getattr(self.location, "stamp", None)
        return stamp() if stamp is not None else ""

    @property
    def version(self) -> str:
        """What tells, within one run, that the picture was changed or deleted; empty where nothing does."""
        version = getattr(self.location, "version", None)
        return version() if version is not None else ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a source has no picture for a sample; ``skip`` makes it a Skip, not a Failure."""

    kind: str
    message: str
    skip: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens as the endpoint counted them; zero where it did not say."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
        )

    @property
    def total(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a captioner said about one picture.

    ``raw`` is the whole response as JSON; ``seconds`` is the time of the request that
    succeeded, without waiting; ``attempts`` counts requests, the failed ones included.
    ``extracted``: the text is the caption already, so a prompt's regex is not looked for in it.
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

    ``asked`` stands for the whole question, so that its answer can be used when the picture is asked
    about again; empty where there are no other steps. ``counted``: the journal has the step's tokens
    from an earlier line.
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

    ``text`` is final: extracted, with trigger word, prefix and suffix, joined with the
    text the sample had when the policy asks for that. ``fields`` are the values of a
    structured caption. ``existing`` is the text the sample had before, so that it can be
    joined again when the picture is captioned anew. ``stamp`` is the sample's, see there.
    ``checks`` holds what checks noted, by their names; None where none were asked for.
    ``step`` names the step whose text became the caption; empty for the first. ``missing_steps`` are
    the optional steps that failed, each with the kind of its failure; ``useless`` is what answers
    that could not be used cost, by step.
    """

    key: str
    text: str
    steps: tuple[Step, ...] = ()
    fields: JSON | None = None
    existing: str | None = None
    stamp: str = ""
    checks: JSON | None = None
    step: str = ""
    missing_steps: Mapping[str, str] = dataclasses.field(default_factory=dict)
    useless: Mapping[str, Usage] = dataclasses.field(default_factory=dict)

    @property
    def usage(self) -> Usage:
        """What the steps used, whenever they were asked."""
        return sum((step.reply.usage for step in self.steps), Usage())

    @property
    def source(self) -> Step | None:
        """The step whose text became the caption."""
        named = (step for step in self.steps if step.name == self.step)
        return next(named, self.steps[0] if self.steps else None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Skip:
    """A sample that was left alone on purpose; ``reason`` is the rule, ``value`` what was measured.

    ``stage`` is the filter or check that decided so, its name followed by its fingerprint, and empty
    where none did: only decisions of stages are kept in the journal, until the fingerprint changes.
    ``steps`` and ``useless`` are as in ``Failure``, and ``stamp`` is the sample's.
    """

    key: str
    reason: str
    value: JSON | None = None
    stage: str = ""
    steps: tuple[Step, ...] = ()
    useless: Mapping[str, Usage] = dataclasses.field(default_factory=dict)
    stamp: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A sample that got no caption.

    ``steps`` are those that did succeed; ``reply`` is the model's answer where it gave one that
    could not be used; ``useless`` is what all answers that could not be used cost, by step.
    """

    key: str
    kind: str
    message: str
    attempts: int = 0
    steps: tuple[Step, ...] = ()
    useless: Mapping[str, Usage] = dataclasses.field(default_factory=dict)
    reply: Reply | None = None
    stamp: str = ""


Outcome: TypeAlias = Caption | Skip | Failure


class CaptionOptions(TypedDict, total=False):
    """Options of one picture's caption; those left out are as the model was loaded or the service started.

    ``chain`` names a chain of the service.
    """

    prompt: str
    system_prompt: str
    language: str
    schema: Mapping[str, Any]
    max_tokens: int
    temperature: float
    top_p: float
    seed: int
    chain: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionResult:
    """The result of captioning one picture: ``caption``, or ``error`` with its ``kind`` (docs/failures.md).

    ``image`` is the picture's name as it was given, and ``index`` its position, from 0, among those given
    together; ``fields`` are those of a structured caption. With a chain of several steps ``steps`` has each
    step's name, text and model.
    """

    image: str
    index: int = 0
    caption: str | None = None
    fields: JSON | None = None
    steps: list[JSON] | None = None
    model: str | None = None
    prompt_id: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0
    error: str | None = None
    kind: str | None = None


_TYPES = {"caption": Caption, "skip": Skip, "failure": Failure}
_NAMES = {cls: name for name, cls in _TYPES.items()}
_FIELDS = {cls: tuple(field.name for field in dataclasses.fields(cls)) for cls in _TYPES.values()}


def outcome_to_json(outcome: Outcome) -> JSON:
    """The outcome as a mapping that ``orjson`` can write, with ``type`` naming its class.

    Nested records stay records: orjson writes them as objects by itself, ten times faster than
    ``dataclasses.asdict`` copies them.
    """
    data: JSON = {"type": _NAMES[type(outcome)]}
    for name in _FIELDS[type(outcome)]:
        data[name] = getattr(outcome, name)
    return data


def outcome_from_json(data: Mapping[str, Any]) -> Outcome:
    """The inverse of ``outcome_to_json``.

    Raises:
        ValueError, KeyError, TypeError: ``data`` is not an outcome.
    """
    values = dict(data)
    kind = _TYPES[values.pop("type")]
    if "steps" in values:
        values["steps"] = tuple(step_from_json(step) for step in values["steps"])
    if "useless" in values:
        values["useless"] = {name: Usage(**usage) for name, usage in values["useless"].items()}
    if isinstance(values.get("reply"), dict):
        values["reply"] = _reply_from_json(values["reply"])
    outcome: Outcome = kind(**values)
    return outcome


def step_from_json(data: Mapping[str, Any]) -> Step:
    """The inverse of what ``orjson`` makes of a step; raises as ``outcome_from_json``."""
    return Step(**{**data, "reply": _reply_from_json(data["reply"])})


def _reply_from_json(data: Mapping[str, Any]) -> Reply:
    return Reply(**{**data, "usage": Usage(**data["usage"])})
