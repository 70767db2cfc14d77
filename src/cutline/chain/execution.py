"""One picture's way through several steps."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from cutline.chain.step import ChainStep, InputMissing, Result, ask, failed
from cutline.errors import SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.records import Step

NoteStep: TypeAlias = Callable[[Step], None]
Prepare: TypeAlias = Callable[[Captioner, Picture], Awaitable[None]]
Taken: TypeAlias = Mapping[str, Mapping[str, str]]
"""For each step the variables that take from other steps, each with the step it takes from."""


class ChainExecution:
    """One picture's way through several steps."""

    def __init__(
        self,
        picture: Picture,
        variables: Mapping[str, Any],
        *,
        taken: Taken,
        prepare: Prepare,
        known: Iterable[Step],
        note: NoteStep | None,
    ) -> None:
        self._picture = picture
        self._variables = variables
        self._taken = taken
        self._prepare = prepare
        self._known = {step.name: step for step in known}
        self._note = note
        self._left = 0
        self._tasks: dict[str, asyncio.Task[Result]] = {}
        self._preparing: dict[Hashable, asyncio.Lock] = {}

    async def run(self, steps: Sequence[ChainStep]) -> dict[str, Result]:
        """What came of each step, by name, in the order of ``steps``."""
        self._left = len(steps)
        if any(self._taken.values()):
            self._check_variables(steps)
        try:
            async with asyncio.TaskGroup() as group:
                for step in steps:
                    self._tasks[step.name] = group.create_task(self._go(step))
        except ExceptionGroup as errors:  # what ``note`` raised, as itself
            raise errors.exceptions[0] from None
        return {name: task.result() for name, task in self._tasks.items()}

    def _check_variables(self, steps: Sequence[ChainStep]) -> None:
        """What the sample lacks is found before anything is paid, not when a later step wants it."""
        for step in steps:
            taken = self._taken[step.name]
            if not step.optional and len(taken) < len(step.prompt.variables):
                try:
                    step.prompt.render({**self._variables, **dict.fromkeys(taken, "a text")})
                except SampleError as error:
                    raise failed(f"step {step.name}: ", error, (), {}) from None

    async def _go(self, step: ChainStep) -> Result:
        values, taken = self._variables, self._taken[step.name]
        if taken:
            values = dict(values)
            for variable, source in taken.items():
                result = await self._tasks[source]
                if not isinstance(result, Step):
                    self._left -= 1
                    return InputMissing(source)
                values[variable] = _value(result, variable)
        result = await self._text(step, values)
        self._left -= 1
        if isinstance(result, Step) and not result.counted and self._left and self._note is not None:
            self._note(result)
            result = dataclasses.replace(result, counted=True)
        return result

    async def _text(self, step: ChainStep, values: Mapping[str, Any]) -> Result:
        """The answer of an earlier time to the same question, or a new one."""
        try:
            prompt = step.prompt.render(values)
            asked = _digest(step.recipe, prompt.id, prompt.system, prompt.prefix, prompt.suffix)
            known = self._known.get(step.name)
            if known is not None and known.asked == asked:
                return dataclasses.replace(known, counted=True)
            # Once for all steps of a captioner: the others find the picture prepared.
            async with self._preparing.setdefault(step.captioner.limit_key, asyncio.Lock()):
                await self._prepare(step.captioner, self._picture)
        except Exception as error:  # noqa: BLE001 - as in ask
            return error
        result = await ask(step, self._picture, prompt)
        return dataclasses.replace(result, asked=asked) if isinstance(result, Step) else result


def _value(step: Step, variable: str) -> Any:
    """What ``{step}`` or ``{step.field}`` stands for."""
    _, *fields = variable.split(".")
    value: Any = step.fields if fields else step.text
    for field in fields:
        value = value.get(field) if isinstance(value, Mapping) else None
    return value


def _digest(*parts: str) -> str:
    return hashlib.blake2b("\0".join(parts).encode(errors="surrogatepass"), digest_size=8).hexdigest()
