"""The options of a job: each field, with its text, is an option of the command line and the other faces."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, Literal

from cutline.endpoint_headers import check_headers, without_reference
from cutline.errors import ConfigError
from cutline.parameters import USUAL, check_common, parse_unique
from cutline.stages import Room, StageSpec

Existing = Literal["skip", "overwrite", "append", "prepend"]
SamplePictures = Literal["main", "each"]
OnMissing = Literal["warn", "fail", "ignore"]
OnChange = Literal["refuse", "redo-failed", "redo-all", "keep"]


class StrictOptions:
    """Base of dataclasses that pydantic reads from job files and requests: unknown names are errors."""

    __slots__ = ()
    __pydantic_config__: ClassVar[Any] = {"extra": "forbid"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions(StrictOptions):
    """What to read."""

    source_type: str | None = None
    """local, urls, webdataset, zip, table, imagefolder, crisismmd, scienceqa or a plug-in. [default: auto]"""
    image_limit: int = -1
    """Take only the first N pictures; -1 takes all."""
    reader_batch_size: int = 32
    """How many samples are listed from the input at a time."""
    recursive: bool = True
    """Look into sub-folders too."""
    exclude: tuple[str, ...] = ()
    """Pattern of files and folders to leave out; `none` drops the usual ones. Several by repetition."""
    follow_links: bool = False
    """Read texts and paths, and write sidecars, also where links lead out of the input's folder."""
    sample_pictures: SamplePictures = "main"
    """Of a webdataset sample with several pictures, caption the main one or each."""
    delimiter: str | None = None
    """Character between the cells of a text table, or `tab`. [default: by its first line]"""
    header_row: bool = True
    """Whether the first line of a text table names its columns."""
    image_column: str | None = None
    """Column of a table that holds the pictures, paths or URLs; of a webdataset, the ending to caption."""
    url_column: str | None = None
    """Column of a table that holds URLs."""
    text_column: str | None = None
    """Column of a table that holds the captions there already are."""
    key_column: str | None = None
    """Column of a table that names each row. [default: the picture's path, URL or name]"""
    text_encoding: str | None = None
    """Encoding of text files beside pictures, read and written, such as gb18030. [default: found out]"""
    sidecar_ext: str = ".txt"
    """Ending of text files beside pictures, read and written, such as .caption."""
    image_root: str | None = None
    """Folder that paths in a table or dataset are relative to, and may not leave. [default: its own]"""
    split: str | None = None
    """Part of a dataset: `humanitarian/train` of CrisisMMD, `train` or `minival` of ScienceQA."""
    event: tuple[str, ...] = ()
    """Event of CrisisMMD, such as `hurricane_harvey`; several by repetition or with commas."""
    allow_private_urls: bool = False
    """Fetch also from loopback and private addresses."""
    user_agent: str | None = None
    """User-Agent of downloads of pictures, such as "my-project/1.0 (me@example.com)". [default: cutline]"""

    def check(self) -> None:
        """Raises ConfigError for a User-Agent that cannot be sent."""
        name = self.user_agent
        if name is not None and (not name.strip() or not name.isascii() or not name.isprintable()):
            raise ConfigError("--user-agent must be a line of plain letters, such as 'my-project/1.0'")


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
    """Most tokens of an answer; 0 leaves it to the endpoint. [default: 512]"""
    truncated: Literal["fail", "keep", "sentence"] = "fail"
    """Answers cut at --max-tokens: failures, or captions with all of the text or its whole sentences."""
    temperature: float | None = None
    """Randomness of the answer; left to the endpoint when not given."""
    top_p: float | None = None
    """Share of the probability that tokens are chosen from."""
    seed: int | None = None
    """Seed for endpoints that take one."""
    schema_dialect: Literal["response_format", "guided_json", "structured_outputs", "none"] | None = None
    """How --schema is sent to the endpoint; by the provider when not given."""
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)
    """Further parameters of the request, such as --extra.min_p 0.1."""
    parameters: str | None = None
    """Parameters in one text, checked for the model: `max_tokens=512, temperature=0.30`."""
    large_images: Literal["shrink", "asset"] | None = None
    """Pictures too large for NVIDIA's own models: made smaller (default), or uploaded for the request."""

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
    """Numbers the model computes in; auto is bfloat16 where the hardware has it."""
    batch_size: int | Literal["auto"] = "auto"
    """Pictures the model is given at once; auto finds out what is fastest and fits."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Smaller weights, for a model that does not fit the memory otherwise."""
    tensor_parallel: int = 1
    """Spread one model over so many devices, a process on each."""
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
    """JSON Schema, in a file or as it is; captions become structured (short, long, tags …)."""
    trigger: str | None = None
    """Trigger word that begins every caption, followed by a comma."""
    caption_prefix: str | None = None
    """Text put before every caption, as it stands: it knows no variables."""
    caption_suffix: str | None = None
    """Text put after every caption, as it stands."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions(StrictOptions):
    """Which pictures get a caption, and which captions are kept."""

    min_similarity: float | None = None
    """Drop sentences whose similarity with the picture, by CLIP, is below this, such as 0.20."""
    similarity_model: str | None = None
    """CLIP or SigLIP for --min-similarity: name or folder. [default: openai/clip-vit-large-patch14]"""
    check: tuple[str, ...] = ()
    """Check of captions, such as `words=5..120`, `repetition` or `opener:repair`. Several by repetition."""
    check_retries: int | None = None
    """How often a caption is requested again for checks with `:retry`. [default: 2]"""
    retry_prompt: str | None = None
    """Prompt of these retries, as for --prompt; without it they have another temperature."""
    filter: tuple[str, ...] = ()
    """Filter of pictures, such as `size=256`: size or a plug-in's; several by repetition."""

    @property
    def has_checks(self) -> bool:
        return bool(self.check) or self.min_similarity is not None

    def specs(self) -> dict[Room, list[StageSpec]]:
        """The filters and checks, each in the order in which they run.

        Raises:
            ConfigError: one is not written as it must be, or is there twice.
        """
        checks = []
        if self.min_similarity is not None:
            options = {"minimum": self.min_similarity}
            model = {"model": self.similarity_model} if self.similarity_model is not None else {}
            checks.append(StageSpec(room="checks", name="similarity", options={**options, **model}))
        elif self.similarity_model is not None:
            raise ConfigError("--similarity-model does nothing alone: add --min-similarity, such as 0.20")
        specs: dict[Room, list[StageSpec]] = {
            "filters": [StageSpec.parse("filters", text) for text in self.filter],
            "checks": [*checks, *(StageSpec.parse("checks", text) for text in self.check)],
        }
        for room, found in specs.items():
            names = [spec.name for spec in found]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise ConfigError(f"--{room[:-1]} {twice} is given twice: give all its options at once")
        return specs

    def validate(self) -> None:
        """Raises ConfigError for an invalid filter or check, as far as is known without plug-ins."""
        minimum = self.min_similarity
        if minimum is not None and not -1 <= minimum <= 1:  # so that nan is refused too
            raise ConfigError(f"--min-similarity must be between -1 and 1, not {minimum}")
        if self.check_retries is not None and self.check_retries < 1:
            raise ConfigError(f"--check-retries must be greater than 0, not {self.check_retries}")
        self.specs()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilterOptions(StrictOptions):
    """Which pictures get a caption, by what is measured of all of them first."""

    keep: tuple[str, ...] = ()
    """Keep only pictures that fit, such as 'side>=256' or 'sharpness>=p2'. Several by repetition."""
    dedup: Literal["exact", "near"] | None = None
    """Of duplicates keep one: those with the same bytes, or near ones too (resized, re-encoded, cropped)."""
    classifier: str | None = None
    """Image classifier for rules such as 'class.watermark<=0.5': name on the hub or folder."""
    aesthetic_model: str | None = None
    """CLIP for 'aesthetic>=5': name or folder. [default: openai/clip-vit-large-patch14]"""
    aesthetic_head: str | None = None
    """Weights of that score: .safetensors file or hub name. [default: ttj/sac-logos-ava1-l14-linearMSE]"""

    def check(self) -> None:
        """Raises ConfigError for a model that no rule uses."""
        for option, value, measure in (
            ("--classifier", self.classifier, "class."),
            ("--aesthetic-model", self.aesthetic_model, "aesthetic"),
            ("--aesthetic-head", self.aesthetic_head, "aesthetic"),
        ):
            if value is not None and not any(rule.strip().startswith(measure) for rule in self.keep):
                example = "class.LABEL<=0.5" if measure == "class." else "aesthetic>=5"
                raise ConfigError(f"{option} does nothing alone: add a rule, such as --keep '{example}'")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions(StrictOptions):
    """How pictures are resized and encoded before they are sent."""

    max_side: int = 1024
    """Longest side in pixels; larger pictures are scaled down; 0 sends any size."""
    max_bytes: int = 0
    """Most bytes of an encoded picture; 0 for no limit."""
    jpeg_quality: int = 85
    """Quality of pictures that must be re-encoded."""
    max_pixels: int = 64_000_000
    """Pictures that need more pixels than this to decode are refused."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions(StrictOptions):
    """Where the captions go."""

    output_format: str | None = None
    """json, jsonl, csv, tsv, parquet, webdataset, sidecar, imagefolder, scienceqa, … [default: by name]"""
    existing: Existing | None = None
    """What to do with captions, or an output of someone else's, that are already there."""
    one_line: bool = False
    """Write captions without line breaks, as trainers read only the first line of a text file."""
    samples_per_shard: int = 1000
    """Samples in one shard of a webdataset."""
    rows_per_file: int | None = None
    """Write Parquet in files of so many rows, `out-00000.parquet` …, each as soon as it is full."""
    max_shards: int | None = None
    """Most shards of a webdataset; pictures beyond them get no caption."""
    include_raw: bool | None = None
    """Keep the model's whole response, as column `llm` [default: in Parquet only]"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions(StrictOptions):
    """Where a run is worked on."""

    engine: Literal["local", "ray"] = "local"
    """Work in this process, or on a Ray cluster."""
    address: str | None = None
    """Cluster to use: `auto` or `HOST:PORT`. [default: RAY_ADDRESS, else Ray on this machine]"""
    actors: int | None = None
    """Workers on the cluster. [default: as many as there is room for]"""
    gpus_per_actor: float = 0.0
    """GPUs, or a part of one, for each worker."""
    cpus_per_actor: float = 1.0
    """CPUs for each worker."""
    samples_per_task: int | None = None
    """Samples that a worker is given at a time. [default: at most 1024]"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(StrictOptions):
    """Retries, limits and what ends a run."""

    max_concurrent_requests: int | None = None
    """Requests at once; found out while running when not given."""
    enable_async: bool = True
    """Request several pictures at once; without it one after the other."""
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
    on_missing: OnMissing = "warn"
    """Rows without a picture and left-over pictures: warn, fail (exit 1) or ignore."""
    stop_after_failures: int = 200
    """Stop when this many pictures in a row failed at the model; 0 never stops."""
    on_change: OnChange = "refuse"
    """What happens to earlier captions when model, prompt or parameters have changed."""
    retry_failed: bool = False
    """Retry the pictures that failed before."""
    recheck: bool = False
    """Check with servers that pictures behind URLs are still those captioned; only others are downloaded."""
    state: str | None = None
    """Folder or URL for the journal. [default: beside the output]"""
