"""Captions that are requested again because a check objects to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from cutline.chain import Chain, ChainResult, ChainStep, StepFailed
from cutline.engine.stage_runner import Checked, RetryRequest, StageRunner, action_of
from cutline.engine.stats import Counts
from cutline.errors import ConfigError, SampleError
from cutline.interfaces import Captioner, Draft
from cutline.job import Job
from cutline.parameters import TEMPERATURE, parse_unique
from cutline.prompts import Prompt, load_prompts
from cutline.records import Skip, Step

REJECTED = "rejected"
PROBLEM = "problem"
"""Variables of a retry prompt: the caption before, and what is wrong with it."""

DEFAULT_RETRIES = 2
_FIRST, _FURTHER = 0.8, 0.2  # temperature of the first retry, and how much warmer each further one is


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckRetries:
    """How captions are requested again, ``most`` times: with ``prompt``, or at other temperatures.

    ``temperature`` is the job's own, which no retry has.
    """

    most: int
    prompt: Prompt | None = None
    temperature: float | None = None

    def step(self, step: ChainStep, number: int) -> ChainStep:
        """The step that makes the caption, for the retry of this number, from 1.

        Raises:
            ConfigError: its captioner has no temperature, and there is no prompt.
        """
        warmer = number if self.prompt is None else number - 1
        if self.prompt is not None:
            step = dataclasses.replace(step, prompt=self._prompt_of(step.prompt))
        if not warmer:
            return step
        captioner, temperature = self._warmer(step.captioner, warmer)
        recipe = f"{step.recipe} temperature={temperature:g}"
        return dataclasses.replace(step, captioner=captioner, recipe=recipe)

    def _prompt_of(self, prompt: Prompt) -> Prompt:
        """The retry prompt as one of the step's, with its system message and schema."""
        assert self.prompt is not None
        schema = self.prompt.schema or (prompt.schema if self.prompt.regex is None else None)
        system = self.prompt.system or prompt.system
        return dataclasses.replace(self.prompt, name=prompt.name, system=system, schema=schema, id="")

    def _warmer(self, captioner: Captioner, number: int) -> tuple[Captioner, float]:
        known = {parameter.name: parameter for parameter in captioner.profile.parameters}
        most = min(known.get("temperature", TEMPERATURE).most, TEMPERATURE.most)
        temperature = min(_FIRST + _FURTHER * (number - 1), most)
        if temperature == self.temperature:
            temperature -= _FURTHER / 2
        temperature = round(temperature, 2)
        problem = f"{captioner.name} has no temperature, and would write the same again"
        if known and "temperature" not in known:
            raise ConfigError(problem)
        try:
            return captioner.adjusted({"temperature": temperature}), temperature
        except ConfigError as error:
            raise ConfigError(problem) from error

    def check_variables(self, variables: Mapping[str, Any]) -> None:
        """Raise SampleError, before anything is paid, for a variable of the prompt that the sample lacks."""
        if self.prompt is not None:
            self.prompt.render({**variables, REJECTED: "a text", PROBLEM: "a text"})

    def needs(self, chain: Chain) -> bool:
        """Whether a retry needs the sample's variables."""
        return bool(self.prompt and set(self.prompt.variables) - {REJECTED, PROBLEM}) or chain.uses_variables


def retries_fingerprint(job: Job, stages: StageRunner) -> tuple[str, ...]:
    """What decides the retries' captions, as text; empty where there are none."""
    if not any(action_of(check) == "retry" for check in stages.checks):
        return ()
    prompt = _prompt(job)
    return (f"retries {_most(job)}{f', prompt {prompt.id}' if prompt else ''}",)


def _most(job: Job) -> int:
    return DEFAULT_RETRIES if job.checks.check_retries is None else job.checks.check_retries


def failed_checks(stages: StageRunner, counts: Counts) -> dict[str, bool]:
    """The checks that failed captions, and whether each can repair some."""
    return {check.name: check.repairs for check in stages.checks if counts.kinds[check.name]}


def writes_the_same(job: Job, chain: Chain) -> bool:
    """Whether the captioner's next caption of a picture is the same, as far as that is known."""
    if parse_unique(job.model.parameters, {}).get("temperature", job.model.temperature) == 0:
        return True
    captioner = next(step for step in chain.steps if step.name == chain.caption).captioner
    known = {parameter.name for parameter in captioner.profile.parameters}
    if known:
        return "temperature" not in known
    try:
        captioner.adjusted({"temperature": _FIRST})
    except ConfigError:
        return True
    return False


def refuse_retries(stages: StageRunner) -> None:
    """Raise ConfigError where a check requests retries, which a batch cannot make."""
    for check in stages.checks:
        if action_of(check) == "retry":
            raise ConfigError(
                f"a batch cannot retry for --check {check.name}: choose fail; once the batch is collected, "
                "`cutline caption` with :retry and --on-change redo-failed requests what failed"
            )


def retries_of(job: Job, chain: Chain, stages: StageRunner) -> CheckRetries | None:
    """The retries of the job's checks; None where none of them requests any.

    Raises:
        ConfigError: no retry can give another caption, or options of retries have nothing to do.
    """
    names = [check.name for check in stages.checks if action_of(check) == "retry"]
    options = job.checks
    if not names:
        if options.retry_prompt is not None or options.check_retries is not None:
            option = "--retry-prompt" if options.retry_prompt is not None else "--check-retries"
            raise ConfigError(
                f"{option} has no effect alone: add a check that retries, such as words=5..:retry"
            )
        return None
    retries = CheckRetries(
        most=_most(job),
        prompt=_prompt(job),
        temperature=parse_unique(job.model.parameters, {}).get("temperature", job.model.temperature),
    )
    try:
        _check(retries, chain)
    except ConfigError as error:
        raise ConfigError(f"--check {names[0]} cannot retry: {error}") from None
    return retries


def _check(retries: CheckRetries, chain: Chain) -> None:
    """Raise ConfigError where a retry would be no other request."""
    step = next(step for step in chain.steps if step.name == chain.caption)
    ignores = step.captioner.profile.ignores
    for number in range(1, retries.most + 1):
        try:
            again = retries.step(step, number)
        except ConfigError as error:
            cure = "give --retry-prompt, or choose another action than retry"
            if retries.prompt is not None:
                cure = "give --check-retries 1, or choose another action than retry"
            raise ConfigError(f"{error}; {cure}") from None
        if retries.prompt is not None and ignores is not None and ignores(again.prompt):
            raise ConfigError(f"{again.captioner.name} ignores prompts; choose another action than retry")
        again.captioner.check_prompt(again.prompt)
        chain.with_step(again)


def _prompt(job: Job) -> Prompt | None:
    if job.checks.retry_prompt is None:
        return None
    (prompt,) = load_prompts((job.checks.retry_prompt,))
    return prompt.with_language(job.prompts.language) if job.prompts.language else prompt


def _prompt_texts(chain: Chain, name: str) -> tuple[str, ...]:
    """What a step's prompt says, without empty texts."""
    prompt = next(step.prompt for step in chain.steps if step.name == name)
    return tuple(filter(None, (prompt.system, prompt.prefix, prompt.suffix)))


class RunChain(Protocol):
    """Runs a chain for one sample; raises as ``Chain.run``."""

    def __call__(
        self, chain: Chain, variables: Mapping[str, Any], known: tuple[Step, ...]
    ) -> Awaitable[ChainResult]: ...


KeepSteps: TypeAlias = Callable[[Sequence[Step]], None]
"""Records replies before the next request; raises RunStopped where that may not be made."""


@dataclasses.dataclass(slots=True, kw_only=True)
class CaptionCheck:
    """One sample's caption on its way through the checks, with the retries that they request.

    ``keep`` records the replies before a retry, so that none is paid twice; without it what the rejected one
    cost is counted with the reply that replaces it.
    """

    stages: StageRunner
    retries: CheckRetries | None
    chain: Chain
    variables: Mapping[str, Any]
    known: tuple[Step, ...]
    run: RunChain
    keep: KeepSteps | None
    _requests: list[RetryRequest] = dataclasses.field(default_factory=list)
    _rejected: list[Step] = dataclasses.field(default_factory=list)
    _added: Mapping[str, str] = dataclasses.field(default_factory=dict)  # variables of the last retry

    async def check(
        self, draft: Draft, result: ChainResult, content_id: Callable[[], str]
    ) -> tuple[ChainResult, Checked | Skip]:
        """The result whose caption passed the checks, and the caption as they left it.

        Raises:
            StepFailed: a check fails, or no retry helped; with the steps.
            RunStopped: the run cannot continue.
        """
        chain = self.chain
        most = self.retries.most if self.retries is not None else 0
        while True:
            draft = dataclasses.replace(
                draft,
                text=result.caption.text,
                fields=result.caption.fields,
                steps=result.steps,
                prompt=_prompt_texts(chain, result.caption.name),
            )
            try:
                checked = await self.stages.check(
                    draft, content_id(), retried=self._requests, can_retry=len(self._requests) < most
                )
            except SampleError as error:
                raise self._failed(error, result) from error
            if not isinstance(checked, RetryRequest):
                return result, checked
            self._requests.append(checked)
            chain, result = await self._again(chain, result)

    async def _again(self, chain: Chain, result: ChainResult) -> tuple[Chain, ChainResult]:
        assert self.retries is not None
        rejected, *others = self._kept(chain, result)
        self._rejected.append(rejected)
        name, problem = rejected.name, self._requests[-1].message
        step = next(step for step in self.chain.steps if step.name == name)
        again = self.chain.with_step(self.retries.step(step, len(self._requests)))
        self._added = {REJECTED: rejected.text, PROBLEM: problem}
        try:
            new = await self.run(again, {**self.variables, **self._added}, (*self.known, *others))
        except StepFailed as error:  # the replies before are used when the picture is tried again
            error.steps = (*error.steps, *self._rejected)
            if error.kind == "parameter":  # which the request before had not
                check = self._requests[-1].check
                cure = "give --retry-prompt with --check-retries 1, or choose another action than retry"
                what = f"the retry for --check {check} has another temperature, which is refused"
                error.args = (f"{what}: {cure} ({error})",)
            raise
        return again, self._merged(new, rejected)

    def _kept(self, chain: Chain, result: ChainResult) -> list[Step]:
        """The rejected reply, with the digest of its request, and those of other steps, all recorded."""
        rejected = result.caption
        if not rejected.asked:
            step = next(step for step in chain.steps if step.name == rejected.name)
            asked = step.request({**self.variables, **self._added})[1]
            rejected = dataclasses.replace(rejected, asked=asked)
        steps = [rejected, *(step for step in result.steps if step.name != rejected.name)]
        if self.keep is None:
            return steps
        self.keep([step for step in steps if not step.counted])
        return [dataclasses.replace(step, counted=True) for step in steps]

    def _merged(self, new: ChainResult, rejected: Step) -> ChainResult:
        """The new result, with the attempts of the rejected reply, and its cost if that is not recorded."""
        reply, before = new.caption.reply, rejected.reply
        usage = reply.usage if rejected.counted else reply.usage + before.usage
        reply = dataclasses.replace(reply, attempts=reply.attempts + before.attempts, usage=usage)
        caption = dataclasses.replace(new.caption, reply=reply)
        steps = tuple(caption if step.name == caption.name else step for step in new.steps)
        return dataclasses.replace(new, steps=steps, caption=caption)

    def _failed(self, error: SampleError, result: ChainResult) -> StepFailed:
        """The failure of a caption that a check refuses; a retry of the picture requests it again."""
        name = result.caption.name
        steps = tuple(
            dataclasses.replace(step, asked="") if step.name == name else step for step in result.steps
        )
        attempts = max(result.caption.reply.attempts, 1)
        return StepFailed(error.kind, str(error), attempts=attempts, steps=steps, useless=result.useless)
