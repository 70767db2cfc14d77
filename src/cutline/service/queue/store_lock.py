"""A lock beside a queue's file: any service may caption any picture, so all that share it need one model."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import filelock

from cutline.errors import ConfigError
from cutline.service.queue.schema import store_url

_TIMEOUT: Final = 2.0  # seconds for another service, started in the same moment, to write its model


@contextlib.contextmanager
def shared(store: str, model: str) -> Iterator[None]:
    """Reserve the queue in that file for this model, as long as the service runs.

    A PostgreSQL is named on purpose, and may have two models during a change: it is not checked.

    Raises:
        ConfigError: a service with another model uses it; or nothing can be written beside it.
    """
    url = store_url(store)
    if url.get_backend_name() != "sqlite":
        yield
        return
    lock, model_file = filelock.FileLock(f"{url.database}.lock"), Path(f"{url.database}.model")
    try:
        lock.acquire(timeout=0)
        model_file.write_text(model, "utf-8")
    except filelock.Timeout:
        other = _read(model_file)
        if other not in {model, ""}:
            raise ConfigError(
                f"--store {store} is in use by a service with the model {other}: "
                "give this one its own, such as --store sqlite:///other-jobs.db"
            ) from None
        yield
        return
    except OSError as error:
        raise ConfigError(f"--store {store}: cannot write beside it: {error.strerror}") from None
    try:
        yield
    finally:
        model_file.unlink(missing_ok=True)
        lock.release()


def _read(file: Path) -> str:
    end = time.monotonic() + _TIMEOUT
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            if text := file.read_text("utf-8"):
                return text
        time.sleep(0.05)
    return ""
