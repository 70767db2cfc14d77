"""Find a model's files by name, and download them from the Hugging Face hub."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

from cutline.errors import ConfigError, MissingExtra

Say: TypeAlias = Callable[[str], None]
"""Receives progress lines; called from any thread."""

# Never pickles: a weights file must not be able to run code.
FILES: Final = ["*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken"]
_REPOSITORY: Final = re.compile(r"[\w.-]+/[\w.-]+")


def local_folder(name: str) -> Path | None:
    """The folder ``name``, or None when that is the name of a repository on the hub.

    Raises:
        ConfigError: it is neither.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ConfigError(f"{name} is not a model: it has no config.json")
        return path
    if path.exists():
        raise ConfigError(f"{name} is a file: name the folder that holds the model")
    if name.startswith((".", "~")) or not _REPOSITORY.fullmatch(name):
        raise ConfigError(f"{name} does not exist: name a folder with a model, or a repository as OWNER/NAME")
    return None


def is_downloaded(name: str) -> bool:
    """Whether a model needs no download. Uses no network."""
    if Path(name).expanduser().is_dir():
        return True
    try:
        return _cached_snapshot(name) is not None
    except ImportError:
        return False


def find_weights(name: str, say: Say = lambda _: None, *, option: str = "") -> Path:
    """The folder with the model's files; downloads them if needed, reporting size and progress. Blocks.

    ``name`` is a folder or a repository on the Hugging Face hub; HF_TOKEN, HF_HOME, HF_HUB_OFFLINE and
    HF_ENDPOINT apply. ``option`` is what names a folder instead, for messages. Source: huggingface_hub,
    "Download files from the Hub".

    Raises:
        ConfigError: there is no such model, it needs permission, or it is not on this machine and the hub
            cannot be reached; names the cure.
        MissingExtra: the extra ``local`` is not installed.
    """
    folder = local_folder(name)
    if folder is not None:
        return folder
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtra(f"the model {name}", "local") from None
    cached = _cached_snapshot(name)
    if cached is not None:
        return cached
    from huggingface_hub.errors import HfHubHTTPError

    # Besides, the hub's client raises the base error of its HTTP library, which varies.
    roots = [kind for kind in HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError"]
    raised: tuple[type[BaseException], ...] = (OSError, ValueError, RuntimeError, *roots)
    started = False
    try:
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it logs each attempt
        silent = _progress_class(name, 0, say)
        plan: Any = snapshot_download(name, allow_patterns=FILES, dry_run=True, tqdm_class=silent)
        missing = sum(file.file_size for file in plan if file.will_download)
        if not any(file.filename.endswith(".safetensors") for file in plan):
            raise ConfigError(
                f"{name} has no weights as safetensors, the only supported format: choose another model"
            )
        if missing:
            _check_disk_space(name, missing)
            say(f"downloading {name}: {human_bytes(missing)}")
        started = True
        progress = _progress_class(name, missing, say)
        return Path(snapshot_download(name, allow_patterns=FILES, tqdm_class=progress))
    except raised as error:
        raise _download_error(name, error, started=started, option=option) from None


def _check_disk_space(name: str, size: int) -> None:
    """Raises ConfigError for a download that does not fit on the disk; names the folder."""
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    folder = next((path for path in (cache, *cache.parents) if path.is_dir()), Path.cwd())
    free = shutil.disk_usage(folder).free
    if size > free:
        raise ConfigError(
            f"{name} takes {human_bytes(size)}, and {folder} has {human_bytes(free)} left: free some "
            "space, or set HF_HOME to a folder on another disk"
        )


def _cached_snapshot(name: str) -> Path | None:
    """The snapshot of a complete earlier download."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=FILES, local_files_only=True))
    except (OSError, ValueError):
        return None
    index = folder / "model.safetensors.index.json"
    if index.is_file():  # in several files: all must be there
        import orjson

        try:
            files = set(orjson.loads(index.read_bytes())["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return folder if all((folder / file).is_file() for file in files) else None
    return folder if any(folder.glob("*.safetensors")) else None


def _progress_class(name: str, total: int, say: Say) -> type[Any]:
    """A progress bar class for the hub's client that draws nothing and reports every percent to ``say``."""
    import huggingface_hub.utils

    done = reported = 0
    bar: Any = getattr(huggingface_hub.utils, "tqdm")  # noqa: B009 - exported, though not by its types

    class Progress(bar):  # type: ignore[misc]  # as its base is not known to the type checker
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # There are two bars: bytes received and bytes written.
            received = str(kwargs.get("name")).endswith(".transfer")
            self.counts_bytes = kwargs.get("unit") == "B" and not received
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            nonlocal done, reported
            if not self.counts_bytes or not total:
                return
            done += int(n or 0)
            percent = min(100, 100 * done // total)
            if percent > reported:
                reported = percent
                say(f"downloading {name}: {human_bytes(done)} of {human_bytes(total)}, {percent} %")

    return Progress


def _download_error(name: str, error: BaseException, *, started: bool, option: str) -> ConfigError:
    """The hub's error with its cure; ``started``: the download was under way."""
    from huggingface_hub import errors

    causes = list(_causes(error))
    if any(isinstance(cause, errors.GatedRepoError) for cause in causes):
        return ConfigError(f"{name} needs permission: accept its licence on its page, then set HF_TOKEN")
    if any(isinstance(cause, errors.RepositoryNotFoundError) for cause in causes):
        return ConfigError(
            f"there is no model {name} on the hub, or it is private: check the name, or set HF_TOKEN"
        )
    if any(isinstance(cause, errors.HFValidationError) for cause in causes):
        return ConfigError(f"{name} is not a valid repository name: write OWNER/NAME, or name a folder")
    if type(error) in {OSError, PermissionError} and isinstance(error, OSError) and error.errno is not None:
        return ConfigError(
            f"{name} cannot be stored: {os.strerror(error.errno)}; set HF_HOME to another folder"
        )
    status = next(
        (cause.response.status_code for cause in causes if isinstance(cause, errors.HfHubHTTPError)), 0
    )
    if any(isinstance(cause, errors.OfflineModeIsEnabled) for cause in causes):
        what, cure = "is disabled (HF_HUB_OFFLINE is set)", "unset that"
    elif status == 401:
        what, cure = "refuses the token", "set HF_TOKEN to one that is valid, or to nothing"
    elif status:
        what, cure = f"cannot be reached (status {status})", "try again later"
    elif started:
        what, cure = "interrupted the download", "run the same command again for the missing files"
    else:
        what, cure = "cannot be reached", "go online"
    return ConfigError(
        f"{name} is not on this machine and the hub {what}: {cure}, or copy the model here and "
        f"name its folder instead{f' ({option})' if option else ''}"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def human_bytes(size: float) -> str:
    """A readable size in powers of ten: 990 MB, 4.4 GB."""
    if size < 1e6:
        return f"{max(1, round(size / 1e3))} kB"
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
