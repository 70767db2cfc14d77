"""The few shapes that parts of cutline, and plug-ins, have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from cutline.imaging import Picture
from cutline.prompts import Prompt
from cutline.records import JSON, Outcome, Reply, Sample


@runtime_checkable
class Captioner(Protocol):
    """Turns one picture and one prompt into one reply.

    Batching is a captioner's private matter: gather the calls that are waiting.
    """

    name: str

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Ask about one picture.

        Raises:
            PictureError, ReplyError: this picture cannot be captioned.
            RequestError: the request failed; ``Retryable`` says that asking again may help.
            RunStopped: no picture can be captioned until the user changes something.
        """

    async def aclose(self) -> None:
        """Free what the captioner holds; called once."""


@runtime_checkable
class Preparing(Protocol):
    """A captioner with work to do before it takes a slot of the endpoint, such as encoding."""

    async def prepare(self, picture: Picture) -> None: ...


@runtime_checkable
class Opening(Protocol):
    """A captioner with something to load before the first picture; a call does it too, but silently."""

    async def open(self, say: Callable[[str], None]) -> None:
        """Load it, unless that was done; ``say`` takes lines about what is waited for, from any thread.

        Raises:
            ConfigError: it cannot be loaded.
        """


@runtime_checkable
class Adjustable(Protocol):
    """A captioner that can be asked with other parameters at the same cost: same model, same connections."""

    def adjusted(self, parameters: Mapping[str, Any]) -> Captioner:
        """The same model with ``parameters`` (max_tokens, temperature, top_p, seed) in place of its own.

        What it returns is not closed: it holds nothing of its own.

        Raises:
            ConfigError: one of them means nothing to this model.
        """


@runtime_checkable
class Slotted(Protocol):
    """A captioner that knows how many calls it can use at once; the engine's window follows it."""

    @property
    def slots(self) -> int: ...


@runtime_checkable
class Halting(Protocol):
    """A captioner with calls that wait for their turn, which a stopped run does not begin any more."""

    def halt(self) -> None:
        """Begin no call from now on: those that wait raise RunStopped, those under way end as they would."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check left of a text. ``note`` is plain JSON; what was taken away is listed as ``dropped``."""

    text: str
    note: Mapping[str, Any]


class Check(Protocol):
    """Looks at a caption beside its picture, and may take away from it; ``name`` is its note's."""

    name: str

    async def open(self, say: Callable[[str], None]) -> None:
        """Get ready, before anything is paid for; ``say`` as for a captioner's.

        Raises:
            ConfigError: the check cannot be done here; the message names the cure.
        """

    async def check(self, picture: Picture, texts: Sequence[str]) -> Sequence[Checked]:
        """What is left of each text: the caption, then other texts of the same reply.

        Whatever it raises is the picture's failure; RunStopped ends the run.
        """

    async def aclose(self) -> None:
        """Free what the check holds; called once."""


class Source(Protocol):
    """Where samples come from, always in the same order."""

    def samples(self) -> Iterator[Sample]:
        """List the samples. Blocks; the engine runs it in a thread.

        A row that cannot be a sample becomes one with a ``problem``: nothing is dropped.

        Raises:
            ConfigError: the input does not exist or is not what it was said to be.
            SourceError: the listing broke half way.
        """

    def count(self) -> int | None:
        """How many samples there are, or None when only reading everything would tell."""


class Sink(Protocol):
    """Keeps outcomes in source order. All methods block and run in one thread.

    The life of a sink: ``open`` once, ``write`` and ``commit`` many times, then
    ``finish`` (everything is written) or ``close`` (the run stopped early).
    """

    needs_picture: bool
    """Whether ``write`` is given the picture's encoded bytes."""

    def open(self, mark: JSON | None) -> None:
        """Go on after ``mark``, the value of the last ``commit``; what was written later is undone.

        ``None`` starts anew. Raises ConfigError when the output is not as the mark says.
        """

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:
        """Take one outcome. Captions become rows; others need nothing but may be noted."""

    def commit(self) -> JSON:
        """Make all that was written survive the death of the process; returns the mark."""

    def finish(self) -> None:
        """Publish the whole output atomically. The state folder may keep the working parts."""

    def close(self) -> None:
        """Release files without publishing."""

    @property
    def outputs(self) -> list[Path | str]:
        """What the user should look at: files, folders or remote paths."""


@runtime_checkable
class Checkable(Protocol):
    """A sink that can tell whether it may be opened without touching what is there."""

    def check_open(self, mark: JSON | None) -> None:
        """Raise what ``open`` would raise of the output that is there."""
