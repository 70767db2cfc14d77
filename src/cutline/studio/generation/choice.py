"""The choice of a captioner or chain, its prompt and parameters."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cutline.dataset.dataset import Dataset
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.options import Existing, ModelOptions, OutputOptions, PromptOptions, RunOptions
from cutline.prompts import library_prompts
from cutline.service.errors import ServiceError
from cutline.studio.settings import StudioSettings

Policy = Literal["missing", "append", "prepend", "overwrite"]
_EXISTING: dict[Policy, Existing] = {
    "missing": "skip",
    "append": "append",
    "prepend": "prepend",
    "overwrite": "overwrite",
}
_ID_BYTES = 8


class Choice(BaseModel):
    """A captioner and its prompt.

    ``model``: ``provider:name``. ``endpoint``: the address of an OpenAI-compatible server; its key comes from
    the environment. ``chain``: the name of a chain, which has its own prompts. ``prompt``: a text, which may
    contain ``{text}``, the current caption, or the name of a library prompt. ``trigger``,
    ``caption_prefix`` and ``caption_suffix``: texts around every caption, as in a run. ``parameters``: as
    ``max_tokens=512, temperature=0.30``. ``requests``: how many concurrently; null to measure it while
    running.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    model: Annotated[str, Field(min_length=1, max_length=1000)] = "pixels"
    endpoint: Annotated[str, Field(max_length=2000)] | None = None
    chain: Annotated[str, Field(max_length=200)] | None = None
    prompt: Annotated[str, Field(max_length=20_000)] | None = None
    system_prompt: Annotated[str, Field(max_length=20_000)] | None = None
    language: Annotated[str, Field(max_length=40)] | None = None
    trigger: Annotated[str, Field(max_length=1000)] | None = None
    caption_prefix: Annotated[str, Field(max_length=1000)] | None = None
    caption_suffix: Annotated[str, Field(max_length=1000)] | None = None
    parameters: Annotated[str, Field(max_length=2000)] | None = None
    requests: Annotated[int, Field(ge=1, le=1000)] | None = None

    @property
    def name(self) -> str:
        return self.chain or self.model

    @property
    def id(self) -> str:
        """Equal for choices with the same captions."""
        data = orjson.dumps(
            self.model_dump(exclude_none=True, exclude={"requests"}), option=orjson.OPT_SORT_KEYS
        )
        return hashlib.blake2b(data, digest_size=_ID_BYTES).hexdigest()

    def job(self, dataset: Dataset, state: Path, policy: Policy, settings: StudioSettings) -> Job:
        """The job of these captions, whose journal is in ``state``.

        Raises:
            ServiceError: 403, the studio may not use this address, model or chain; 404, no such chain.
            ConfigError: a value is invalid; the message names the cure.
        """
        self._check(settings)
        prompt = (self.prompt or "").strip()
        is_safe = prompt in library_prompts() or prompt.startswith("text:")  # never the name of a file
        job = Job(
            input_path=dataset.folder,
            output_path=str(state / "captions.jsonl"),
            model=self._model(settings),
            prompts=PromptOptions(
                prompt=(prompt if is_safe else f"text:{prompt}",) if prompt else (),
                system_prompt=self.system_prompt or None,
                language=self.language or None,
                trigger=self.trigger or None,
                caption_prefix=self.caption_prefix or None,
                caption_suffix=self.caption_suffix or None,
            ),
            output=OutputOptions(existing=_EXISTING[policy], one_line=dataset.one_a_line),
            run=RunOptions(
                state=str(state),
                on_change="redo-all",
                retry_failed=True,
                max_concurrent_requests=self.requests,
            ),
        )
        job.model.check_stored("the state of a generation")
        job.check()
        return job

    def _model(self, settings: StudioSettings) -> ModelOptions:
        options = ModelOptions(parameters=self.parameters or None, plugin=settings.plugin)
        if self.chain:
            return dataclasses.replace(options, chain=str(settings.chains[self.chain]))
        return dataclasses.replace(options, model=self.model.strip(), endpoint=self.endpoint or None)

    def _check(self, settings: StudioSettings) -> None:
        """Refuse models that the settings of a shared studio do not allow."""
        if self.chain and self.chain not in settings.chains:
            names = ", ".join(settings.chains) or "none: start the studio with --chain FILE"
            raise ServiceError(404, f"there is no chain {self.chain!r}; there are {names}")
        if settings.is_loopback:
            return
        if self.endpoint and _place(self.endpoint) not in map(_place, settings.endpoint):
            raise ServiceError(403, "this studio may only call the servers that its --endpoint options name")
        for path in {self.model.partition(":")[2], self.model.partition("=")[2]} - {""}:
            if Path(path).exists() and not settings.may_open(path):
                raise ServiceError(403, "models on the disk of this studio must be below a --root")


def choice_of(**values: str | int | None) -> Choice:
    """A choice from given options; ConfigError: one is invalid."""
    try:
        return Choice.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = {"requests": "max_concurrent_requests"}.get(str(first["loc"][0]), str(first["loc"][0]))
        problem = first["msg"].removeprefix("Input ").replace("String ", "")
        raise ConfigError(f"--{name.replace('_', '-')} {problem}") from None


def _place(url: str) -> str:
    parts = urlsplit(url.strip())
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}".lower()
