"""One step of a chain: its request, and the failure that an error becomes."""

from __future__ import annotations

import dataclasses
import hashlib
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from cutline.credentials import without_keys
from cutline.errors import CutlineError, PictureError, RequestError, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt, check_caption
from cutline.records import Reply, Step, Usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainStep:
    """A prompt for one captioner; its text is kept under ``name``.

    When an ``optional`` step fails, the picture still gets its caption. ``recipe`` is what determines
    the text besides the prompt: a captioner's name, parameters and the like, as text.
    """

    name: str
    captioner: Captioner
    prompt: Prompt
    optional: bool = False
    recipe: str = ""

    def request(self, values: Mapping[str, Any]) -> tuple[Prompt, str]:
        """The prompt with the values filled in, and a digest of all that decides the reply but the picture.

        Raises:
            SampleError: a value is missing.
        """
        prompt = self.prompt.render(values)
        parts = (self.recipe, prompt.id, prompt.system, prompt.prefix, prompt.suffix)
        text = "\0".join(parts).encode(errors="surrogatepass")
        return prompt, hashlib.blake2b(text, digest_size=8).hexdigest()


class StepFailed(CutlineError):
    """A step has no text; ``steps`` are those that have one, ``useless`` the usage of unusable replies."""

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        attempts: int = 1,
        steps: tuple[Step, ...] = (),
        reply: Reply | None = None,
        useless: Mapping[str, Usage] | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.attempts = attempts
        self.steps = steps
        self.reply = reply
        self.useless = useless or {}


class InputMissing(CutlineError):
    """A step could not run because ``cause``, a step that it depends on, has no text."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"step {cause} has no text")
        self.cause = cause


Result: TypeAlias = Step | Exception


async def run_only_step(step: ChainStep, picture: Picture, variables: Mapping[str, Any]) -> Result:
    """Run the step of a chain that has no other."""
    try:
        prompt = step.prompt.render(variables)
    except SampleError as error:
        return error
    return await run_step(step, picture, prompt)


async def run_step(step: ChainStep, picture: Picture, prompt: Prompt) -> Result:
    """Request the step's caption; an error is returned, not raised."""
    try:
        reply: object = await step.captioner.caption(picture, prompt)
        # A plug-in that breaks the protocol must cost one picture, not the run.
        if not isinstance(reply, Reply):
            return SampleError(
                "captioner", f"{step.captioner.name} gave a {type(reply).__name__}, not a Reply"
            )
        if not _is_sound(reply):
            return SampleError("captioner", f"{reply.model} gave a reply with values of wrong types")
        try:
            ready = reply.extracted and prompt.schema is None
            text, fields = (check_caption(reply.text), None) if ready else prompt.extract(reply.text)
        except SampleError as error:
            error.reply = reply
            return error
        return Step(name=step.name, prompt_id=prompt.id, text=text, reply=reply, fields=fields)
    except Exception as error:  # noqa: BLE001 - whatever a captioner raises is this picture's failure
        return error


def _is_sound(reply: Reply) -> bool:
    """Whether the numbers in a plug-in's reply are numbers."""
    numbers = getattr(reply.usage, "prompt_tokens", None), getattr(reply.usage, "completion_tokens", None)
    return all(isinstance(number, int) for number in numbers) and isinstance(reply.seconds, int | float)


def cause_of(name: str, errors: Mapping[str, Exception]) -> str:
    """The step whose failure is the reason that ``name`` has no text."""
    error = errors[name]
    return cause_of(error.cause, errors) if isinstance(error, InputMissing) else name


def kind_of(error: Exception) -> str:
    if isinstance(error, SampleError | RequestError):
        return error.kind
    return "out-of-memory" if isinstance(error, MemoryError) else "captioner"


def step_failure(
    prefix: str, error: Exception, steps: tuple[Step, ...], useless: Mapping[str, Usage]
) -> StepFailed:
    """The failure of a step; ``prefix`` begins the message, unless the picture is at fault."""
    message = str(error)
    if not isinstance(error, SampleError | RequestError):  # unexpected: with the place that raised it
        message = without_keys(" ".join(message.split()))[:300]
        frames = traceback.extract_tb(error.__traceback__)
        location = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
        message = f"{type(error).__name__}: {message}".rstrip(": ") + location
    attempts = error.attempts if isinstance(error, RequestError) else int(not isinstance(error, PictureError))
    return StepFailed(
        kind_of(error),
        message if isinstance(error, PictureError) else prefix + message,
        attempts=attempts,
        steps=steps,
        reply=error.reply if isinstance(error, SampleError) else None,
        useless=useless,
    )
