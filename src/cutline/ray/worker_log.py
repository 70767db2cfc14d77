"""The log of a worker, which the driver has in its own."""

from __future__ import annotations

import logging
import platform

from cutline.engine.sample_outcomes import log_outcome
from cutline.ray.messages import Logged
from cutline.ray.outbox import Outbox


class _Sender(logging.Handler):
    """Sends lines to the driver, but for those of outcomes, which it writes itself."""

    def __init__(self, outbox: Outbox) -> None:
        super().__init__()
        self._outbox = outbox
        self.setFormatter(logging.Formatter(f"host={platform.node()} %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.funcName != log_outcome.__name__:
            self._outbox.add(Logged(name=record.name, level=record.levelno, line=self.format(record)))


def send_log(outbox: Outbox, level: int) -> None:
    """Send what this process logs from this level on."""
    logger = logging.getLogger("cutline")
    logger.handlers = [_Sender(outbox)]
    logger.setLevel(level)
    logger.propagate = False


def log(event: Logged) -> None:
    """Write a worker's line in the log of this process."""
    logging.getLogger(event.name).log(event.level, "%s", event.line)
