"""Loading of plug-ins from Python files."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from cutline.captioners.plugins.isolation import describe_error
from cutline.errors import ConfigError


def load_plugins(files: Iterable[str]) -> None:
    """Import each file, once in this process, which registers the models in it.

    Modules beside a file can be imported by it, where no installed one has their name.

    Raises:
        ConfigError: a file does not exist, is not Python, or fails; names the file and the line.
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
    digest = hashlib.blake2b(str(path).encode(errors="surrogateescape"), digest_size=6).hexdigest()
    name = f"cutline_plugin_{digest}_{path.stem}"
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
        raise ConfigError(f"the plug-in {file} cannot be used: {describe_error(error, str(path))}") from error
