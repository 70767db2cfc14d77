"""A chain of captioning steps, and its result for one picture."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from cutline.chain.dependencies import Dependencies, resolve_dependencies, transitive_inputs
from cutline.chain.execution import ChainExecution, NoteStep
from cutline.chain.step import ChainStep, Result, cause_of, kind_of, run_only_step, step_failure
from cutline.errors import ConfigError, RunStopped, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.records import JSON, Slowdown, Step, Usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainResult:
    """The ``steps`` that have a text, ``caption`` among them; ``missing`` optional ones by failure kind.

    ``useless`` is the usage of unusable replies by step.
    """

    steps: tuple[Step, ...]
    caption: Step
    missing: Mapping[str, str]
    useless: Mapping[str, Usage]


class Chain:
    """Named steps that run concurrently, or one after the other where they are linked.

    ``linked`` steps see each other's texts: ``{name}`` in a prompt is that step's text, before any
    metadata of the name, and ``{previous}`` that of the step before it in the list. Their caption is
    the last step's text, or that of the step named ``caption``; without links it is the first one's.

    Raises:
        ConfigError: two steps share a name, there is no step ``caption``, or steps depend on each other.
    """

    def __init__(self, steps: list[ChainStep], *, linked: bool = False, caption: str | None = None) -> None:
        self.steps = steps
        self._linked = linked
        names = [step.name for step in steps]
        repeated = next((name for name in names if names.count(name) > 1), None)
        if repeated is not None:
            raise ConfigError(f"two steps are named {repeated!r}: give each a name of its own")
        if caption is not None and caption not in names:
            raise ConfigError(
                f"there is no step {caption!r} for the caption: the steps are {', '.join(names)}"
            )
        self.caption = caption or names[-1 if linked else 0]
        self.dependencies: Dependencies = {name: {} for name in names}
        if linked:
            self.dependencies = resolve_dependencies({step.name: step.prompt.variables for step in steps})
        self._captioners = list({id(step.captioner): step.captioner for step in steps}.values())
        self._halted = False

    def with_step(self, step: ChainStep) -> Chain:
        """The same chain with another step in place of the one of its name; raises as the class."""
        steps = [step if one.name == step.name else one for one in self.steps]
        return Chain(steps, linked=self._linked, caption=self.caption)

    @property
    def uses_variables(self) -> bool:
        """Whether any prompt has variables to fill in."""
        return any(step.prompt.variables for step in self.steps)

    @property
    def fields_schema(self) -> JSON | None:
        """The JSON schema of the steps' fields, where they have one in common."""
        schemas = [step.prompt.schema for step in self.steps if step.prompt.schema]
        return schemas[0] if schemas and all(schema == schemas[0] for schema in schemas) else None

    @property
    def variables(self) -> frozenset[str]:
        """The names of the sample's variables in its prompts."""
        return frozenset(
            variable
            for step in self.steps
            for variable in step.prompt.variables
            if variable not in self.dependencies[step.name]
        )

    @property
    def name(self) -> str:
        return " + ".join(dict.fromkeys(captioner.name for captioner in self._captioners))

    @property
    def models(self) -> dict[str, str]:
        """The captioner's name for each step's."""
        return {step.name: step.captioner.name for step in self.steps}

    async def open(self, say: Callable[[str], None]) -> None:
        """Open the captioners one after the other; raises ConfigError as they do."""
        for captioner in self._captioners:
            await captioner.open(say)

    @property
    def slots(self) -> int:
        """How many pictures can be in the chain at once; a limit shared by several captioners counts once."""
        if len(self._captioners) == 1:  # as for most runs, which look twice for each picture
            return self._captioners[0].slots
        limits: dict[Hashable, int] = {}
        for captioner in self._captioners:
            limits[captioner.limit_key] = max(limits.get(captioner.limit_key, 0), captioner.slots)
        return sum(limits.values())

    @property
    def at_once(self) -> int:
        """As ``slots``, without the pictures that are only prepared meanwhile."""
        limits: dict[Hashable, int] = {}
        for captioner in self._captioners:
            limits[captioner.limit_key] = max(limits.get(captioner.limit_key, 0), captioner.at_once)
        return sum(limits.values())

    @property
    def in_flight(self) -> int:
        """Requests in flight."""
        return sum({captioner.limit_key: captioner.in_flight for captioner in self._captioners}.values())

    @property
    def slowdown(self) -> Slowdown:
        """What refusals of the endpoints cost so far."""
        each = {captioner.limit_key: captioner.slowdown for captioner in self._captioners}
        return sum(each.values(), Slowdown())

    @property
    def retries(self) -> Counter[str]:
        """Requests that were sent again so far, by cause."""
        counts = [captioner.retries for captioner in self._captioners]  # some may be shared
        return sum(map(Counter, {id(each): each for each in counts}.values()), Counter())

    def seconds(self, steps: Iterable[Step]) -> float:
        """Seconds of the longest path through one picture's steps, without waiting."""
        own = {step.name: step.reply.seconds for step in steps}

        def ended(name: str) -> float:
            before = (ended(source) for source in self.dependencies[name].values())
            return own.get(name, 0.0) + max(before, default=0.0)

        return max((ended(name) for name in own), default=0.0)

    def halt(self) -> None:
        """Start no request from now on; those in flight finish."""
        self._halted = True
        for captioner in self._captioners:
            captioner.halt()

    async def run(
        self,
        picture: Picture,
        variables: Mapping[str, Any],
        *,
        known: Iterable[Step] = (),
        note: NoteStep | None = None,
    ) -> ChainResult:
        """Run every step for the picture, each as soon as its dependencies have their texts.

        ``known`` steps of an earlier run are reused where the request is still the same. ``note`` is
        called with each step that has its text while others have not; its errors are raised.

        Raises:
            PictureError: the only step's picture cannot be prepared.
            StepFailed: a step that is not optional has no text; the others have still run.
            RunStopped: the run cannot continue.
        """
        if len(self.steps) == 1:
            await self._prepare(self.steps[0].captioner, picture)
            results = {self.steps[0].name: await run_only_step(self.steps[0], picture, variables, known)}
        else:
            execution = ChainExecution(
                picture=picture,
                variables=variables,
                dependencies=self.dependencies,
                prepare=self._prepare,
                known=tuple(known),
                note=note,
            )
            results = await execution.run(self.steps)
        for result in results.values():
            if isinstance(result, RunStopped):
                raise result
        return self._result(results)

    def _result(self, results: Mapping[str, Result]) -> ChainResult:
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
        caption = None if needed else self._caption_step(done)
        if caption is None:
            first = cause_of(needed[0] if needed else next(iter(errors)), errors)
            message = "" if len(self.steps) == 1 else f"step {first}: "
            raise step_failure(message, errors[first], tuple(done.values()), useless)
        missing = {name: kind_of(errors[cause_of(name, errors)]) for name in errors}
        return ChainResult(steps=tuple(done.values()), caption=caption, missing=missing, useless=useless)

    def _caption_step(self, done: Mapping[str, Step]) -> Step | None:
        """The caption's step; else the last of those it depends on, else of all before it."""
        if self.caption in done:
            return done[self.caption]
        names = [step.name for step in self.steps]
        before = names[: names.index(self.caption)]
        inputs = transitive_inputs(self.caption, self.dependencies)
        captioned = [name for name in before if name in done]
        captioned.sort(key=lambda name: name in inputs)  # stable: the order of the list stays otherwise
        return done[captioned[-1]] if captioned else None

    async def _prepare(self, captioner: Captioner, picture: Picture) -> None:
        if self._halted:
            raise RunStopped("stopped")
        await captioner.prepare(picture)

    async def aclose(self) -> None:
        for captioner in self._captioners:
            await captioner.aclose()
