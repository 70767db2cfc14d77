"""One step of a chain: its request, and the failure that an error becomes."""

from __future__ import annotations

import dataclasses
import hashlib
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from cutline.credentials import without_keys
from cutline.errors import CutlineError, PictureError, ReplyError, RequestError, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt, check_caption, first_sentences
from cutline.records import Reply, Step, Truncated, Usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChainStep:
    """A prompt for one captioner; its text is kept under ``name``.

    When an ``optional`` step fails, the picture still gets its caption. ``recipe`` is what determines
    the text besides the prompt: a captioner's name, parameters and the like, as text. ``truncated``: what a
    reply that was cut at the token limit becomes.
    """

    name: str
    captioner: Captioner
    prompt: Prompt
    optional: bool = False
    recipe: str = ""
    truncated: Truncated = "fail"

    def find(self, known: Iterable[Step], digest: str) -> Step | None:
        """Among ``known``, of earlier runs, the usable reply to the step's request of this digest."""
        fits = (one for one in known if one.name == self.name and one.asked == digest)
        return next((one for one in fits if one.text or self.truncated != "fail"), None)

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
        self.step = self.digest = ""
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


async def run_only_step(
    step: ChainStep, picture: Picture, variables: Mapping[str, Any], known: Iterable[Step] = ()
) -> Result:
    """Run the step of a chain that has no other, unless one of the ``known`` replies is to its request."""
    try:
        prompt, digest = step.request(variables)
    except SampleError as error:
        return error
    if (earlier := step.find(known, digest)) is not None:
        return from_known(step, earlier, prompt)
    return with_digest(step, digest, await run_step(step, picture, prompt))


def with_digest(step: ChainStep, digest: str, result: Result) -> Result:
    """The result with the digest of its request, by which later runs find the reply in it."""
    if isinstance(result, ReplyError) and result.kind == "truncated":
        result.step, result.digest = step.name, digest
    return dataclasses.replace(result, asked=digest) if isinstance(result, Step) else result


async def run_step(step: ChainStep, picture: Picture, prompt: Prompt) -> Result:
    """Request the step's caption; an error is returned, not raised."""
    try:
        return _read(step, await step.captioner.caption(picture, prompt), prompt)
    except ReplyError as error:
        if error.kind == "truncated" and step.truncated != "fail" and error.reply is not None:
            return _from_cut(step, error.reply, prompt)
        return error
    except Exception as error:  # noqa: BLE001 - whatever a captioner raises is this picture's failure
        return error


def _read(step: ChainStep, reply: object, prompt: Prompt) -> Result:
    """The caption in a reply. A plug-in that breaks the protocol must cost one picture, not the run."""
    if not isinstance(reply, Reply):
        return SampleError("captioner", f"{step.captioner.name} gave a {type(reply).__name__}, not a Reply")
    if not _is_sound(reply):
        return SampleError("captioner", f"{reply.model} gave a reply with values of wrong types")
    try:
        ready = reply.extracted and prompt.schema is None
        text, fields = (check_caption(reply.text), None) if ready else prompt.extract(reply.text)
    except SampleError as error:
        error.reply = reply
        return error
    return Step(name=step.name, prompt_id=prompt.id, text=text, reply=reply, fields=fields)


def from_known(step: ChainStep, known: Step, prompt: Prompt) -> Result:
    """The result of an earlier run's reply to the same request, whose tokens are counted already."""
    result = known if known.text else _from_cut(step, known.reply, prompt)
    if isinstance(result, Step):
        return dataclasses.replace(result, asked=known.asked, counted=True)
    if isinstance(result, ReplyError) and result.reply is not None:
        result.step, result.digest = step.name, known.asked
        result.reply = dataclasses.replace(result.reply, usage=Usage())  # counted already
    return result


def _from_cut(step: ChainStep, reply: Reply, prompt: Prompt) -> Result:
    """The text of a reply that was cut at the token limit, as ``step.truncated`` says."""
    try:
        text, fields = prompt.extract(reply.text)
        if step.truncated == "sentence" and fields is None:
            text = first_sentences(text)
        if text:
            return Step(name=step.name, prompt_id=prompt.id, text=text, reply=reply, fields=fields)
        problem = "before its first sentence ended; raise --max-tokens, or --truncated keep"
        error = ReplyError("truncated", f"the answer was cut {problem}")
    except ReplyError as unusable:
        error = unusable
        if unusable.kind in {"schema-miss", "regex-miss", "empty"}:
            error = ReplyError("truncated", f"the answer was cut, and {unusable}; raise --max-tokens")
    error.reply = reply
    return error


def _is_sound(reply: Reply) -> bool:
    """Whether the numbers in a plug-in's reply are numbers."""
    sent = getattr(reply.usage, "prompt_tokens", None)
    received = getattr(reply.usage, "completion_tokens", None)
    return isinstance(sent, int) and isinstance(received, int) and isinstance(reply.seconds, int | float)


def cause_of(name: str, errors: Mapping[str, Exception]) -> str:
    """The step whose failure is the reason that ``name`` has no text."""
    error = errors[name]
    return cause_of(error.cause, errors) if isinstance(error, InputMissing) else name


def kind_of(error: Exception) -> str:
    if isinstance(error, SampleError | RequestError):
        return error.kind
    return "out-of-memory" if isinstance(error, MemoryError) else "captioner"


def _came_from_model(error: Exception) -> bool:
    """Whether there was a request, where the error does not count them."""
    return not isinstance(error, PictureError) and kind_of(error) != "prompt-variable"


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
    attempts = error.attempts if isinstance(error, RequestError) else int(_came_from_model(error))
    failure = StepFailed(
        kind_of(error),
        message if isinstance(error, PictureError) else prefix + message,
        attempts=attempts,
        steps=steps,
        reply=error.reply if isinstance(error, SampleError) else None,
        useless=useless,
    )
    if isinstance(error, SampleError):
        failure.step, failure.digest = error.step, error.digest
    return failure
