"""Prompt files and schemas, parsed."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from cutline.errors import ConfigError
from cutline.records import JSON

TEXT = "text:"
"""Prefix of a prompt that is taken literally."""


def load_schema(spec: str | Path) -> JSON:
    """The JSON Schema in a file, or in a text that begins with ``{``; made sure to describe an object.

    Raises:
        ConfigError: there is no such file, or it is no schema that a caption can be checked with.
    """
    from cutline.prompts.structured import check_schema

    inline = isinstance(spec, str) and spec.lstrip().startswith("{")
    schema = _inline(str(spec)) if inline else read_object(Path(spec), "schema")
    try:
        check_schema(schema)
    except ConfigError as error:
        raise ConfigError(f"{'the schema' if inline else spec}: {error}") from error
    return schema


def read_object(path: Path, what: str) -> JSON:
    """What a JSON or TOML file holds; ``what`` it is to the user, such as a schema.

    Raises:
        ConfigError: it cannot be read, or holds no object.
    """
    text = read_text(path, what)
    try:
        data: Any = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not valid {path.suffix[1:].upper() or 'JSON'}: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no object: a {what} file is one, with names and values")
    return data


def read_text(path: Path, what: str) -> str:
    """Raises ConfigError for a file that cannot be read, or is not there."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        cure = f"; for the text itself write {TEXT}{path}" if what == "prompt" else ""
        raise ConfigError(f"there is no {what} file {path}{cure}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"the {what} file {path} cannot be read: {error}") from error


def _inline(text: str) -> JSON:
    try:
        schema: JSON = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the schema is not valid JSON: {error}") from error
    return schema
