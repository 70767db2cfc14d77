"""A server that ends without a traceback, however often it is interrupted."""

from __future__ import annotations

import os
from types import FrameType
from typing import Final

import uvicorn

_AT_ONCE: Final = 3  # interrupts


class Server(uvicorn.Server):
    """Closes in the usual way after the first interrupt, even if another follows; a third exits at once."""

    interrupts = 0

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self.interrupts += 1
        if self.interrupts == 1:
            super().handle_exit(sig, frame)
        elif self.interrupts >= _AT_ONCE:
            os._exit(128 + sig)
