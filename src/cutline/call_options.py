"""Arguments of the Python functions, and the parts of a job made from them."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict, TypeVar

import orjson

from cutline.background_loop import BackgroundLoop
from cutline.errors import ConfigError
from cutline.imaging.picture_objects import PictureObject, held, is_one, items_of
from cutline.job import OPTION_GROUPS
from cutline.option_names import suggested_option
from cutline.options import CheckOptions, Existing, OnChange, OnMissing, PromptOptions, SamplePictures
from cutline.parameters import COMMON
from cutline.records import JSON
from cutline.sources.listed import ListedSource

Input: TypeAlias = "str | os.PathLike[str] | PictureObject | Mapping[str, Any] | Iterable[Any]"
PromptInput: TypeAlias = str | Path | Sequence[str] | Mapping[str, str]
"""A text, a library prompt's name or a template file; several as a mapping by name."""

_T = TypeVar("_T")


class LoadOptions(TypedDict, total=False):
    """The options of ``load`` besides model and prompt; as on the command line.

    ``steps`` has for each name a model, or a dict with the keys of a step in a chain file; or it is a list
    of such dicts, with their ``name``.
    """

    allow_private_urls: bool
    user_agent: str | None
    steps: Mapping[str, str | Mapping[str, Any]] | Sequence[Mapping[str, Any]]
    chain: str | Path | None
    plugin: str | Path | Sequence[str | Path]
    endpoint: str | None
    header: Sequence[str]
    query: Sequence[str]
    max_tokens: int | None
    truncated: Literal["fail", "keep", "sentence"]
    temperature: float | None
    top_p: float | None
    seed: int | None
    schema_dialect: Literal["response_format", "guided_json", "structured_outputs", "none"] | None
    extra: dict[str, Any]
    parameters: str | None
    large_images: Literal["shrink", "asset"] | None
    device: str
    dtype: Literal["auto", "float32", "bfloat16", "float16", "fp32", "bf16", "fp16"]
    batch_size: int | Literal["auto"]
    quantize: Literal["4bit", "8bit"] | None
    tensor_parallel: int
    parallel_engine: Literal["transformers", "deepspeed"]
    start: bool
    port: int | None
    server_args: str | None
    start_timeout: float
    pull: bool
    system_prompt: str | None
    language: str | None
    schema: str | Path | Mapping[str, Any] | None
    trigger: str | None
    caption_prefix: str | None
    caption_suffix: str | None
    min_similarity: float | None
    similarity_model: str | None
    check: str | Sequence[str]
    check_retries: int | None
    retry_prompt: str | None
    filter: str | Sequence[str]
    max_side: int
    max_bytes: int
    jpeg_quality: int
    max_pixels: int
    max_concurrent_requests: int | None
    enable_async: bool
    timeout: float
    max_retries: int
    retry_delay: float


class CallOptions(LoadOptions, total=False):
    """The options of ``caption`` besides source, output, model and prompt; as on the command line.

    Type checkers need the fields written out; a test compares them with those of the option groups.
    """

    keep: str | Sequence[str]
    dedup: Literal["exact", "near"] | None
    classifier: str | None
    aesthetic_model: str | None
    aesthetic_head: str | Path | None
    source_type: str | None
    image_limit: int
    shard: str | None
    reader_batch_size: int
    recursive: bool
    exclude: Sequence[str]
    follow_links: bool
    sample_pictures: SamplePictures
    delimiter: str | None
    header_row: bool
    image_column: str | None
    url_column: str | None
    text_column: str | None
    key_column: str | None
    text_encoding: str | None
    sidecar_ext: str
    image_root: str | Path | None
    split: str | None
    event: Sequence[str]
    output_format: str | None
    existing: Existing | None
    one_line: bool
    samples_per_shard: int
    rows_per_file: int | None
    max_shards: int | None
    include_raw: bool | None
    budget_tokens: int | None
    max_cost: float | None
    prices: str | Path | None
    allow_failures: int
    on_missing: OnMissing
    stop_after_failures: int
    on_change: OnChange
    retry_failed: bool
    recheck: bool
    state: str | Path | None
    engine: Literal["local", "ray"]
    address: str | None
    actors: int | None
    gpus_per_actor: float
    cpus_per_actor: float
    samples_per_task: int | None


_ARGUMENTS = ("model", "prompt", "api_key", "progress")  # besides the options
FIXED_BY_LOAD = LoadOptions.__annotations__.keys() - {
    *(field.name for group in (PromptOptions, CheckOptions) for field in dataclasses.fields(group)),
    *(parameter.name for parameter in COMMON),
    *("allow_private_urls", "user_agent", "max_pixels"),
}
"""Options that a loaded model has from ``load`` and cannot be given again."""
_OF_PATHS = {
    **dict.fromkeys(("split", "event"), "the folder of a dataset"),
    **dict.fromkeys(("image_column", "url_column", "text_column", "key_column"), "the file of a table"),
}
"""What the options need that nothing in a list of pictures has."""


def job_data(
    options: Mapping[str, Any],
    *,
    call: str,
    prompt: PromptInput = (),
    source: ListedSource | None = None,
    known: Collection[str] = CallOptions.__annotations__,
) -> JSON:
    """The options and prompts by the groups of a job; ``call`` takes the options in ``known``.

    Raises:
        ConfigError: there is no such option, or it does not apply to ``source``.
    """
    data: JSON = {name: {} for name in OPTION_GROUPS}
    if prompts := _prompts(prompt):
        data["prompts"]["prompt"] = prompts
    for name, value in _as_in_a_job(options).items():
        group = next((group for group, cls in OPTION_GROUPS.items() if name in _fields(cls)), None)
        if group is None or (name not in known and name != "step"):
            hint = suggested_option(name, [*_ARGUMENTS, *known], _as_argument)
            listed = "LoadOptions" if call == "load()" else "CallOptions"
            more = hint or f"; help(cutline.{listed}) lists them"
            raise ConfigError(f"{call} has no option {name!r}{more}")
        data[group][name] = value
    for name, needed in _OF_PATHS.items():
        if source is not None and data["input"].get(name):
            raise ConfigError(f"{name} needs {needed}, not a list of pictures")
    return data


def _as_argument(name: str, value: str) -> str:
    return f"{name}={value!r}" if value else name


def _as_in_a_job(options: Mapping[str, Any]) -> JSON:
    """Rename and convert the options to those of a job."""
    named = {name: str(value) if isinstance(value, Path) else value for name, value in options.items()}
    if "steps" in named:
        named["step"] = _steps(named.pop("steps"))
    if "plugin" in named:
        files = named["plugin"]
        named["plugin"] = tuple(map(str, [files] if isinstance(files, str | Path) else files))
    for name in ("event", "exclude", "check", "filter", "keep", "header", "query"):
        if isinstance(named.get(name), str):
            named[name] = (named[name],)
    for name in ("check", "filter"):
        if odd := [one for one in _each(named.get(name)) if not isinstance(one, str)]:
            raise ConfigError(
                f"{name} takes names, not a {type(odd[0]).__name__}: write `@cutline.register_stage` above "
                f"`class Mine(cutline.{name.title()}):` with `name = 'mine'` and `async def {name}`, and "
                f"give {name}='mine'"
            )
    if isinstance(named.get("schema"), Mapping):
        named["schema"] = orjson.dumps(named["schema"]).decode()
    return named


def _each(value: Any) -> Iterable[Any]:
    return value if isinstance(value, Iterable) else () if value is None else (value,)


def model_name(model: Any) -> str:
    """The name that a call was given as its model; ConfigError: it is a function, a class or the like."""
    if isinstance(model, str):
        return model
    raise ConfigError(
        f"model takes a name, not a {type(model).__name__}: write `@cutline.register_model('mine')` above "
        "`class Mine:` with `def infer(self, prompt, image, image_name): return 'a caption'`, "
        "and give model='mine'"
    )


def _steps(steps: Any) -> tuple[str, ...]:
    """The steps in the form of ``--step``: ``NAME=MODEL``, or the JSON of what a chain file has for one."""
    if isinstance(steps, Mapping):
        steps = [_named(name, step) for name, step in steps.items()]
    is_list = isinstance(steps, Sequence) and not isinstance(steps, str)
    if not is_list or not all(isinstance(step, Mapping) for step in steps):
        raise ConfigError(
            "steps takes a model for each name, such as steps={'look': 'pixels', 'write': 'openai:gpt-5'}, "
            "or a dict for each step with the keys of a chain file: {'name': 'look', 'model': 'pixels'}"
        )
    try:
        tables = [orjson.dumps(dict(step), default=_path_text).decode() for step in steps]
    except orjson.JSONEncodeError as error:
        raise ConfigError(f"steps: a value is none of a chain file: {error}") from None
    return tuple(
        f"{step['name']}={step['model']}" if step.keys() == {"name", "model"} else table
        for step, table in zip(steps, tables, strict=True)
    )


def _named(name: str, step: Any) -> Any:
    step = {"model": step} if isinstance(step, str) else step
    return {"name": name, **step} if isinstance(step, Mapping) else step


def _path_text(value: object) -> str:
    if isinstance(value, Path):
        return str(value)
    raise TypeError


def _prompts(prompt: PromptInput) -> tuple[str, ...]:
    """The prompts in the form of ``--prompt``."""
    if isinstance(prompt, str | Path):
        return (str(prompt),)
    if isinstance(prompt, Mapping):
        return tuple(f"{name}={text}" for name, text in prompt.items())
    return tuple(prompt)


def path_of(value: object, what: str) -> str:
    """The path of ``what``; ConfigError for values in place of a file that holds them."""
    if isinstance(value, str | os.PathLike):
        return os.fsdecode(value)
    raise ConfigError(
        f"{what} takes a path, not a {type(value).__name__}: write it to a .jsonl or .csv file and name that"
    )


def listed_source(source: Input) -> ListedSource | None:
    """A source of the pictures in a list, or of the only one; None for a path."""
    if isinstance(source, str | os.PathLike):
        return None
    return ListedSource([held(item) for item in ([source] if is_one(source) else items_of(source))])


def _fields(cls: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)}


def waited_for(work: Callable[[], Coroutine[Any, Any, _T]]) -> _T:
    """Run ``work`` and return its result; in another thread if a loop is running, as in notebooks."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work())
    loop = BackgroundLoop("cutline-caption")
    try:
        return loop.run(work())
    finally:
        loop.close()
