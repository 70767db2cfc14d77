"""The state folder of an output: journal, marks, lock."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Self

import orjson

from cutline.app_dirs import state_dir
from cutline.engine.locks import FolderLock, OutputLock, output_locks
from cutline.errors import ConfigError, CutlineError
from cutline.files import remove_parts, write_atomically, write_errors
from cutline.records import JSON
from cutline.regular_files import refuse_links_in
from cutline.serialization import read_object
from cutline.sources.outputs import OWNER, rejected_list
from cutline.storage import is_remote, local_path

if TYPE_CHECKING:
    from cutline.engine.remote_state import RemoteState

_log = logging.getLogger(__name__)
_LONGEST_NAME = 255 - len("_.failures.jsonl")  # of file systems, less what names beside the output add
_ONLY_COMMITS = ("hf://",)  # storage on which every write is a version for ever


def state_folder(output: str, chosen: str | None) -> Path:
    """``<output>.cutline`` beside a local output, or ``_<output>.cutline`` where only that exists.

    For a remote output, or a remote ``chosen``, it is in the user's state folder, see ``state_url``.
    """
    if chosen is not None and not is_remote(chosen):
        if Path(local_path(chosen)).absolute() == Path("/"):
            raise ConfigError("/ cannot hold a state: give --state a folder in it")
        return Path(local_path(chosen))
    output = chosen or output
    if not is_remote(output):
        path = Path(local_path(output)).resolve()  # resolves "." and links
        if not path.name:
            raise ConfigError(f"{path} cannot be an output: give the name of a file or folder in it")
        if (size := len(os.fsencode(path.name))) > _LONGEST_NAME:
            raise ConfigError(
                f"the output's name has {size} bytes ({path.name[:40]}…): give one of at most {_LONGEST_NAME}"
            )
        usual = path.with_name(path.name + ".cutline")
        other = passed_over(usual)  # which may belong to an output with that name
        return other if not usual.exists() and _output_of(other) == path.name else usual
    name = output.rstrip("/").rsplit("/", 1)[-1]
    return state_dir() / f"{name}-{hashlib.blake2b(output.encode(), digest_size=6).hexdigest()}"


def state_url(output: str, chosen: str | None) -> str | None:
    """Where the state of a remote output is kept, beside it, unless ``chosen`` names another place.

    None for a folder on this machine.
    """
    if chosen is not None:
        return chosen.rstrip("/") if is_remote(chosen) else None
    if not is_remote(output) or output.startswith(_ONLY_COMMITS):
        return None
    return _beside(output)


def _beside(output: str) -> str:
    """The remote folder beside an output; dataset readers skip names with a leading underscore."""
    folder, _, name = output.rstrip("/").rpartition("/")
    return f"{folder}/_{name}.cutline"


def failures_file(output: str, state: Path) -> Path:
    """``<output>.failures.jsonl`` beside a local output, beside the state folder of a remote one."""
    beside = state if is_remote(output) else state_folder(output, None)
    return beside.with_name(beside.name.removesuffix(".cutline") + ".failures.jsonl")


def passed_over(path: Path) -> Path:
    """The name with ``_`` before it, which readers of a folder as one table ignore."""
    return path if path.name.startswith("_") else path.with_name(f"_{path.name}")


def _output_of(folder: Path) -> str | None:
    """The name of the output whose state is in a folder, if known."""
    name = (read_object(folder / OWNER) or {}).get("output")
    return name if isinstance(name, str) else None


def open_state(output: str, chosen: str | None, failures: Path | None = None) -> State:
    """The state of an output, not locked yet; ``chosen`` and ``failures`` as given by the user, if at all."""
    folder, url = state_folder(output, chosen), state_url(output, chosen)
    locks = {_beside(output)} if is_remote(output) and not output.startswith(_ONLY_COMMITS) else set()
    if url is not None:
        locks.add(url)
    if not locks:
        return State(folder, output)
    from cutline.engine.remote_state import RemoteState

    failed = failures or failures_file(output, folder)
    files = {"failures.jsonl": failed, "rejected.jsonl": Path(rejected_list(str(failed)))}
    remote = RemoteState(url, folder, output=output, locks=sorted(locks), files=files)
    return State(folder, output, remote)


class State:
    """One output's folder, held by one run at a time, as is the output itself; a context manager.

    Raises:
        OutputLocked: another run has the folder, or writes to the output.
        ConfigError: a file of the folder is a link, or it is none.
    """

    def __init__(self, folder: Path, output: str, remote: RemoteState | None = None) -> None:
        self.folder = folder
        self.brought_from = ""
        """The URL of what another machine left, if this one takes it over."""
        self._remote = remote
        self._output = output
        self._locks: list[FolderLock | OutputLock] = []

    def __enter__(self) -> Self:
        locks = output_locks(self._output)
        refuse_links_in(self.folder, locks)
        try:
            self._locks.append(FolderLock(self.folder, self._output))
            self._locks.extend(OutputLock(file, self._output) for file in locks)
            remove_parts(self.folder)
            if self._remote is not None:
                self.brought_from = self._remote.url if self._remote.open() else ""
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if self._remote is not None:
                self._remote.close()
        except CutlineError as error:
            if kind is None:
                raise
            _log.warning("state not copied: %s", error)
        finally:
            self._leave()

    def _leave(self) -> None:
        while self._locks:
            self._locks.pop().release()

    def read(self, name: str) -> JSON | None:
        """A JSON file of the folder; None when there is none or it is damaged."""
        return read_object(self.folder / name)

    def remove(self, name: str) -> None:
        """Delete a file of the folder, if it exists; raises SinkError on a read-only disk."""
        with write_errors(self.folder / name):
            (self.folder / name).unlink(missing_ok=True)

    def write(self, name: str, data: JSON) -> None:
        """Replace a JSON file of the folder atomically; raises SinkError on a full or read-only disk."""
        with write_errors(self.folder / name):
            write_atomically(self.folder / name, orjson.dumps(data, option=orjson.OPT_INDENT_2))
        if name == "batches.json":
            self.record(name)

    def on_failure(self, call: Callable[[CutlineError], object]) -> None:
        """Call ``call``, in another thread, when the state cannot be kept or another run took over."""
        if self._remote is not None:
            self._remote.on_failure = call

    def record(self, name: str) -> None:
        """Copy a file of a remote state now, before what it describes changes; raises SinkError."""
        if self._remote is not None:
            self._remote.record(name)
