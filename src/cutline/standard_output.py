"""Whose the standard output is: the program's own on the command line, the caller's in Python."""

from __future__ import annotations

import contextvars
from typing import Final

is_ours: Final[contextvars.ContextVar[bool]] = contextvars.ContextVar("is_ours", default=False)
