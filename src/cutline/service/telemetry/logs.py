"""Where the service's log goes: to the standard error, one line an event."""

from __future__ import annotations

import logging
from typing import Any, Final

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"


class Deaths(logging.Filter):
    """Makes a warning of what the server beneath says of a process that died, and tells what follows.

    ``lease_seconds``: how long what it held stays its own, so that a job may seem to stand still.
    """

    def __init__(self, lease_seconds: float) -> None:
        super().__init__()
        self._lease_seconds = lease_seconds

    def filter(self, record: logging.LogRecord) -> bool:
        if record.getMessage().startswith("Child process ") and record.levelno == logging.INFO:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            told = f"{record.getMessage()}; its pictures of jobs are taken up after {self._lease_seconds:g} s"
            record.msg, record.args = told, ()
        return True


def log_config(level: str, lease_seconds: float) -> dict[str, Any]:
    """How uvicorn and the package log, in this process and in those that it starts.

    A line for each job that ends and each picture that fails, and at ``debug`` for each request that is
    refused, by its route. There is none for the other requests: the metrics count them, and an address
    with its query could hold what must not be written down.
    """
    loggers = {name: {"level": level.upper()} for name in ("cutline", "uvicorn", "uvicorn.error")}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": _FORMAT}},
        "filters": {"deaths": {"()": Deaths, "lease_seconds": lease_seconds}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["deaths"]}
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": loggers,
    }
