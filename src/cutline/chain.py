"""One picture through one or several named steps."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping
from typing import Any

from cutline.errors import CutlineError, PictureError, RequestError, RunStopped, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Preparing, Slotted
from cutline.prompts import Prompt
from cutline.records import Reply, Step, Usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainStep:
    """A question to one captioner; its answer is kept under ``name``."""

    name: str
    captioner: Captioner
    prompt: Prompt


class StepFailed(CutlineError):
    """A step gave no text; ``steps`` are those that did, ``replies`` the answers that were no use."""

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        attempts: int = 1,
        steps: tuple[Step, ...] = (),
        replies: tuple[Reply, ...] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.attempts = attempts
        self.steps = steps
        self.replies = replies

    @property
    def usage(self) -> Usage:
        """What the useless answers cost."""
        return sum((reply.usage for reply in self.replies), Usage())


class Chain:
    """Named steps, asked side by side; the first one's text is the caption."""

    def __init__(self, steps: list[ChainStep]) -> None:
        self.steps = steps
        self._captioners = list({id(step.captioner): step.captioner for step in steps}.values())
        # Asked once: isinstance() of a protocol looks up every member anew, for every picture.
        self._preparing = [captioner for captioner in self._captioners if isinstance(captioner, Preparing)]
        self._slotted = [captioner for captioner in self._captioners if isinstance(captioner, Slotted)]

    @property
    def uses_variables(self) -> bool:
        """Whether any prompt has variables to fill in."""
        return any(step.prompt.variables for step in self.steps)

    @property
    def name(self) -> str:
        return " + ".join(captioner.name for captioner in self._captioners)

    @property
    def slots(self) -> int:
        """How many pictures can be under way at once now."""
        if len(self._slotted) < len(self._captioners):
            return 1
        return min(captioner.slots for captioner in self._slotted)

    @property
    def in_flight(self) -> int:
        """Requests under way, as far as the captioners tell."""
        return sum(int(getattr(captioner, "in_flight", 0)) for captioner in self._captioners)

    async def follow(self, picture: Picture, variables: Mapping[str, Any]) -> tuple[Step, ...]:
        """Ask every step about the picture.

        Raises:
            StepFailed: a step gave no text; the other steps were still asked.
            RunStopped: the run cannot go on.
        """
        for captioner in self._preparing:
            await captioner.prepare(picture)
        if len(self.steps) == 1:
            results = [await _ask(self.steps[0], picture, variables)]
        else:
            results = list(await asyncio.gather(*(_ask(step, picture, variables) for step in self.steps)))
        for result in results:
            if isinstance(result, RunStopped):
                raise result
        done = tuple(result for result in results if isinstance(result, Step))
        errors = [
            (step.name, r) for step, r in zip(self.steps, results, strict=True) if not isinstance(r, Step)
        ]
        if errors:
            raise _failed(errors, done, alone=len(self.steps) == 1)
        return done

    async def aclose(self) -> None:
        for captioner in self._captioners:
            await captioner.aclose()


async def _ask(step: ChainStep, picture: Picture, variables: Mapping[str, Any]) -> Step | Exception:
    """The step's answer, or why there is none."""
    try:
        prompt = step.prompt.render(variables)
        reply: object = await step.captioner.caption(picture, prompt)
        # Plug-ins may break their promise; that must cost one picture, not the run.
        if not isinstance(reply, Reply):
            return SampleError(
                "captioner", f"{step.captioner.name} gave a {type(reply).__name__}, not a Reply"
            )
        try:
            text, fields = prompt.extract(reply.text)
        except SampleError as error:
            error.reply = reply
            return error
        return Step(name=step.name, prompt_id=prompt.id, text=text, reply=reply, fields=fields)
    except Exception as error:  # noqa: BLE001 - whatever a captioner raises is this picture's failure
        return error


def _failed(errors: list[tuple[str, Exception]], steps: tuple[Step, ...], *, alone: bool) -> StepFailed:
    """The first step's failure, with the answers of all that failed."""
    name, error = errors[0]
    kind, attempts, message = "captioner", 1, f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    if isinstance(error, SampleError):
        kind, message = error.kind, str(error)
        attempts = 0 if isinstance(error, PictureError) else 1
    elif isinstance(error, RequestError):
        kind, attempts, message = error.kind, error.attempts, str(error)
    elif isinstance(error, MemoryError):
        kind = "out-of-memory"
    useless = (error.reply for _, error in errors if isinstance(error, SampleError))
    return StepFailed(
        kind,
        message if alone else f"step {name}: {message}",
        attempts=attempts,
        steps=steps,
        replies=tuple(reply for reply in useless if reply is not None),
    )
