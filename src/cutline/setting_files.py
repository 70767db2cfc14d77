"""Files that a person wrote (jobs, prompts, lists of words), read whole; each error names the cure."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, Final

from cutline.errors import ConfigError
from cutline.files import not_there, similar_path
from cutline.formatting import one_line
from cutline.named_files import read_named
from cutline.records import JSON

MAX_BYTES: Final = 32 * 1024 * 1024


def read_text(path: Path, what: str, *, errors: str = "strict", otherwise: str = "") -> str:
    """A UTF-8 text, with or without a byte-order mark; also of a pipe, and never endless, as from a device.

    ``what`` names the file in messages: "job file". ``errors``: as for ``bytes.decode``. ``otherwise``: what
    the user may have meant instead of a file, for a path that does not exist and is not similar to any.

    Raises:
        ConfigError: it is not there, cannot be read, is too large, or is not UTF-8.
    """
    try:
        content = read_named(path, MAX_BYTES + 1)
    except FileNotFoundError:
        more = f"; {otherwise}" if otherwise and not similar_path(path) else ""
        raise ConfigError(f"the {what} {not_there(path)}{more}") from None
    except IsADirectoryError:
        raise ConfigError(f"the {what} {not_there(path)}") from None
    except OSError as error:
        raise ConfigError(f"the {what} {path} cannot be read: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise ConfigError(f"the {what} {path} cannot be read: it is larger than {MAX_BYTES:,} bytes")
    try:
        return content.decode("utf-8-sig", errors)
    except UnicodeDecodeError:
        raise ConfigError(f"the {what} {path} is not UTF-8: save it in that encoding") from None


def read_toml(path: Path, what: str) -> JSON:
    """The content of a TOML file; ConfigError as for ``read_text``, or when it is not TOML."""
    return _toml(read_text(path, what), path, what)


def read_object(path: Path, what: str, *, otherwise: str = "") -> JSON:
    """The object in a JSON file, or the content of a TOML file, by its extension.

    Raises:
        ConfigError: as for ``read_text``, or its content is invalid or another value.
    """
    text = read_text(path, what, otherwise=otherwise)
    if path.suffix.lower() == ".toml":
        return _toml(text, path, what)
    try:
        data: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"the {what} {path} is not JSON: {one_line(error, 200)}") from None
    if not isinstance(data, dict):
        raise ConfigError(f"the {what} {path} holds no object: it must be one, with names and values")
    return data


def _toml(text: str, path: Path, what: str) -> JSON:
    try:
        return tomllib.loads(text)
    except ValueError as error:
        raise ConfigError(f"the {what} {path} is not TOML: {one_line(error, 200)}") from None
    except RecursionError:
        raise ConfigError(f"the {what} {path} is not TOML: it is too deeply nested") from None
