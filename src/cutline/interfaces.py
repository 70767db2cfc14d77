"""The protocols that parts of cutline, and plug-ins, implement."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, TypeAlias, runtime_checkable

from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.imaging.decoded import DecodedPicture
from cutline.parameters import Parameter
from cutline.prompts import Prompt
from cutline.records import JSON, LeftOver, Outcome, Reply, Sample, Slowdown, Step

if TYPE_CHECKING:
    from cutline.text.corpus import Corpus, CorpusScore

Say: TypeAlias = Callable[[str], None]
"""Takes lines about what is waited for, from any thread."""


def silent(_: str) -> None:
    """Discard a line."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a captioner is and what it supports.

    ``default_prompt`` is used where no prompt is given. ``instructable``: it follows instructions.
    ``ignores`` returns whether a prompt has no effect on its captions; None where every prompt has one.
    ``own_timeout``: it limits the time of its calls itself, since they wait for a batch or a thread.
    ``parameters`` are those that ``adjusted`` accepts, with their ranges.
    """

    default_prompt: Prompt | None = None
    instructable: bool = True
    ignores: Callable[[Prompt], bool] | None = None
    own_timeout: bool = False
    parameters: tuple[Parameter, ...] = ()


@runtime_checkable
class Captioner(Protocol):
    """Turns one picture and one prompt into one reply.

    Subclasses provide ``name``, ``caption`` and ``aclose``; to batch, they gather the waiting calls.
    """

    name: str
    profile: Profile = Profile()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Caption one picture.

        Raises:
            PictureError, ReplyError: this picture cannot be captioned.
            RequestError: the request failed; ``Retryable`` means that a retry may succeed.
            RunStopped: no picture can be captioned until the user changes something.
        """

    async def aclose(self) -> None:
        """Free what the captioner holds; called once."""

    async def open(self, say: Say = silent) -> None:
        """Load what is needed, if not yet done, as ``caption`` does; raises ConfigError if it cannot."""
        return

    async def prepare(self, picture: Picture) -> None:
        """Do the work that needs no slot, such as encoding, before ``caption`` takes one."""
        return

    def check_prompt(self, prompt: Prompt) -> None:
        """Raises ConfigError for a prompt that the captioner cannot use; it names what can be used."""
        if not prompt.is_one_message:
            raise ConfigError(f"{self.name} takes one picture in a request: send one")

    def adjusted(self, parameters: Mapping[str, Any]) -> Captioner:
        """The same model and connections with other ``parameters``, of those in ``profile.parameters``.

        The result owns nothing and is not closed. Raises ConfigError for an unsupported parameter.
        """
        it = "it" if len(parameters) == 1 else "them"
        raise ConfigError(f"{self.name} does not support {' and '.join(parameters)}; remove {it}")

    def halt(self) -> None:
        """Start no more calls: those that wait raise RunStopped, those under way finish."""
        return

    @property
    def slots(self) -> int:
        """How many calls it can use at once now; the engine's window follows it."""
        return 1

    @property
    def at_once(self) -> int:
        """Pictures that are captioned at once; ``slots`` can be more, which are prepared meanwhile."""
        return self.slots

    @property
    def in_flight(self) -> int:
        """Calls that hold a slot now."""
        return 0

    @property
    def slowdown(self) -> Slowdown:
        """What refusals of its endpoint cost so far."""
        return Slowdown()

    @property
    def retries(self) -> Mapping[str, int]:
        """Requests that were sent again so far, by cause: an HTTP status or a kind of failure."""
        return {}

    @property
    def limit_key(self) -> Hashable:
        """What its concurrency limit belongs to: captioners with equal keys share one."""
        return id(self)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A stage's decision that a sample gets no caption: it becomes a Skip.

    ``reason`` is the same text for every sample, as skips are counted by it; ``value`` is plain JSON.
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


class Metric(Protocol):
    """Scores captions beside their picture, for comparisons; made as ``metric(model, device=…)``."""

    name: str
    meaning: str
    """What the number says, in a sentence."""

    async def open(self, say: Callable[[str], None]) -> None:
        """As for a stage."""

    async def score(self, picture: Picture, texts: Sequence[str]) -> Sequence[float | None]:
        """A score or None for each text; PictureError, or ConfigError for too little memory."""
        ...

    async def aclose(self) -> None:
        """Free what the metric holds; called once."""


Need: TypeAlias = Literal["references", "objects", "images"]
"""What a metric compares captions with."""


class CorpusMetric(Protocol):
    """Scores all captions of an output at once.

    Made without arguments, or with ``objects=`` (a ``cutline.text.corpus.ObjectLists``) and ``images=`` (an
    ``ImageFiles``) where it needs them.
    """

    name: str
    needs: ClassVar[frozenset[Need]]

    def open(self, say: Say) -> None:
        """Load what the metric needs; ConfigError where that is not possible."""

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        """One or several scores; ConfigError where what the metric needs is not installed."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MeasureOptions:
    """What measures with a model are made with: models are hub names, folders or files."""

    classifier: str | None = None
    aesthetic_model: str | None = None
    aesthetic_head: str | None = None
    device: str = "auto"


class Measure(Protocol):
    """One number about a picture; subclass it. Methods block and are called by several threads.

    ``name`` is that in the registry and in rules. Values lie between ``low`` and ``high``. ``usual`` and
    ``bad`` are those of a good and of a bad photograph, None where neither end is the worse. A change of
    ``version`` has all pictures measured again.
    """

    name: str
    meaning: str
    """What the number says, in a line."""
    low: float = 0.0
    high: float = 1.0
    usual: float | None = None
    bad: float | None = None
    version: str = "1"
    needs_pixels: bool = True
    """Whether ``measure`` uses more than width and height."""
    is_slow: bool = False
    """Whether it is computed only where a rule names it."""
    options: MeasureOptions

    def __init__(self, options: MeasureOptions) -> None:
        """Keep the options; raises ConfigError or MissingExtra where it cannot run."""
        self.options = options

    def open(self, say: Say = silent) -> None:
        """Load what it needs; raises ConfigError."""
        return

    def measure(self, picture: DecodedPicture) -> float | None:
        """The number, or None for a picture that has none, such as the sharpness of an empty page."""
        ...


class Source(Protocol):
    """Where samples come from, always in the same order. Subclass it for the defaults."""

    takes: ClassVar[frozenset[str]] = frozenset()
    """Which of the options ``split`` and ``event`` it supports; the others are refused."""

    def samples(self) -> Iterator[Sample]:
        """List the samples. Blocks; the engine runs it in a thread.

        A row that cannot be a sample becomes one with a ``problem``: nothing is dropped.

        Raises:
            ConfigError: the input does not exist or is of another kind.
            SourceError: reading broke off.
        """

    def count(self) -> int | None:
        """How many samples there are, or None when only reading everything would tell."""

    def shards(self, count: int) -> Sequence[Source]:
        """At most ``count`` sources that pickle and together give the same samples in the same order.

        Only an empty source has an empty shard. Blocks. A source that cannot be split inherits this.
        """
        del count
        return [self]

    @property
    def has_repeats(self) -> bool:
        """Whether one picture may come in several samples; then equal requests are made once."""
        return False

    @property
    def warnings(self) -> Sequence[str]:
        """Lines for the summary about what was read, such as texts in an unknown encoding."""
        return ()

    @property
    def left_over(self) -> Sequence[LeftOver]:
        """Pictures that are in the input and were not listed as samples; known once listing has ended."""
        return ()

    @property
    def column_types(self) -> Mapping[str, Any]:
        """The Arrow types of the samples' metadata by name, where the input has such."""
        return {}


class Sink(Protocol):
    """Keeps outcomes in source order. All methods block and run in one thread. Subclass it for the defaults.

    Life cycle: ``open`` once, ``write`` and ``commit`` many times, then ``finish`` (everything is written)
    or ``close`` (the run stopped early).
    """

    needs_picture: bool = False
    """Whether ``write`` is given the picture's encoded bytes."""
    resumable: bool = True
    """Whether ``open`` can go on after a mark; if not, every outcome is written again."""
    keeps_captions: bool = False
    """Whether captions that are in the output already stay there unless ``--existing`` says otherwise."""

    def check_open(self, mark: JSON | None) -> None:
        """Raise what ``open`` would raise; override it where that needs no change to the output."""
        self.open(mark)

    def open(self, mark: JSON | None) -> None:
        """Go on after ``mark``, the value of the last ``commit``, undoing later writes; None starts over.

        Raises ConfigError where the output does not match the mark.
        """

    def existing_text(self, sample: Sample) -> str | None:
        """The caption that was there before this job, in the output or with the sample."""
        return sample.text

    def check_write(self, sample: Sample, text: str | None = None) -> None:
        """Raise what ``write`` of a caption would raise, before it is paid for; ``text``: where known."""
        return

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:
        """Take one outcome. Captions become rows; skips and failures may be ignored.

        Raises SampleError where this caption cannot be written and others can; it stays in the journal.
        """

    def commit(self) -> JSON:
        """Make all that was written survive the death of the process; returns the mark."""

    def finish(self) -> None:
        """Publish the whole output atomically. The state folder may keep working parts."""

    def close(self) -> None:
        """Release files without publishing."""

    @property
    def outputs(self) -> list[Path | str]:
        """What the user should look at: files, folders or remote paths."""

    @property
    def warnings(self) -> Sequence[str]:
        """Lines for the summary about what was written, such as files whose encoding changed."""
        return ()
