"""Starting the service anew whenever one of the files that it is made of has changed."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.supervisors.basereload import BaseReload

import cutline
from cutline.errors import ConfigError
from cutline.service.settings import Settings

Stamps = dict[Path, tuple[int, int]]
_INSTALLED: Final = tuple(
    Path(folder).resolve()
    for folder in {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
_OF_A_CHAIN: Final = frozenset({".toml", ".json", ".txt"})


class Reload(BaseReload):
    """Looks at few files only, as there may be a hundred thousand pictures in the current folder."""

    def __init__(self, config: uvicorn.Config, files: Callable[[], Iterable[Path]]) -> None:
        super().__init__(config, uvicorn.Server(config).run, [config.bind_socket()])
        self.reloader_name = "cutline"
        self._files = files
        self._before = self._stamps()

    def should_restart(self) -> list[Path] | None:
        self.pause()
        before, self._before = self._before, self._stamps()
        changed = before.items() ^ self._before.items()  # what came or went too
        return sorted({path for path, _ in changed}) or None

    def _stamps(self) -> Stamps:
        found: Stamps = {}
        for path in self._files():
            try:
                about = path.stat()
            except OSError:
                continue
            found[path] = (about.st_mtime_ns, about.st_size)
        return found


def watched(given: dict[str, Any]) -> Iterator[Path]:
    """What a service with these options is made of: settings, chains, plug-ins, code not installed."""
    yield Path(".env").absolute()
    try:
        settings = Settings.read(given)
    except ConfigError:  # as .env is now; the service says so itself
        settings = None
    for path in settings.chain if settings else ():
        folder = path if path.is_dir() else path.parent
        yield from (file for file in folder.glob("*") if file.suffix in _OF_A_CHAIN)
    for file in settings.plugin if settings else ():
        yield from Path(file).expanduser().parent.glob("*.py")
    for folder in _sources():
        yield from folder.rglob("*.py")


def _sources() -> set[Path]:
    """The packages of cutline and of its plug-ins, where they lie in somebody's working folder."""
    folders = {Path(cutline.__file__).resolve().parent}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if (
            file
            and "." not in module.__name__
            and module.__name__ != "__main__"
            and hasattr(module, "__path__")
        ):
            folders.add(Path(file).resolve().parent)
    return {folder for folder in folders if not any(folder.is_relative_to(place) for place in _INSTALLED)}
