"""Restart the service when one of the files that it is made of changes."""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.supervisors.basereload import BaseReload

import cutline
from cutline.errors import ConfigError
from cutline.service.lifecycle.server import Server
from cutline.service.settings import Settings

Stamps = dict[Path, tuple[int, int]]
_INSTALLED: Final = tuple(
    Path(folder).resolve()
    for folder in {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_CHAIN_SUFFIXES: Final = frozenset({".toml", ".json", ".txt"})


class Reload(BaseReload):
    """Watches few files, as there may be a hundred thousand pictures in the current folder."""

    def __init__(self, config: uvicorn.Config, files: Callable[[], Iterable[Path]]) -> None:
        super().__init__(config, Server(config).run, [config.bind_socket()])
        self.reloader_name = "cutline"
        self._files = files
        self._stamps = self._current_stamps()

    def should_restart(self) -> list[Path] | None:
        self.pause()
        before, self._stamps = self._stamps, self._current_stamps()
        changed = before.items() ^ self._stamps.items()  # new and removed files too
        return sorted({path for path, _ in changed}) or None

    def _current_stamps(self) -> Stamps:
        found: Stamps = {}
        for path in self._files():
            try:
                stat = path.stat()
            except OSError:
                continue
            found[path] = (stat.st_mtime_ns, stat.st_size)
        return found


def watched_files(given: dict[str, Any]) -> Iterator[Path]:
    """The files of a service with these options: settings, chains, plug-ins, code that is not installed."""
    yield Path(given.get("env_file") or os.environ.get("CUTLINE_ENV_FILE") or ".env").absolute()
    with contextlib.suppress(ConfigError):  # a mistake in that file, which the service itself reports
        settings = Settings.read(given)
        for path in settings.chain:
            folder = path if path.is_dir() else path.parent
            yield from (file for file in folder.glob("*") if file.suffix in _CHAIN_SUFFIXES)
        for file in settings.plugin:
            yield from Path(file).expanduser().parent.glob("*.py")
    # Packages of cutline and its plug-ins that are not installed but in a working folder.
    packages = [
        one for name, one in list(sys.modules.items()) if "." not in name and hasattr(one, "__path__")
    ]
    files = [cutline.__file__, *filter(None, (getattr(one, "__file__", None) for one in packages))]
    for folder in {Path(file).resolve().parent for file in files}:
        if not any(folder.is_relative_to(root) for root in _INSTALLED):
            yield from folder.rglob("*.py")
