"""Steps, how they hang together, and what comes of a picture that went through them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from cutline.chain.dependencies import inputs_of, links
from cutline.chain.execution import ChainExecution, NoteStep
from cutline.chain.step import ChainStep, Result, ask_only, cause_of, failed, kind_of
from cutline.errors import ConfigError, RunStopped, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.records import Step, Usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """What a chain brought: ``caption`` is among ``steps``, which lack the ``missing`` optional ones."""

    steps: tuple[Step, ...]
    caption: Step
    missing: Mapping[str, str]
    useless: Mapping[str, Usage]


class Chain:
    """Named steps, asked side by side, or one after the other where they are linked.

    ``linked`` steps see each other's texts: ``{name}`` in a prompt is that step's text, before any
    metadata of the name, and ``{previous}`` that of the step before it in the list. Their caption is
    the last step's text, or that of the step named ``caption``; without links it is the first one's.

    Raises:
        ConfigError: two steps share a name, there is no step ``caption``, or steps wait for each other.
    """

    def __init__(self, steps: list[ChainStep], *, linked: bool = False, caption: str | None = None) -> None:
        self.steps = steps
        names = [step.name for step in steps]
        twice = next((name for place, name in enumerate(names) if name in names[:place]), None)
        if twice is not None:
            raise ConfigError(f"two steps are named {twice!r}: give each a name of its own")
        if caption is not None and caption not in names:
            raise ConfigError(
                f"there is no step {caption!r} for the caption: the steps are {', '.join(names)}"
            )
        self.caption = caption or names[-1 if linked else 0]
        unlinked: dict[str, dict[str, str]] = {name: {} for name in names}
        self.taken = links({step.name: step.prompt.variables for step in steps}) if linked else unlinked
        self._captioners = list({id(step.captioner): step.captioner for step in steps}.values())
        self._halted = False

    @property
    def uses_variables(self) -> bool:
        """Whether any prompt has variables to fill in."""
        return any(step.prompt.variables for step in self.steps)

    @property
    def name(self) -> str:
        return " + ".join(dict.fromkeys(captioner.name for captioner in self._captioners))

    @property
    def models(self) -> dict[str, str]:
        """The captioner's name for each step's."""
        return {step.name: step.captioner.name for step in self.steps}

    async def open(self, say: Callable[[str], None]) -> None:
        """Load what the captioners have to load, one after the other; raises ConfigError as they do."""
        for captioner in self._captioners:
            await captioner.open(say)

    @property
    def slots(self) -> int:
        """How many pictures can be under way at once now, each captioner having others before it.

        A limit that several captioners share counts once.
        """
        limits: dict[Hashable, int] = {}
        for captioner in self._captioners:
            limits[captioner.limit_key] = max(limits.get(captioner.limit_key, 0), captioner.slots)
        return sum(limits.values())

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return sum({captioner.limit_key: captioner.in_flight for captioner in self._captioners}.values())

    def seconds(self, steps: Iterable[Step]) -> float:
        """How long the requests of one picture took from the first to the last, without waiting."""
        own = {step.name: step.reply.seconds for step in steps}

        def ended(name: str) -> float:
            before = (ended(source) for source in self.taken[name].values())
            return own.get(name, 0.0) + max(before, default=0.0)

        return max((ended(name) for name in own), default=0.0)

    def halt(self) -> None:
        """Begin no question from now on; what is under way is answered."""
        self._halted = True
        for captioner in self._captioners:
            captioner.halt()

    async def follow(
        self,
        picture: Picture,
        variables: Mapping[str, Any],
        *,
        known: Iterable[Step] = (),
        note: NoteStep | None = None,
    ) -> ChainResult:
        """Ask every step about the picture, each as soon as it has what it takes from others.

        ``known`` steps of an earlier time are not asked where the question is still the same.
        ``note`` is told of each step that has its text while others have not; what it raises is raised.

        Raises:
            PictureError: the only step's picture cannot be prepared.
            StepFailed: a step that is not optional gave no text; the others were still asked.
            RunStopped: the run cannot go on.
        """
        if len(self.steps) == 1:
            await self._prepare(self.steps[0].captioner, picture)
            results = {self.steps[0].name: await ask_only(self.steps[0], picture, variables)}
        else:
            course = ChainExecution(
                picture, variables, taken=self.taken, prepare=self._prepare, known=known, note=note
            )
            results = await course.run(self.steps)
        for result in results.values():
            if isinstance(result, RunStopped):
                raise result
        return self._ended(results)

    def _ended(self, results: Mapping[str, Result]) -> ChainResult:
        done = {name: result for name, result in results.items() if isinstance(result, Step)}
        errors = {name: result for name, result in results.items() if not isinstance(result, Step)}
        if len(done) == len(self.steps):
            return ChainResult(steps=tuple(done.values()), caption=done[self.caption], missing={}, useless={})
        useless = {
            name: error.reply.usage
            for name, error in errors.items()
            if isinstance(error, SampleError) and error.reply is not None
        }
        needed = [step.name for step in self.steps if step.name in errors and not step.optional]
        caption = None if needed else self._newest(done)
        if caption is None:
            first = cause_of(needed[0] if needed else next(iter(errors)), errors)
            message = "" if len(self.steps) == 1 else f"step {first}: "
            raise failed(message, errors[first], tuple(done.values()), useless)
        missing = {name: kind_of(errors[cause_of(name, errors)]) for name in errors}
        return ChainResult(steps=tuple(done.values()), caption=caption, missing=missing, useless=useless)

    def _newest(self, done: Mapping[str, Step]) -> Step | None:
        """The caption's step; else the newest of those it takes from, else of all before it."""
        if self.caption in done:
            return done[self.caption]
        names = [step.name for step in self.steps]
        before = names[: names.index(self.caption)]
        inputs = inputs_of(self.caption, self.taken)
        newest = [name for name in before if name in done]
        newest.sort(key=lambda name: name in inputs)  # stable: within both kinds the order of the list stays
        return done[newest[-1]] if newest else None

    async def _prepare(self, captioner: Captioner, picture: Picture) -> None:
        if self._halted:
            raise RunStopped("stopped")
        await captioner.prepare(picture)

    async def aclose(self) -> None:
        for captioner in self._captioners:
            await captioner.aclose()
