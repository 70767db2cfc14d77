"""Services that share a queue in a file: whoever is free captions a picture, so all must have one model."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import filelock

from cutline.errors import ConfigError
from cutline.service.queue.schema import store_url

_PATIENCE: Final = 2.0  # seconds in which another, that began in the same moment, says what it has


@contextlib.contextmanager
def shared(store: str, model: str) -> Iterator[None]:
    """Have the queue in that file for this model, as long as the service runs.

    A PostgreSQL is named on purpose, and may have two for the time of a change: it is not looked at.

    Raises:
        ConfigError: a service with another model works on it; or nothing can be written beside it.
    """
    url = store_url(store)
    if url.get_backend_name() != "sqlite":
        yield
        return
    lock, said = filelock.FileLock(f"{url.database}.lock"), Path(f"{url.database}.model")
    try:
        lock.acquire(timeout=0)
        said.write_text(model, "utf-8")
    except filelock.Timeout:
        theirs = _read(said)
        if theirs not in {model, ""}:
            raise ConfigError(
                f"--store {store} is the queue of a service with the model {theirs}, which runs: "
                f"give this one its own, such as --store sqlite:///other-jobs.db"
            ) from None
        yield
        return
    except OSError as error:
        raise ConfigError(f"--store {store}: cannot write beside it: {error.strerror}") from None
    try:
        yield
    finally:
        said.unlink(missing_ok=True)
        lock.release()


def _read(said: Path) -> str:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if text := said.read_text("utf-8"):
                return text
        time.sleep(0.05)
    return ""
