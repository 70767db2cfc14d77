"""A job: what to caption, how, and where the words go; the same from options, a file or Python."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import orjson

from cutline.captioners.parameters import USUAL, together
from cutline.captioners.servers.settings import ServerOptions
from cutline.chain_file import plan_of_options
from cutline.errors import ConfigError
from cutline.imaging.values import HARD_MAX_PIXELS
from cutline.records import JSON

Existing = Literal["skip", "overwrite", "append", "prepend"]
OnChange = Literal["refuse", "redo-failed", "redo-all", "keep"]

_STRICT: Any = {"extra": "forbid"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions:
    """What to read."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    source_type: str | None = None
    """local, urls, webdataset, table, crisismmd, scienceqa or a plug-in's. [default: by what the input is]"""
    image_limit: int = -1
    """Take only the first N pictures; -1 takes all."""
    reader_batch_size: int = 32
    """How many samples are listed from the input at a time."""
    recursive: bool = True
    """Look into sub-folders too."""
    image_column: str | None = None
    """Column of a table that holds the pictures, their paths or their URLs."""
    url_column: str | None = None
    """Column of a table that holds URLs."""
    text_column: str | None = None
    """Column of a table that holds the captions there already are."""
    image_root: str | None = None
    """Folder that paths in a table or dataset are relative to, and may not leave. [default: its own]"""
    split: str | None = None
    """Part of a dataset: `humanitarian/train` of CrisisMMD, `train` or `minival` of ScienceQA."""
    event: tuple[str, ...] = ()
    """Event of CrisisMMD, such as `hurricane_harvey`; several by repetition or with commas."""
    allow_private_urls: bool = False
    """Fetch also from loopback and private addresses."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """Who is asked."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    model: str = "pixels"
    """`provider:name`, such as `openai:gpt-4o-mini`; `cutline models` lists the providers."""
    step: tuple[str, ...] = ()
    """`NAME=MODEL`, several times: each model is given the text of the one before and asked for more."""
    chain: str | None = None
    """TOML file with the steps of a chain: models, prompts and options of each."""
    plugin: tuple[str, ...] = ()
    """Python file with models of your own, which is run; several by repetition."""
    endpoint: str | None = None
    """URL of an OpenAI-compatible server, such as http://localhost:8000/v1."""
    max_tokens: int | None = None
    """Most tokens of an answer; 0 leaves it to the endpoint. [default: 512]"""
    temperature: float | None = None
    """Randomness of the answer; left to the endpoint when not given."""
    top_p: float | None = None
    """Share of the probability that tokens are chosen from."""
    seed: int | None = None
    """Seed for endpoints that take one."""
    schema_dialect: Literal["response_format", "guided_json", "structured_outputs", "none"] | None = None
    """How the endpoint is asked for the JSON of --schema; by the provider when not given."""
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Further parameters of the request, such as --extra.min_p 0.1."""
    parameters: str | None = None
    """Parameters in one text, checked for the model: `max_tokens=512, temperature=0.30`."""
    large_images: Literal["shrink", "asset"] | None = None
    """Pictures too large for NVIDIA's own models: made smaller (default), or uploaded for the request."""

    def check(self) -> None:
        """Raises ConfigError for parameters that cannot be read, or that an option says too."""
        given = {name: value for name in USUAL if (value := getattr(self, name)) is not None}
        together(self.parameters, {**given, "extra": self.extra})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    """Where and how a model in this process runs."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    device: str = "auto"
    """auto (every GPU, else the CPU), cpu, cuda, cuda:N, mps, or several with commas."""
    dtype: Literal["auto", "float32", "bfloat16", "float16", "fp32", "bf16", "fp16"] = "auto"
    """Numbers the model computes in; auto is bfloat16 where the hardware has it."""
    batch_size: int | Literal["auto"] = "auto"
    """Pictures the model is given at once; auto finds out what is fastest and fits."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Smaller weights, for a model that does not fit the memory otherwise."""
    tensor_parallel: int = 1
    """Spread one model over so many devices, a process on each."""
    parallel_engine: Literal["transformers", "deepspeed"] = "transformers"
    """Who divides the model for --tensor-parallel."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PromptOptions:
    """What is asked, and how the answer becomes the caption."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    prompt: tuple[str, ...] = ()
    """A text, the name of a library prompt, or a JSON template; `name=…` several times asks each."""
    system_prompt: str | None = None
    """System message; replaces the prompt's own."""
    language: str | None = None
    """Language of the captions, such as German."""
    schema: str | None = None
    """JSON Schema, in a file or as it is; captions become structured (short, long, tags …)."""
    trigger: str | None = None
    """Trigger word that begins every caption, followed by a comma."""
    caption_prefix: str | None = None
    """Text put before every caption, as it stands: it knows no variables."""
    caption_suffix: str | None = None
    """Text put after every caption, as it stands."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """What captions are held against before they are kept."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    min_similarity: float | None = None
    """Drop sentences whose similarity with the picture, by CLIP, is below this, such as 0.20."""
    similarity_model: str | None = None
    """CLIP or SigLIP that --min-similarity asks: name or folder. [default: openai/clip-vit-large-patch14]"""

    def check(self) -> None:
        """Raises ConfigError for a threshold that is no cosine, or a model that would not be asked."""
        least = self.min_similarity
        if least is not None and not -1 <= least <= 1:  # so that nan is refused too
            raise ConfigError(f"--min-similarity must be between -1 and 1, not {least}")
        if least is None and self.similarity_model is not None:
            raise ConfigError("--similarity-model does nothing alone: add --min-similarity, such as 0.20")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    """What pictures are made to be before they are sent."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    max_side: int = 1024
    """Longest side in pixels; larger pictures are scaled down; 0 sends any size."""
    max_bytes: int = 0
    """Most bytes of an encoded picture; 0 for no limit."""
    jpeg_quality: int = 85
    """Quality of pictures that must be encoded anew."""
    max_pixels: int = 64_000_000
    """Pictures that need more pixels than this to decode are refused."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """Where the captions go."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    output_format: str | None = None
    """json, jsonl, csv, tsv, parquet, webdataset, sidecar, scienceqa or a plug-in's. [default: by name]"""
    existing: Existing | None = None
    """What to do with captions, or an output of someone else's, that are already there."""
    samples_per_shard: int = 1000
    """Samples in one shard of a webdataset."""
    max_shards: int | None = None
    """Most shards of a webdataset; pictures beyond them are not asked."""
    include_raw: bool = False
    """Keep the model's whole response (column `llm`; parquet always has it)."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How hard to try, and when to stop."""

    __pydantic_config__: ClassVar[Any] = _STRICT

    max_concurrent_requests: int | None = None
    """Requests at once; found out while running when not given."""
    enable_async: bool = True
    """Ask for several pictures at once; without it one after the other."""
    timeout: float = 300.0
    """Seconds for one request."""
    max_retries: int = 6
    """How often a request that failed for a passing reason is repeated."""
    retry_delay: float = 1.0
    """Seconds before the first repetition; later ones wait longer."""
    budget_tokens: int | None = None
    """Stop cleanly when this many tokens are used."""
    max_cost: float | None = None
    """Stop cleanly when this much money (US dollars) is spent."""
    prices: str | None = None
    """TOML file of prices that replaces the built-in table's entries."""
    allow_failures: int = 0
    """So many failed pictures still count as success."""
    stop_after_failures: int = 200
    """Stop when this many pictures in a row failed at the model; 0 never stops."""
    on_change: OnChange = "refuse"
    """What happens to earlier captions when model, prompt or parameters have changed."""
    retry_failed: bool = False
    """Ask again about the pictures that failed before."""
    state: str | None = None
    """Folder for the journal. [default: beside the output]"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Everything about one captioning run but its secrets.

    ``input_path``: file, folder, URL list, table or webdataset. ``output_path``: file or folder;
    None writes ``captions.jsonl`` in the working folder.
    """

    __pydantic_config__: ClassVar[Any] = _STRICT

    input_path: str
    output_path: str | None = None
    input: InputOptions = InputOptions()
    model: ModelOptions = dataclasses.field(default_factory=ModelOptions)
    local: LocalOptions = LocalOptions()
    server: ServerOptions = dataclasses.field(default_factory=ServerOptions)
    prompts: PromptOptions = PromptOptions()
    checks: CheckOptions = CheckOptions()
    pictures: PictureOptions = PictureOptions()
    output: OutputOptions = OutputOptions()
    run: RunOptions = RunOptions()

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a job file; relative paths in it are relative to the working folder.

        Raises:
            ConfigError: it cannot be read, or a line of it means nothing.
        """
        try:
            data = tomllib.loads(path.read_text("utf-8"))
        except OSError as error:
            raise ConfigError(f"cannot read the job file {path}: {error.strerror}") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path} is not TOML: {error}") from None
        return cls.from_dict(data, origin=str(path))

    @classmethod
    def from_dict(cls, data: JSON, *, origin: str = "job") -> Self:
        """Build a job from nested plain values, checking every one.

        Raises:
            ConfigError: a name is unknown or a value is of the wrong type; names the first.
        """
        import pydantic

        try:
            return pydantic.TypeAdapter(cls).validate_python(data)
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            message = first["msg"][:1].lower() + first["msg"][1:]
            if first["type"] == "unexpected_keyword_argument":
                message = f"there is no such setting; {_known(cls, first['loc'])}"
            raise ConfigError(f"{origin}: {where}: {message}") from None

    def to_toml(self) -> str:
        """The job as a file: only what differs from the defaults."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    def to_dict(self) -> JSON:
        """Nested plain values, only those that differ from the defaults."""
        result: JSON = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if dataclasses.is_dataclass(value):
                default = type(value)()  # type: ignore[misc]  # every group has defaults for all
                group = {
                    item.name: _plain(getattr(value, item.name))
                    for item in dataclasses.fields(value)
                    if getattr(value, item.name) != getattr(default, item.name)
                }
                if group:
                    result[field.name] = group
            elif value is not None:
                result[field.name] = value
        return result

    def _check_chain(self) -> None:
        """Refuse what cannot be said together with ``--chain`` or ``--step``."""
        model, prompts = self.model, self.prompts.prompt
        if model.chain is None and not model.step:
            return
        if model.chain is not None and model.step:
            raise ConfigError("--chain and --step exclude each other: write the steps into the chain file")
        option = "--chain" if model.chain is not None else "--step"
        if model.model != ModelOptions().model:
            raise ConfigError(f"{option} says who is asked: leave --model {model.model} out")
        if model.chain is not None and prompts:
            raise ConfigError("--chain says what is asked: write `prompt` into its steps, not --prompt")
        if len(prompts) > 1:
            raise ConfigError(
                "--step takes one --prompt, for the first step; a --chain file has one for each"
            )
        plan_of_options(model.step)

    def check(self) -> None:
        """Find contradictions and values out of range before anything is touched.

        Raises:
            ConfigError: names the option and what it may be.
        """
        _check_paths(self.input_path, self.output_path, self.run.state, self.model.chain)
        self._check_chain()
        positive = {
            "--reader-batch-size": self.input.reader_batch_size,
            "--samples-per-shard": self.output.samples_per_shard,
            "--max-shards": self.output.max_shards,
            "--max-concurrent-requests": self.run.max_concurrent_requests,
            "--timeout": self.run.timeout,
            "--max-pixels": self.pictures.max_pixels,
            "--budget-tokens": self.run.budget_tokens,
            "--max-cost": self.run.max_cost,
        }
        for name, value in positive.items():
            if value is not None and not 0 < value < math.inf:  # so that nan is refused too
                raise ConfigError(f"{name} must be greater than 0, not {value}")
        not_negative = {
            "--max-side": self.pictures.max_side,
            "--max-bytes": self.pictures.max_bytes,
            "--max-tokens": self.model.max_tokens,
            "--max-retries": self.run.max_retries,
            "--retry-delay": self.run.retry_delay,
            "--temperature": self.model.temperature,
            "--allow-failures": self.run.allow_failures,
            "--stop-after-failures": self.run.stop_after_failures,
        }
        for name, value in not_negative.items():
            if value is not None and not 0 <= value < math.inf:
                raise ConfigError(f"{name} must be a number from 0 up, not {value}")
        if self.pictures.max_pixels > HARD_MAX_PIXELS:
            raise ConfigError(
                f"--max-pixels can be at most {HARD_MAX_PIXELS}, not {self.pictures.max_pixels}"
            )
        if not 1 <= self.pictures.jpeg_quality <= 100:
            raise ConfigError(f"--jpeg-quality must be between 1 and 100, not {self.pictures.jpeg_quality}")
        if self.input.image_limit < -1 or self.input.image_limit == 0:
            raise ConfigError(f"--image-limit must be -1 or greater than 0, not {self.input.image_limit}")
        self.checks.check()
        self.model.check()
        self.server.check()
        if self.model.top_p is not None and not 0 < self.model.top_p <= 1:
            raise ConfigError(f"--top-p must be above 0 and at most 1, not {self.model.top_p}")
        try:
            orjson.dumps(self.to_dict())
        except TypeError as error:
            raise ConfigError(f"a setting cannot be sent to an endpoint: {error}") from None


def _check_paths(*paths: str | None) -> None:
    if any("\0" in path for path in paths if path):
        raise ConfigError("a path cannot hold a null character")


def _known(job: type[Any], place: tuple[int | str, ...]) -> str:
    """The settings that there are where an unknown one was found."""
    groups = {field.name: field.type for field in dataclasses.fields(job)}
    group = str(groups.get(str(place[0]))) if len(place) > 1 else ""
    owner = globals().get(group, job)
    return "known are " + ", ".join(field.name for field in dataclasses.fields(owner))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
