"""Modules beside a plug-in's file: they find the same names and keep within the same bounds as it does."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, Final

_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})  # an environment in the folder

Prepare = Callable[[str, dict[str, Any]], None]


class FolderFinder(importlib.abc.MetaPathFinder):
    """Finds modules and packages in ``folder`` where no installed one has their name.

    ``prepare`` gets the file and the globals of each before it is executed.
    """

    def __init__(self, folder: Path, prepare: Prepare) -> None:
        self.folder, self._prepare = folder, prepare

    def install(self) -> None:
        """Use it for all imports of this process, once for a folder."""
        if not any(isinstance(one, FolderFinder) and one.folder == self.folder for one in sys.meta_path):
            sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of a module in the folder; None leaves the name to the other finders."""
        if not (self._has(fullname) if path is None else any(map(self._is_inside, path))):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or not isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            return None
        if not self._is_inside(spec.loader.path):
            return None
        spec.loader = _Loader(fullname, spec.loader.path, self._prepare)
        return spec

    def _has(self, name: str) -> bool:
        if name in sys.builtin_module_names:
            return False
        return (self.folder / f"{name}.py").is_file() or (self.folder / name / "__init__.py").is_file()

    def _is_inside(self, path: str) -> bool:
        file = Path(path)
        return file.is_relative_to(self.folder) and _INSTALLED.isdisjoint(file.parts)


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, fullname: str, path: str, prepare: Prepare) -> None:
        super().__init__(fullname, path)
        self._prepare = prepare

    def exec_module(self, module: ModuleType) -> None:
        self._prepare(self.path, vars(module))
        super().exec_module(module)
