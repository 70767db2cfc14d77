"""Python files whose models the user wants to use."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path

from cutline.errors import ConfigError


def load_plugins(files: Iterable[str]) -> None:
    """Run each file, once in this process, so that the models in it have their names.

    Modules beside a file can be imported by it, where no installed one has their name.

    Raises:
        ConfigError: a file is not there, is no Python, or fails; names the file and the line.
    """
    for file in files:
        _load(file)


def _load(file: str) -> None:
    path = Path(file).expanduser()
    if path.suffix != ".py":
        raise ConfigError(f"--plugin takes a Python file (.py), not {file}")
    if not path.is_file():
        raise ConfigError(f"the plug-in {file} does not exist")
    path = path.resolve()
    mark = hashlib.blake2b(str(path).encode(errors="surrogateescape"), digest_size=6).hexdigest()
    name = f"cutline_plugin_{mark}_{path.stem}"
    if name in sys.modules:
        return
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ConfigError(f"the plug-in {file} cannot be used: {_told(error, path)}") from error


def _told(error: BaseException, path: Path) -> str:
    """What went wrong, and in which line of the file."""
    words = " ".join(str(error).split())
    if isinstance(error, SyntaxError):
        words, line = str(error.msg), error.lineno
    else:
        lines = [
            frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
        ]
        line = lines[-1] if lines else None
    named = words if isinstance(error, ConfigError) else f"{type(error).__name__}: {words}".rstrip(": ")
    return f"{named} (line {line})" if line else named
