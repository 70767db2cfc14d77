"""The service's log: to the standard error, one line per event."""

from __future__ import annotations

import logging
from typing import Any, Final

_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"


class WorkerDeaths(logging.Filter):
    """Makes a warning of uvicorn's line about a process that died, and adds what follows.

    ``lease_seconds``: how long its pictures stay leased; jobs may seem to stand still until then.
    """

    def __init__(self, lease_seconds: float) -> None:
        super().__init__()
        self._lease_seconds = lease_seconds

    def filter(self, record: logging.LogRecord) -> bool:
        if record.getMessage().startswith("Child process ") and record.levelno == logging.INFO:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            after = f"other workers take over its pictures after {self._lease_seconds:g} s"
            record.msg, record.args = f"{record.getMessage()}; {after}", ()
        return True


def log_config(level: str, lease_seconds: float) -> dict[str, Any]:
    """The logging configuration of uvicorn and the package, in this process and its workers.

    There is no access log: the metrics count requests, and a URL with its query could hold secrets.
    """
    loggers = {name: {"level": level.upper()} for name in ("cutline", "uvicorn", "uvicorn.error")}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": _FORMAT}},
        "filters": {"deaths": {"()": WorkerDeaths, "lease_seconds": lease_seconds}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["deaths"]}
        },
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": loggers,
    }
