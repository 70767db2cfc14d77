"""Prompt files, schemas and the library of prompts (TOML files in ``prompt_library``), parsed."""

from __future__ import annotations

import functools
import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutline.errors import ConfigError
from cutline.records import JSON
from cutline.setting_files import read_object

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

TEXT = "text:"
"""Prefix of a prompt that is taken literally."""


def load_schema(spec: str | Path) -> JSON:
    """The JSON Schema of an object in a file, or in a text that begins with ``{``; ConfigError."""
    from cutline.prompts.structured import check_schema

    inline = isinstance(spec, str) and spec.lstrip().startswith("{")
    schema = _inline(str(spec)) if inline else read_object(Path(spec), "schema file")
    try:
        check_schema(schema)
    except ConfigError as error:
        raise ConfigError(f"{'the schema' if inline else spec}: {error}") from error
    return schema


def _inline(text: str) -> JSON:
    try:
        schema: JSON = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the schema is not valid JSON: {error}") from error
    return schema


@functools.cache
def library_prompts() -> dict[str, str]:
    """What each prompt of the library is for, in one line, by name in alphabetical order."""
    return {name: str(library_entry(name)["description"]) for name in library_names()}


@functools.cache
def library_names() -> tuple[str, ...]:
    return tuple(sorted(file.name[:-5] for file in _folder().iterdir() if file.name.endswith(".toml")))


def library_entry(name: str) -> dict[str, Any]:
    """The file of one prompt, parsed; its keys are those of any prompt file."""
    return tomllib.loads((_folder() / f"{name}.toml").read_text(encoding="utf-8"))


def _folder() -> Traversable:
    return resources.files("cutline") / "prompt_library"
