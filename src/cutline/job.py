"""A captioning job: input, options and output; the same from the command line, a file or Python."""

from __future__ import annotations

import dataclasses
import math
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import orjson

from cutline.captioners.servers.settings import ServerOptions
from cutline.chain_file import plan_of_options
from cutline.errors import ConfigError
from cutline.imaging.values import HARD_MAX_PIXELS
from cutline.job_paths import for_file, from_file
from cutline.option_names import suggested_option
from cutline.options import (
    CheckOptions,
    ClusterOptions,
    FilterOptions,
    InputOptions,
    LocalOptions,
    ModelOptions,
    OutputOptions,
    PictureOptions,
    PromptOptions,
    RunOptions,
    StrictOptions,
)
from cutline.records import JSON
from cutline.setting_files import read_toml
from cutline.storage import check_scheme, is_remote

_NULL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")  # in JSON, not after an escaped backslash
_LONGEST_PATH = 4095  # bytes, of Linux
_LONGEST_NAME = 255  # bytes, of all usual file systems


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job(StrictOptions):
    """Everything about one captioning run but its secrets.

    ``input_path``: file, folder, URL list, table or webdataset. ``output_path``: file or folder;
    None writes ``captions.jsonl`` in the working folder.
    """

    input_path: str
    output_path: str | None = None
    input: InputOptions = dataclasses.field(default_factory=InputOptions)
    model: ModelOptions = dataclasses.field(default_factory=ModelOptions)
    local: LocalOptions = dataclasses.field(default_factory=LocalOptions)
    server: ServerOptions = dataclasses.field(default_factory=ServerOptions)
    prompts: PromptOptions = dataclasses.field(default_factory=PromptOptions)
    checks: CheckOptions = dataclasses.field(default_factory=CheckOptions)
    filters: FilterOptions = dataclasses.field(default_factory=FilterOptions)
    pictures: PictureOptions = dataclasses.field(default_factory=PictureOptions)
    output: OutputOptions = dataclasses.field(default_factory=OutputOptions)
    run: RunOptions = dataclasses.field(default_factory=RunOptions)
    cluster: ClusterOptions = dataclasses.field(default_factory=ClusterOptions)

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a job file; relative paths in it, and the output's default, are relative to its folder.

        Raises:
            ConfigError: it cannot be read, or a line of it means nothing.
        """
        if path.is_dir():
            raise ConfigError(
                f"{path} is a folder, not a job file; for pictures in it write `cutline caption {path}`"
            )
        return cls.from_dict(from_file(read_toml(path, "job file"), path), origin=str(path))

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
            where, message = _mistake(error.errors(include_url=False), data)
            raise ConfigError(f"{origin}: {where}: {message}") from None

    def to_toml(self, folder: Path | None = None) -> str:
        """The job as a file: only what differs from the defaults.

        ``folder`` is where the file will lie, with paths relative to it where they lie in it, and absolute
        elsewhere; without it they stay as they are.
        """
        import tomli_w

        data = self.to_dict()
        return tomli_w.dumps(data if folder is None else for_file(data, folder))

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
        """Refuse options that conflict with ``--chain`` or ``--step``."""
        model, prompts = self.model, self.prompts.prompt
        if model.chain is None and not model.step:
            return
        if model.chain is not None and model.step:
            raise ConfigError("--chain and --step exclude each other: write the steps into the chain file")
        option = "--chain" if model.chain is not None else "--step"
        if model.model != ModelOptions().model:
            raise ConfigError(f"{option} names the models; remove --model {model.model}")
        if model.chain is not None and prompts:
            raise ConfigError("--chain has its own prompts: write `prompt` into its steps, not --prompt")
        if len(prompts) > 1:
            raise ConfigError(
                "--step takes one --prompt, for the first step; a --chain file has one for each"
            )
        plan = plan_of_options(model.step)
        if prompts and plan.steps and plan.steps[0].prompt is not None:
            raise ConfigError("the first step has a prompt of its own: remove it, or --prompt")

    def _check_cluster(self) -> None:
        """Refuse options of a cluster for a run without one."""
        given = [
            f"--{field.name.replace('_', '-')}"
            for field in dataclasses.fields(self.cluster)
            if getattr(self.cluster, field.name) != field.default
        ]
        if self.cluster.engine == "local" and given:
            raise ConfigError(
                f"{' and '.join(given)}: for --engine ray only; add that, or remove {_it(given)}"
            )

    def check(self) -> None:
        """Find contradictions and values out of range before anything is touched.

        Raises:
            ConfigError: names the option and what it may be.
        """
        _check_paths(self.input_path, self.output_path, self.run.state, self.model.chain)
        check_scheme(self.input.image_root or "")
        self._check_chain()
        self._check_cluster()
        if not self.run.enable_async and self.run.max_concurrent_requests is not None:
            raise ConfigError(
                "--no-enable-async makes one request at a time: remove it or --max-concurrent-requests"
            )
        self._check_ranges()
        self._check_shard()
        self.checks.validate()
        self.filters.check()
        self.input.check()
        self.model.check()
        self.server.check()
        try:
            settings = orjson.dumps(self.to_dict())
        except TypeError as error:
            raise ConfigError(f"a setting cannot be sent to an endpoint: {error}") from None
        if _NULL.search(settings):
            raise ConfigError("a setting cannot hold a null character")

    def _check_shard(self) -> None:
        """Refuse what compares all pictures or captions, if the job has a part."""
        given = [*self.filters.of_all_pictures(), *self.checks.of_all_captions()]
        if self.input.shard is not None and given:
            names = " and ".join(given)
            raise ConfigError(f"{names} compares all of the input, and --shard has a part: remove one")

    def _check_ranges(self) -> None:
        positive = {
            "--reader-batch-size": self.input.reader_batch_size,
            "--samples-per-shard": self.output.samples_per_shard,
            "--rows-per-file": self.output.rows_per_file,
            "--max-shards": self.output.max_shards,
            "--max-concurrent-requests": self.run.max_concurrent_requests,
            "--timeout": self.run.timeout,
            "--max-pixels": self.pictures.max_pixels,
            "--budget-tokens": self.run.budget_tokens,
            "--max-cost": self.run.max_cost,
            "--actors": self.cluster.actors,
            "--samples-per-task": self.cluster.samples_per_task,
        }
        for name, value in positive.items():
            if value is not None and not 0 < value < math.inf:  # so that nan is refused too
                raise ConfigError(f"{name} must be greater than 0, not {value}")
        not_negative = {
            "--max-side": self.pictures.max_side,
            "--max-bytes": self.pictures.max_bytes,
            "--max-retries": self.run.max_retries,
            "--retry-delay": self.run.retry_delay,
            "--allow-failures": self.run.allow_failures,
            "--stop-after-failures": self.run.stop_after_failures,
            "--cpus-per-actor": self.cluster.cpus_per_actor,
            "--gpus-per-actor": self.cluster.gpus_per_actor,
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


def _check_paths(*paths: str | None) -> None:
    if any("\0" in path for path in paths if path):
        raise ConfigError("a path cannot hold a null character")
    for path in paths:
        if path and (size := len(os.fsencode(path))) > _LONGEST_PATH:
            raise ConfigError(f"a path has {size:,} bytes: at most {_LONGEST_PATH:,} are possible")
        check_scheme(path or "")
    names = (name for path in paths if path and not is_remote(path) for name in path.split("/"))
    for name in names:
        if (size := len(os.fsencode(name))) > _LONGEST_NAME:
            raise ConfigError(
                f"a path holds a name of {size} bytes ({name[:40]}…): give one of at most {_LONGEST_NAME}"
            )


OPTION_GROUPS: dict[str, Any] = {
    field.name: field.default_factory
    for field in dataclasses.fields(Job)
    if field.default_factory is not dataclasses.MISSING
}
"""The classes of the groups of options, by their names in a job."""


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def place_of(name: str) -> str:
    """Where a setting belongs in a job file; empty for a name that is none."""
    if name in {"input_path", "output_path"}:
        return f"`{name} = …` above the first [table]"
    group = next((group for group, cls in OPTION_GROUPS.items() if name in _names(cls)), "")
    return f"`{name} = …` under [{group}]" if group else ""


def _names(cls: Any) -> list[str]:
    return [field.name for field in dataclasses.fields(cls)]


def _mistake(errors: Sequence[Any], data: JSON) -> tuple[str, str]:
    """Where the first mistake of a job is, and what is wrong."""
    first = errors[0]
    path = [str(part) for part in first["loc"]]
    where, name = ".".join(path), path[-1]
    if first["type"] == "missing":
        given = next((group for group in ("input", "output") if isinstance(data.get(group), str)), "")
        wrong = f"; {given} is a table of settings" if given else ""
        return where, f"the job needs {place_of(name)}{wrong}"
    if first["type"] == "dataclass_type":
        inner = place_of(name) or place_of(f"{name}_path")
        return where, f"it is a table of settings{inner and f'; write {inner}'}"
    if first["type"] == "unexpected_keyword_argument":
        group = OPTION_GROUPS.get(path[0], Job) if len(path) > 1 else Job
        if place := place_of(name):
            return where, f"it belongs elsewhere: {place}"
        every = [one for cls in OPTION_GROUPS.values() for one in _names(cls)]
        hint = suggested_option(name, _names(group), _as_setting) or suggested_option(name, every, _placed)
        return where, f"there is no such setting{hint}; known are {', '.join(_names(group))}"
    return where, first["msg"][:1].lower() + first["msg"][1:]


def _placed(name: str, value: str) -> str:
    return place_of(name).replace("…", f'"{value}"' if value else "…")


def _as_setting(name: str, value: str) -> str:
    return f'{name} = "{value}"' if value else name


def _it(names: list[str]) -> str:
    return "it" if len(names) == 1 else "them"
