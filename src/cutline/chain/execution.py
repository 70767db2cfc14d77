"""Execution of several steps for one picture."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, TypeAlias

from cutline.chain.dependencies import Dependencies
from cutline.chain.step import (
    ChainStep,
    InputMissing,
    Result,
    from_known,
    run_step,
    step_failure,
    with_digest,
)
from cutline.errors import SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.records import Step

NoteStep: TypeAlias = Callable[[Step], None]
Prepare: TypeAlias = Callable[[Captioner, Picture], Awaitable[None]]


@dataclasses.dataclass(slots=True, kw_only=True)
class ChainExecution:
    """Runs the steps of a chain for one picture, each as soon as its inputs are there."""

    picture: Picture
    variables: Mapping[str, Any]
    dependencies: Dependencies
    prepare: Prepare
    known: Sequence[Step]
    note: NoteStep | None
    _pending: int = 0
    _tasks: dict[str, asyncio.Task[Result]] = dataclasses.field(default_factory=dict)
    _locks: dict[Hashable, asyncio.Lock] = dataclasses.field(default_factory=dict)

    async def run(self, steps: Sequence[ChainStep]) -> dict[str, Result]:
        """The result of each step by name, in the order of ``steps``."""
        self._pending = len(steps)
        if len(steps) > 1:
            self._check_variables(steps)
        try:
            async with asyncio.TaskGroup() as group:
                for step in steps:
                    self._tasks[step.name] = group.create_task(self._run_step(step))
        except ExceptionGroup as errors:  # an error of ``note`` is raised as itself
            raise errors.exceptions[0] from None
        return {name: task.result() for name, task in self._tasks.items()}

    def _check_variables(self, steps: Sequence[ChainStep]) -> None:
        """Find variables that the sample lacks before any request, not when a later step needs them."""
        for step in steps:
            inputs = self.dependencies[step.name]
            if not step.optional and len(inputs) < len(step.prompt.variables):
                try:
                    step.prompt.render({**self.variables, **dict.fromkeys(inputs, "a text")})
                except SampleError as error:
                    raise step_failure(f"step {step.name}: ", error, (), {}) from None

    async def _run_step(self, step: ChainStep) -> Result:
        values, inputs = self.variables, self.dependencies[step.name]
        if inputs:
            values = dict(values)
            for variable, source in inputs.items():
                result = await self._tasks[source]
                if not isinstance(result, Step):
                    self._pending -= 1
                    return InputMissing(source)
                values[variable] = _value(result, variable)
        result = await self._request(step, values)
        self._pending -= 1
        if isinstance(result, Step) and not result.counted and self._pending and self.note is not None:
            self.note(result)
            result = dataclasses.replace(result, counted=True)
        return result

    async def _request(self, step: ChainStep, values: Mapping[str, Any]) -> Result:
        """The result of an earlier run for the same request, or a new one."""
        try:
            prompt, digest = step.request(values)
            known = step.find(self.known, digest)
            if known is not None:
                return from_known(step, known, prompt)
            # Once for all steps of a captioner: the others find the picture prepared.
            async with self._locks.setdefault(step.captioner.limit_key, asyncio.Lock()):
                await self.prepare(step.captioner, self.picture)
        except Exception as error:  # noqa: BLE001 - as in run_step
            return error
        return with_digest(step, digest, await run_step(step, self.picture, prompt))


def _value(step: Step, variable: str) -> Any:
    """The value of ``{step}`` or ``{step.field}``."""
    _, *fields = variable.split(".")
    value: Any = step.fields if fields else step.text
    for field in fields:
        value = value.get(field) if isinstance(value, Mapping) else None
    return value
