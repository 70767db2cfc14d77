"""Options of models and prompts."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

from cutline.endpoint_headers import check_headers, without_reference
from cutline.errors import ConfigError
from cutline.options.strict import StrictOptions
from cutline.parameters import USUAL, check_common, parse_unique


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions(StrictOptions):
    """The models and their parameters."""

    model: str = "pixels"
    """`provider:name`, such as `openai:gpt-4o-mini`; `cutline models` lists the providers."""
    step: tuple[str, ...] = ()
    """`NAME=MODEL`, several times: each model continues from the text of the one before."""
    chain: str | None = None
    """TOML file with the steps of a chain: models, prompts and options of each."""
    plugin: tuple[str, ...] = ()
    """Python file with models of your own, which is run; several by repetition."""
    endpoint: str | None = None
    """URL of an OpenAI-compatible server, such as http://localhost:8000/v1."""
    header: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    """Header of every request to the endpoint, `NAME: VALUE` or 'NAME: $VARIABLE'; several by repetition."""
    query: tuple[str, ...] = dataclasses.field(default=(), repr=False)
    """Query parameter of these requests, `NAME=VALUE` or 'NAME=$VARIABLE'; several by repetition."""
    max_tokens: int | None = None
    """Maximum tokens of an answer; 0 leaves it to the endpoint. [default: 512]"""
    truncated: Literal["fail", "keep", "sentence"] = "fail"
    """Answers cut at --max-tokens: failures, or captions with all of the text or its complete sentences."""
    temperature: float | None = None
    """Randomness of the answer; left to the endpoint when not given."""
    top_p: float | None = None
    """Nucleus sampling: cumulative probability of the tokens to choose from."""
    seed: int | None = None
    """Seed for endpoints that take one."""
    schema_dialect: Literal["response_format", "guided_json", "structured_outputs", "none"] | None = None
    """How --schema is sent to the endpoint. [default: by provider]"""
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Further parameters of the request, such as --extra.min_p 0.1."""
    parameters: str | None = None
    """Parameters in one text, checked for the model: `max_tokens=512, temperature=0.30`."""
    large_images: Literal["shrink", "asset"] | None = None
    """Pictures too large for NVIDIA's own models: scaled down (default), or uploaded for the request."""

    def check(self) -> None:
        """Raises ConfigError for parameters that cannot be read, are out of range, or are set twice."""
        given = {name: value for name in USUAL if (value := getattr(self, name)) is not None}
        parse_unique(self.parameters, {**given, "extra": self.extra})
        check_common(given)
        check_headers(self.header, self.query)

    def check_stored(self, place: str) -> None:
        """Raises ConfigError for a secret that would be stored in ``place`` together with the job."""
        if "@" in (self.endpoint or ""):
            raise ConfigError(
                f"{place} holds no secrets: pass the password of --endpoint as --api-key instead"
            )
        if option := without_reference(self.header, self.query):
            raise ConfigError(
                f"{place} holds no secrets: set the value in an environment variable and write {option}"
            )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions(StrictOptions):
    """Where and how a model in this process runs."""

    device: str = "auto"
    """auto (every GPU, else the CPU), cpu, cuda, cuda:N, mps, or several with commas."""
    dtype: Literal["auto", "float32", "bfloat16", "float16", "fp32", "bf16", "fp16"] = "auto"
    """Numeric type of the model; auto is bfloat16 where the hardware supports it."""
    batch_size: int | Literal["auto"] = "auto"
    """Pictures in a batch of the model; auto measures what is fastest and fits."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Quantize the weights, for a model that does not fit in memory otherwise."""
    tensor_parallel: int = 1
    """Divide one model over this many devices, with a process for each."""
    parallel_engine: Literal["transformers", "deepspeed"] = "transformers"
    """Library that divides the model for --tensor-parallel."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PromptOptions(StrictOptions):
    """Prompts, and how a reply becomes the caption."""

    prompt: tuple[str, ...] = ()
    """A text, the name of a library prompt, or a JSON template; `name=…` several times sends each."""
    system_prompt: str | None = None
    """System message; replaces the prompt's own."""
    language: str | None = None
    """Language of the captions, such as German."""
    schema: str | None = None
    """JSON Schema, as a file or text; captions become structured (short, long, tags …)."""
    trigger: str | None = None
    """Trigger word that begins every caption, followed by a comma."""
    caption_prefix: str | None = None
    """Text put before every caption, unchanged: without variables."""
    caption_suffix: str | None = None
    """Text put after every caption, unchanged."""
