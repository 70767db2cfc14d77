"""What driver and workers send each other. All records pickle; Ray carries them."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import TypeAlias

from cutline.engine.sample_rules import SampleRules
from cutline.errors import CutlineError
from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import LeftOver, Outcome, Sample, Slowdown, Step


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What a worker is made from.

    ``key`` is the API key in the clear, and ``key_variables`` are those of the driver's environment by name:
    arguments of an actor, which no dashboard or log shows. ``rules`` as in a ``ShardTask``. ``files`` are
    those that the job names, with their digests. ``keeps_captions``: the output may have captions already.
    """

    job: Job
    key: str | None = dataclasses.field(repr=False)
    key_variables: Mapping[str, str] = dataclasses.field(repr=False)
    rules: SampleRules
    folder: str
    files: Mapping[str, str]
    needs_picture: bool
    keeps_captions: bool
    has_budget: bool
    trusted: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where a worker runs, and with what."""

    node: str
    host: str
    pid: int
    cutline: str
    python: str
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShardWork:
    """One shard, without its first ``start`` samples, which have their outcome.

    ``has_history``: the journal may know samples of it. ``is_watched``: earlier workers died over it, so
    each sample is announced before work on it begins; ``suspects`` were under way then, and are worked on
    one at a time.
    """

    number: int
    source: Source
    start: int = 0
    stop: int | None = None
    has_history: bool = False
    is_watched: bool = False
    suspects: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the driver knows of a sample: its journal's records, and what its output holds.

    ``existing`` is the text there, or why it cannot be read; ``refused`` says why the output would not take
    its caption, or the earlier outcome's text. ``sample`` takes the place of one that rules reject.
    """

    sample: Sample | None = None

    outcome: Outcome | None = None
    steps: tuple[tuple[str, tuple[Step, ...]], ...] = ()
    earlier: Outcome | None = None
    existing: str | CutlineError | None = None
    refused: CutlineError | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """A question of a worker for what is known of samples; answered by ``number``."""

    number: int
    samples: tuple[Sample, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """Work on the sample begins once this is acknowledged by ``number``."""

    number: int
    key: str
    content_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """An outcome for the journal."""

    outcome: Outcome


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppendedStep:
    """A reply for the journal, of a sample whose other steps are pending."""

    key: str
    content_id: str
    step: Step


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AppendedContent:
    """For the journal: the outcome of a key is about this content too."""

    key: str
    content_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A sample's outcome for the output, in the order of the shard.

    ``outcome`` is None where it is what the last ``Appended`` of the key holds.
    """

    sample: Sample
    outcome: Outcome | None
    picture: bytes | None
    is_fresh: bool


Event: TypeAlias = Lookup | Announcement | Appended | AppendedStep | AppendedContent | Written


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A worker's figures at a moment; times and counts since it was made."""

    in_flight: int = 0
    loading: int = 0
    slots: int = 0
    slowdown: Slowdown = dataclasses.field(default_factory=Slowdown)
    retries: Counter[str] = dataclasses.field(default_factory=Counter)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a shard ended in a worker.

    ``complete``: all its samples have their outcome. ``stop`` is what ended it early, ``error`` what must
    end the run. ``changed``, ``unchecked`` and ``replaced`` as in ``RunStats``.
    """

    complete: bool
    stop: CutlineError | None = None
    error: CutlineError | None = None
    warnings: tuple[str, ...] = ()
    left_over: tuple[LeftOver, ...] = ()
    changed: int = 0
    unchecked: int = 0
    replaced: int = 0
    first_replaced: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What happened in a worker since the last batch; ``left`` grants of the budget came back."""

    events: tuple[Event, ...]
    status: Status
    left: int = 0
    ended: Ended | None = None
