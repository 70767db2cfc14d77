"""The service's log: one line per event on the standard error, and outcomes of pictures, also counted."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from cutline.credentials import without_credentials
from cutline.formatting import printable
from cutline.records import Failure, Outcome
from cutline.service.results import failure_error
from cutline.service.telemetry.metrics import Metrics
from cutline.storage import is_url

_log = logging.getLogger("cutline.service")
_MIN_NAME: Final = 3  # characters that a message does not contain by chance
_SOURCE_LINE: Final = re.compile(r" \([^()]*, line \d+\)$")
_ADDRESS: Final = re.compile(r"\w+://\S+")
_OWN: Final = frozenset({"captioner", "filter", "check", "out-of-memory"})  # faults of what the operator runs
_DOWNLOADS: Final = frozenset({"fetch", "blocked-address", "bad-url"})
_HOST: Final = re.compile(r"\w+://([\w.-]+(?::\d+)?|\[[\w.:%]+\](?::\d+)?)(?=[/?#:]|$)")
_BYTES: Final = re.compile(r"""\bb'[^']*'?|\bb"[^"]*"?|[\w+/=-]{80,}""")
_FIELD: Final = re.compile(r"(?:^|(?<= ))([a-z_]+)=")
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"


class WorkerDeaths(logging.Filter):
    """Makes a warning of uvicorn's line about a process that died, and adds what follows.

    ``lease_seconds``: how long its pictures stay leased at most; jobs may seem to stand still until then.
    """

    def __init__(self, lease_seconds: float) -> None:
        super().__init__()
        self._lease_seconds = lease_seconds

    def filter(self, record: logging.LogRecord) -> bool:
        if record.getMessage().startswith("Child process ") and record.levelno == logging.INFO:
            record.levelno, record.levelname = logging.WARNING, "WARNING"
            after = f"other workers take over its pictures within {self._lease_seconds:g} s"
            record.msg, record.args = f"{record.getMessage()}; {after}", ()
        return True


class JsonFormatter(logging.Formatter):
    """A JSON object for each record, on one line; ``key=value`` in its message become fields."""

    def format(self, record: logging.LogRecord) -> str:
        message = record.getMessage()
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": message,
        }
        event, *rest = _FIELD.split(message)
        if rest and record.name.startswith("cutline"):
            names, values = rest[::2], (value.strip() for value in rest[1::2])
            line |= {"event": event.strip(), "fields": dict(zip(names, values, strict=True))}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def log_config(level: str, lease_seconds: float, form: str = "plain") -> dict[str, Any]:
    """The logging configuration of uvicorn and the package, in this process and its workers.

    uvicorn's own access log is off: a URL with its query could hold secrets.
    """
    loggers = {name: {"level": level.upper()} for name in ("cutline", "uvicorn", "uvicorn.error")}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": _FORMAT}, "json": {"()": JsonFormatter}},
        "filters": {"deaths": {"()": WorkerDeaths, "lease_seconds": lease_seconds}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": form, "filters": ["deaths"]}},
        "root": {"level": "WARNING", "handlers": ["stderr"]},
        "loggers": loggers,
    }


class OutcomeLog:
    """Records every picture once, whichever route it came by."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def record(self, outcome: Outcome, place: tuple[str, int] | None = None) -> None:
        """Count it, and log a failure; ``place`` is the picture's job and its index there.

        Names of pictures are logged at ``debug`` only, queries of URLs never. The cause is logged where
        clients get a general message: for a captioner, filter or check that broke, and for a
        download.
        """
        self._metrics.record(outcome)
        if not isinstance(outcome, Failure):
            return
        fields = [f"kind={outcome.kind}"]
        if place is not None:
            fields.append(f"job={place[0]} index={place[1]}")
        if _log.isEnabledFor(logging.DEBUG):
            key = outcome.key
            name = without_credentials(key).partition("?")[0] if is_url(key) else key
            fields.append(f"picture={printable(name)}")
        if outcome.kind in _OWN:
            fields.append(f"cause={_captioner_cause(outcome)}")
        elif outcome.kind in _DOWNLOADS:
            fields.append(_download_cause(outcome))
        level = logging.WARNING if failure_error(outcome).status >= 500 else logging.INFO
        _log.log(level, "picture failed %s", " ".join(fields))


def _captioner_cause(failure: Failure) -> str:
    """The exception, without the picture's name and without what may be its bytes."""
    found = _SOURCE_LINE.search(failure.message)
    source_line = found[0] if found is not None else ""
    message = failure.message.removesuffix(source_line)
    for name in (failure.key, failure.key.rpartition("/")[2]):
        if len(name) >= _MIN_NAME:
            message = message.replace(name, "…")
    message = _BYTES.sub("…", _ADDRESS.sub(lambda found: without_credentials(found[0]), message))
    return printable(message + source_line)


def _download_cause(failure: Failure) -> str:
    """The host, a redirect's if that failed, and the cause; nothing else of the URL."""
    found = _HOST.match(failure.message) or _HOST.match(failure.key)
    host = f"host={printable(found[1])} " if found else ""
    return f"{host}cause={printable(failure.message.rpartition(': ')[2])}"
