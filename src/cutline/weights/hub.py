"""From a model's name to a folder with its files, downloaded when they are not here yet."""

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
"""Takes a line about what is being waited for; called from any thread."""

# Never pickles: a weights file must not be able to run code.
WANTED: Final = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja", "*.tiktoken")
_REPOSITORY: Final = re.compile(r"[\w.-]+/[\w.-]+")


def local_folder(name: str) -> Path | None:
    """The folder that ``name`` means, or None when it is the name of a repository on the hub.

    Raises:
        ConfigError: it can only be a folder, and there is none.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ConfigError(f"{name} holds no model: there is no config.json in it")
        return path
    if path.exists():
        raise ConfigError(f"{name} is a file: name the folder that holds the model")
    if name.startswith((".", "~")) or not _REPOSITORY.fullmatch(name):
        raise ConfigError(f"{name} does not exist: name a folder with a model, or a repository as OWNER/NAME")
    return None


def is_here(name: str) -> bool:
    """Whether a model needs no download; asks nothing outside this machine."""
    if Path(name).expanduser().is_dir():
        return True
    try:
        return _in_cache(name) is not None
    except ImportError:
        return False


def find_weights(name: str, say: Say = lambda _: None) -> Path:
    """The folder with the model's files; downloads them when needed, telling size and progress. Blocks.

    ``name`` is a folder or a repository on the Hugging Face hub; the usual variables (HF_TOKEN, HF_HOME,
    HF_HUB_OFFLINE, HF_ENDPOINT) are obeyed. Source: huggingface_hub, "Download files from the Hub".

    Raises:
        ConfigError: there is no such model, it needs permission, or it is not here and the hub cannot
            be reached; names the cure.
        MissingExtra: the extra ``local`` is not installed.
    """
    folder = local_folder(name)
    if folder is not None:
        return folder
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise MissingExtra(f"the model {name}", "local") from None
    here = _in_cache(name)
    if here is not None:
        return here
    begun = False
    try:
        logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it would tell of each attempt
        silent = _told(name, 0, say)
        plan: Any = snapshot_download(name, allow_patterns=list(WANTED), dry_run=True, tqdm_class=silent)
        missing = sum(file.file_size for file in plan if file.will_download)
        if not any(file.filename.endswith(".safetensors") for file in plan):
            raise ConfigError(
                f"{name} has no weights as safetensors, and no other kind is opened: name another model"
            )
        if missing:
            _check_room(name, missing)
            say(f"downloading {name}: {human_bytes(missing)}")
        begun = True
        return Path(
            snapshot_download(name, allow_patterns=list(WANTED), tqdm_class=_told(name, missing, say))
        )
    except _faults() as error:
        raise _explained(name, error, begun=begun) from None


def _faults() -> tuple[type[BaseException], ...]:
    """What the hub's client raises; its HTTP library, whose errors have a root of their own, changes."""
    from huggingface_hub.errors import HfHubHTTPError

    roots = [kind for kind in HfHubHTTPError.__mro__ if kind.__name__ == "HTTPError"]
    return (OSError, ValueError, RuntimeError, *roots)


def _check_room(name: str, size: int) -> None:
    """Refuse a download that would fill the disk before it ends, perhaps after hours.

    Raises:
        ConfigError: it does not fit; names the folder.
    """
    from huggingface_hub import constants

    cache = Path(constants.HF_HUB_CACHE)
    there = next((place for place in (cache, *cache.parents) if place.is_dir()), Path.cwd())
    free = shutil.disk_usage(there).free
    if size > free:
        raise ConfigError(
            f"{name} takes {human_bytes(size)}, and {there} has {human_bytes(free)} left: make room, or set "
            "HF_HOME to a folder on another disk"
        )


def _in_cache(name: str) -> Path | None:
    """The snapshot that an earlier download completed."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(name, allow_patterns=list(WANTED), local_files_only=True))
    except (OSError, ValueError):
        return None
    index = folder / "model.safetensors.index.json"
    if index.is_file():  # of several files: all must have come
        import orjson

        try:
            files = set(orjson.loads(index.read_bytes())["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return folder if all((folder / file).is_file() for file in files) else None
    return folder if any(folder.glob("*.safetensors")) else None


def _told(name: str, total: int, say: Say) -> type[Any]:
    """A progress bar for the hub's client that draws nothing and tells ``say`` about every percent."""
    import huggingface_hub.utils

    done = told = 0
    bar: Any = getattr(huggingface_hub.utils, "tqdm")  # noqa: B009 - exported, though not by its types

    class Told(bar):  # type: ignore[misc]  # as its base is not known to the type checker
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            # There are two: bytes that came, and bytes that were written.
            came = str(kwargs.get("name")).endswith(".transfer")
            self.counts_bytes = kwargs.get("unit") == "B" and not came
            super().__init__(*args, **{**kwargs, "disable": True})

        def update(self, n: float | None = 1) -> None:
            nonlocal done, told
            if not self.counts_bytes or not total:
                return
            done += int(n or 0)
            percent = min(100, 100 * done // total)
            if percent > told:
                told = percent
                say(f"downloading {name}: {human_bytes(done)} of {human_bytes(total)}, {percent} %")

    return Told


def _explained(name: str, error: BaseException, *, begun: bool) -> ConfigError:
    """What went wrong between here and the hub, with the cure; ``begun``: the download was under way."""
    from huggingface_hub import errors

    whys = list(_causes(error))  # the client wraps them up
    if any(isinstance(why, errors.GatedRepoError) for why in whys):
        return ConfigError(f"{name} must be asked for: accept its licence on its page, then set HF_TOKEN")
    if any(isinstance(why, errors.RepositoryNotFoundError) for why in whys):
        return ConfigError(
            f"there is no model {name} on the hub, or it is private: check the name, or set HF_TOKEN"
        )
    if any(isinstance(why, errors.HFValidationError) for why in whys):
        return ConfigError(f"{name} is no repository's name: write OWNER/NAME, or name a folder")
    if type(error) in {OSError, PermissionError} and isinstance(error, OSError) and error.errno is not None:
        return ConfigError(
            f"{name} cannot be stored: {os.strerror(error.errno)}; set HF_HOME to a folder that can hold it"
        )
    status = next((why.response.status_code for why in whys if isinstance(why, errors.HfHubHTTPError)), 0)
    if any(isinstance(why, errors.OfflineModeIsEnabled) for why in whys):
        what, cure = "may not be asked (HF_HUB_OFFLINE is set)", "unset that"
    elif status == 401:
        what, cure = "refuses the token", "set HF_TOKEN to one that is valid, or to nothing"
    elif status:
        what, cure = f"cannot be reached (it answers {status})", "try again later"
    elif begun:
        what, cure = "broke off the download", "the same command asks for the files that are missing"
    else:
        what, cure = "cannot be reached", "go online"
    return ConfigError(
        f"{name} is not on this machine and the hub {what}: {cure}, or copy the model here and "
        "name its folder instead (--model hf:FOLDER, --similarity-model FOLDER)"
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def human_bytes(size: float) -> str:
    """A size as people say it: 990 MB, 4.4 GB (powers of ten)."""
    if size < 1e6:
        return f"{max(1, round(size / 1e3))} kB"
    return f"{size / 1e6:.0f} MB" if size < 1e9 else f"{size / 1e9:.1f} GB"
