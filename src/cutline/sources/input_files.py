"""Opens inputs: files here, or anything fsspec reaches; patterns become the files they stand for."""

from __future__ import annotations

import glob
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cutline.errors import ConfigError
from cutline.files import not_there
from cutline.formatting import one_line
from cutline.imaging.formats import LFS_CURE, LFS_MAGIC
from cutline.sources.exclusion import Exclusion
from cutline.sources.linked_folders import walk_folders
from cutline.sources.names import TABLE_EXTENSIONS, table_ending
from cutline.sources.outputs import OutputFilter, RunPaths
from cutline.sources.patterns import fixed_folder, has_braces, is_glob, names_in_braces
from cutline.storage import explained, is_remote, open_object, open_storage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MAX_POINTER_BYTES = 1024


def open_binary(path: str) -> BinaryIO:
    """The file, for reading, seekable unless the storage cannot; ConfigError: it cannot be opened."""
    if is_remote(path):
        return _open_remote(path)
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise ConfigError(
                f"{path} is not a regular file, which can be read again: write its content to one"
            )
        _refuse_pointer(path)
        return Path(path).open("rb")
    except FileNotFoundError as error:
        raise ConfigError(not_there(path)) from error
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
        raise ConfigError(not_there(path))
    return Path(path)


def numbered_files(path: str) -> list[str]:
    """The file of a table on this machine, or the numbered ones that a run wrote instead; else none."""
    if Path(path).is_file():
        return [path]
    stem, ending = os.path.splitext(path)  # noqa: PTH122 - strings
    if not ending or is_remote(path) or Path(path).exists():
        return []
    return sorted(glob.glob(f"{glob.escape(stem)}-[0-9][0-9][0-9][0-9][0-9]*{ending}"))  # noqa: PTH207 - strings


def expand(
    path: str,
    endings: tuple[str, ...],
    *,
    recursive: bool = True,
    outputs: RunPaths | None = None,
    exclude: Sequence[str] = (),
) -> tuple[str, list[str]]:
    """The files of a path, and the folder that their names are relative to, empty for a single file.

    ``path`` is a file, a folder (its files with one of the endings, sorted), a glob pattern (what it covers
    with one of the endings, else all), or a list in braces (``{00000..00012}``, ``{a,b}``). Outputs of the
    run (``outputs``) among them are left out, and those of others, unless a pattern names them, and so are
    those that ``exclude`` covers. ConfigError: there are none.
    """
    fixed = fixed_folder(path)
    outputs_in = OutputFilter(fixed, outputs, others=fixed == path)
    if has_braces(path):
        files = [
            file
            for name in names_in_braces(path)
            for file in (outputs_in.inputs(_matches(name, endings)) if is_glob(name) else [name])
        ]
    elif is_glob(path) and not (not is_remote(path) and Path(path).exists()):
        files = outputs_in.inputs(_matches(path, endings, recursive=recursive))
    elif path.lower().endswith(endings) if is_remote(path) else Path(path).is_file():
        if exclude:
            raise ConfigError(f"--exclude is for the files of a folder, and {path} is one file: remove it")
        return "", [path]
    elif table_ending(path) in TABLE_EXTENSIONS and (numbered := numbered_files(path)):
        files = numbered
    else:
        listed = _listing(path, endings, recursive=recursive)
        files = [file for file in outputs_in.inputs(listed) if file.lower().endswith(endings)]
        left_out = next((file for file in listed if file.lower().endswith(endings)), None)
        if not files and left_out:
            raise ConfigError(
                f"{path} holds nothing but outputs of cutline, which are not read as a part of it; "
                f"give one of them as the input: {left_out}"
            )
    kept = _without_excluded(files, fixed, exclude)
    if not kept:
        but = " that is not left out by its name (--exclude none leaves out nothing)" if files else ""
        raise ConfigError(f"{path}: there is no file ending in {' '.join(endings)}{but}")
    return _common_folder(kept), kept


def _without_excluded(files: list[str], folder: str, exclude: Sequence[str]) -> list[str]:
    """The files whose path from the folder is not left out."""
    top = f"{folder.rstrip('/')}/"
    excluded = Exclusion(exclude).covers
    return [file for file in files if not excluded(file.removeprefix(top).replace(os.sep, "/"))]


def _matches(pattern: str, endings: tuple[str, ...], *, recursive: bool = True) -> list[str]:
    """What a pattern covers: the files with one of the endings, in folders too, else every file."""
    if is_remote(pattern):
        system, _ = open_storage(pattern)
        found = on_storage(pattern, lambda: system.glob(pattern, detail=True))
        names = [system.unstrip_protocol(name) for name, info in found.items() if info["type"] == "file"]
        folders = [system.unstrip_protocol(name) for name, info in found.items() if info["type"] != "file"]
    else:
        names = glob.glob(pattern, recursive=True)  # noqa: PTH207 - the pattern may be absolute
        folders = [name for name in names if Path(name).is_dir()]
        names = list(set(names) - set(folders))
    within = [_listing(folder, endings, recursive=True) for folder in folders if recursive]
    files = {name for name in itertools.chain(names, *within) if name.lower().endswith(endings)}
    return sorted(files or names)


def _listing(path: str, endings: tuple[str, ...], *, recursive: bool) -> list[str]:
    if is_remote(path):
        system, root = open_storage(path)
        names = on_storage(path, lambda: system.find(root, maxdepth=None if recursive else 1))
        # All of them: the state beside an output shows what it is.
        return sorted(system.unstrip_protocol(name) for name in names)
    if not Path(path).exists():
        raise ConfigError(not_there(path))
    found = []
    for folder, folders, names in walk_folders(path):
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


def _common_folder(files: list[str]) -> str:
    """The folder above all of them, by whole names, with a final slash."""
    parts = [file.replace(os.sep, "/").split("/")[:-1] for file in files]
    shared = list(itertools.takewhile(lambda names: len(set(names)) == 1, zip(*parts, strict=False)))
    return "".join(f"{names[0]}/" for names in shared)


def parent_folder(path: str) -> str:
    """The folder of a file, here or on storage."""
    if is_remote(path):
        return path.rpartition("/")[0]
    return os.path.dirname(path) or "."  # noqa: PTH120 - a name need not be Unicode
