"""Messages between the driver and the workers. All of them can be pickled."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import Final, TypeAlias

from cutline.engine.repeats import RequestId
from cutline.engine.sample_rules import SampleRules
from cutline.errors import CutlineError, SampleError
from cutline.interfaces import CheckResult, Rejection, Source, Violation
from cutline.job import Job
from cutline.records import JSON, LeftOver, Outcome, Sample, Slowdown, Step

FLUSH_EVERY = 0.2
"""Seconds within which an outcome leaves the worker; a killed worker loses those that have not."""
_MOST = 1.0  # of these seconds
_EACH = 0.004  # of them for each worker: a message takes the driver 0.3 ms


def flush_interval(workers: int) -> float:
    """Seconds between a worker's messages, so that those of all take little of the driver's time."""
    return min(_MOST, max(FLUSH_EVERY, workers * _EACH))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """The arguments of a new worker.

    ``key`` is the API key in the clear, and ``key_variables`` are those of the driver's environment by name:
    arguments of an actor, which no dashboard or log shows. ``rules`` as in a ``ShardTask``. ``files`` are
    those that the job names, with their digests, ``inputs`` paths of the input with their sizes.
    ``keeps_captions``: the output may have captions already. ``log_level`` is that of the driver's log.
    """

    job: Job
    key: str | None = dataclasses.field(repr=False)
    key_variables: Mapping[str, str] = dataclasses.field(repr=False)
    rules: SampleRules
    folder: str
    files: Mapping[str, str]
    inputs: Mapping[str, int]
    needs_picture: bool
    keeps_captions: bool
    has_budget: bool
    trusted: bool
    log_level: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """The node and the versions of a worker."""

    node: str
    host: str
    pid: int
    cutline: str
    python: str
    problem: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShardWork:
    """One shard, without its first ``start`` samples, which are complete.

    ``has_history``: the journal may know samples of it. ``is_watched``: earlier workers died over it, so
    each sample is announced before work on it begins; ``suspects`` were under way then: until they are
    done, samples are worked on one at a time. Outcomes leave the worker every ``flush_every`` seconds.
    """

    number: int
    source: Source
    start: int = 0
    stop: int | None = None
    has_history: bool = False
    is_watched: bool = False
    suspects: frozenset[str] = frozenset()
    flush_every: float = FLUSH_EVERY


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the driver knows about a sample: the records of its journal, and the contents of its output.

    ``existing`` is the text there, or why it cannot be read; it is only read for a sample that is to be
    captioned. ``refused`` says why the output would not take its caption, or the earlier outcome's text.
    ``sample`` takes the place of one that rules reject. ``is_elsewhere``: another shard makes or made the
    sample's request; see ``SharedRequest``.
    """

    sample: Sample | None = None
    is_elsewhere: bool = False
    outcome: Outcome | None = None
    steps: tuple[tuple[str, tuple[Step, ...]], ...] = ()
    earlier: Outcome | None = None
    existing: str | CutlineError | None = None
    refused: CutlineError | None = None


NOTHING: Final = Known()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a worker waits for; answered by ``number``."""

    number: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Lookup(Question):
    """A question about samples, by key; unknown ones are left out of the answer.

    ``requests`` are those that samples may share with others, None for the rest. ``outdated``: the known
    outcomes are about other pictures, so the texts in the output are needed too.
    """

    samples: tuple[Sample, ...]
    requests: tuple[RequestId | None, ...]
    outdated: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SharedRequest(Question):
    """A question for the outcome of a request that another shard makes; None if this one is to make it."""

    key: str
    request: RequestId


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Comparison(Question):
    """A question for what a check that compares captions finds; ``picture`` as ``Draft.picture_id``."""

    check: str
    key: str
    picture: str
    text: str
    fields: JSON | None


Compared: TypeAlias = CheckResult | Rejection | Violation | SampleError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Forgotten:
    """A caption that the check need not remember: its picture is captioned again."""

    check: str
    text: str
    picture: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Announcement(Question):
    """Work on the sample begins once this is acknowledged."""

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
    """For the journal: the outcome of a key also applies to this content."""

    key: str
    content_id: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A sample's outcome for the output, in the order of the shard.

    ``outcome`` is None if it is that of the key's last ``Appended``.
    """

    sample: Sample
    outcome: Outcome | None
    picture: bytes | None
    is_fresh: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A line of a worker's log, with its logger."""

    name: str
    level: int
    line: str


Event: TypeAlias = (
    Lookup
    | SharedRequest
    | Comparison
    | Forgotten
    | Announcement
    | Appended
    | AppendedStep
    | AppendedContent
    | Written
    | Logged
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A snapshot of a worker's figures; times and counts are since its start."""

    in_flight: int = 0
    loading: int = 0
    slots: int = 0
    slowdown: Slowdown = dataclasses.field(default_factory=Slowdown)
    retries: Counter[str] = dataclasses.field(default_factory=Counter)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """The end of a shard in a worker.

    ``complete``: all its samples have an outcome. ``stop`` is the reason for an early end, ``error`` one that
    must end the run. ``changed``, ``unchecked`` and ``replaced`` as in ``RunStats``.
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
    """The events of a worker since its last batch; ``left`` unused grants of the budget are returned."""

    events: tuple[Event, ...]
    status: Status
    left: int = 0
    ended: Ended | None = None
