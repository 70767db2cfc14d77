"""Opens inputs: files here, or anything fsspec reaches; patterns become the files they stand for."""

from __future__ import annotations

import glob
import itertools
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cutline.errors import ConfigError
from cutline.formatting import one_line
from cutline.imaging.formats import LFS_CURE, LFS_MAGIC
from cutline.sources.outputs import OutputFilter, OutputPaths
from cutline.storage import explained, is_remote, open_object, open_storage

if TYPE_CHECKING:
    from collections.abc import Callable

_BRACES = re.compile(r"\{([^{}]+)\}")
_NUMBERS = re.compile(r"(\d+)\.\.(\d+)")
MAX_POINTER_BYTES = 1024
MAX_FILES = 1_000_000


def open_binary(path: str) -> BinaryIO:
    """The file, for reading, seekable unless the storage cannot; ConfigError: it cannot be opened."""
    if is_remote(path):
        return _open_remote(path)
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ConfigError(f"{path} is not a regular file")
        _refuse_pointer(path)
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be opened: {one_line(error)}") from error


def _refuse_pointer(path: str) -> None:
    if Path(path).stat().st_size < MAX_POINTER_BYTES and Path(path).read_bytes().startswith(LFS_MAGIC):
        raise ConfigError(f"{path} is a Git LFS pointer instead of the file; {LFS_CURE}")


def _open_remote(path: str) -> BinaryIO:
    try:
        return open_object(path)
    except ConfigError:
        raise
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist") from error
    except Exception as error:  # such as missing credentials; drivers share no base class
        raise ConfigError(f"{path} cannot be opened: {explained(error)}") from error


def dataset_folder(path: str, dataset: str) -> Path:
    """The existing local path of a dataset; raises ConfigError for any other."""
    if is_remote(path):
        raise ConfigError(f"{path}: {dataset} is read from a folder on this machine")
    if not Path(path).exists():
        raise ConfigError(f"{path} does not exist")
    return Path(path)


def expand(
    path: str, endings: tuple[str, ...], *, recursive: bool = True, outputs: OutputPaths | None = None
) -> tuple[str, list[str]]:
    """The files of a path, and the folder that their names are relative to, empty for a single file.

    ``path`` is a file, a folder (its files with one of the endings, sorted), a glob pattern, or a list in
    braces (``{00000..00012}``, ``{a,b}``). Outputs of the run (``outputs``) among them are left out, and
    those of others, unless a pattern names them. ConfigError: there are none.
    """
    fixed = _fixed_part(path)
    outputs_in = OutputFilter(fixed, outputs, others=fixed == path)
    if _BRACES.search(path):
        files = [
            file
            for name in _braces(path)
            for file in (outputs_in.inputs(_glob(name)) if _is_glob(name) else [name])
        ]
    elif _is_glob(path) and not (not is_remote(path) and Path(path).exists()):
        files = outputs_in.inputs(_glob(path))
    elif path.lower().endswith(endings) if is_remote(path) else Path(path).is_file():
        return "", [path]
    else:
        there = _listing(path, endings, recursive=recursive)
        files = [file for file in outputs_in.inputs(there) if file.lower().endswith(endings)]
        left_out = next((file for file in there if file.lower().endswith(endings)), None)
        if not files and left_out:
            raise ConfigError(
                f"{path} holds nothing but outputs of cutline, which are not read as a part of it; "
                f"give one of them as the input: {left_out}"
            )
    if not files:
        raise ConfigError(f"{path}: no file ending in {' '.join(endings)} is there")
    return _common_folder(files), files


def _is_glob(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def _fixed_part(path: str) -> str:
    """The folder that a path is or begins with, before any pattern."""
    found = re.search(r"[*?\[{]", path)
    if not found or (not is_remote(path) and Path(path).exists()):
        return path
    return path[: found.start()].rpartition("/")[0] or "."


def _glob(pattern: str) -> list[str]:
    if is_remote(pattern):
        system, _ = open_storage(pattern)
        names = on_storage(pattern, lambda: system.glob(pattern))
        return sorted(system.unstrip_protocol(name) for name in names)
    return sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - the pattern may be absolute


def _listing(path: str, endings: tuple[str, ...], *, recursive: bool) -> list[str]:
    if is_remote(path):
        system, root = open_storage(path)
        names = on_storage(path, lambda: system.find(root, maxdepth=None if recursive else 1))
        # All of them: the state beside an output shows what it is.
        return sorted(system.unstrip_protocol(name) for name in names)
    if not Path(path).exists():
        raise ConfigError(f"{path} does not exist")
    found = []
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if recursive and not name.startswith(".")]
        wanted = [name for name in names if name.lower().endswith(endings) and not name.startswith(".")]
        found += [str(Path(folder, name)) for name in wanted]
    return sorted(found)


def on_storage(path: str, call: Callable[[], Any]) -> Any:
    """The call's result; whatever a driver raises becomes a ConfigError that names the path."""
    try:
        return call()
    except Exception as error:  # the drivers' errors have no common root
        raise ConfigError(f"{path} cannot be listed: {explained(error)}") from error


def _braces(path: str) -> list[str]:
    parts = _BRACES.split(path)
    choices = [[part] if index % 2 == 0 else _choices(part) for index, part in enumerate(parts)]
    names = ["".join(chosen) for chosen in itertools.islice(itertools.product(*choices), MAX_FILES + 1)]
    if len(names) > MAX_FILES:
        raise ConfigError(f"{path} stands for more than {MAX_FILES:,} files")
    return names


def _choices(inside: str) -> list[str]:
    numbers = _NUMBERS.fullmatch(inside)
    if not numbers:
        return inside.split(",")
    first, last = numbers.groups()
    if int(last) - int(first) > MAX_FILES:
        raise ConfigError(f"{{{inside}}} stands for more than {MAX_FILES:,} files")
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]


def _common_folder(files: list[str]) -> str:
    """The folder above all of them, by whole names, with a final slash."""
    parts = [file.replace(os.sep, "/").split("/")[:-1] for file in files]
    shared = list(itertools.takewhile(lambda names: len(set(names)) == 1, zip(*parts, strict=False)))
    return "".join(f"{names[0]}/" for names in shared)
