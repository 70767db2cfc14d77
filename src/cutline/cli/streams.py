"""Standard streams that may be closed, full, or in an encoding without the program's characters.

A run continues when nobody reads what it prints: its captions are in files.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TextIO

from cutline.errors import SinkError

_PLAIN = {
    "→": "->",
    "·": "-",
    "…": "...",
    "“": '"',
    "”": '"',
    "✓": "+",
    "✗": "x",
    "━": "-",
    "╸": "-",
}
_ENCODING = "cutline-readable"


def _encode_readable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    replaced = "".join(
        _PLAIN.get(character) or character.encode("unicode_escape").decode("ascii")
        for character in error.object[error.start : error.end]
    )
    return replaced, error.end


class StandardStream(io.TextIOWrapper):
    """An output stream that discards what cannot be written any more; ``failure`` is the first error."""

    failure: OSError | None = None

    def write(self, text: str, /) -> int:
        with self._discard_on_failure():
            super().write(text)
        return len(text)

    def close(self) -> None:
        """Only flush: it lives as long as the process, whatever a plug-in closes."""
        if not self.closed:
            self.flush()

    def flush(self) -> None:
        with self._discard_on_failure():
            super().flush()

    @contextlib.contextmanager
    def _discard_on_failure(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failure = self.failure or error
            # What is left in the buffer, and all that follows, goes nowhere.
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self.fileno())
            os.close(null)


def prepare() -> None:
    """Replace the process's output streams; opens closed descriptors, so that no file gets their numbers."""
    codecs.register_error(_ENCODING, _encode_readable)
    closed = [number for number in range(3) if not _is_open(number)]
    for _ in closed:
        os.open(os.devnull, os.O_RDWR)  # the lowest free number
    sys.stdout, sys.stderr = _stream(sys.stdout, 1), _stream(sys.stderr, 2)
    if 1 in closed:
        sys.stdout.failure = OSError(errno.EBADF, os.strerror(errno.EBADF))


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def _stream(stream: TextIO | None, number: int) -> StandardStream:
    encoding, lines = "utf-8", number == 2
    if stream is not None:
        encoding, lines = stream.encoding, lines or stream.isatty()
        stream.flush()
    # A descriptor of its own: what a plug-in does to the usual one does not end what is printed.
    file = os.fdopen(os.dup(number), "wb", closefd=False)
    return StandardStream(file, encoding=encoding, errors=_ENCODING, line_buffering=lines)


@contextlib.contextmanager
def optional_output() -> Iterator[None]:
    """What is printed within need not arrive: the captions are in a file."""
    yield
    if isinstance(sys.stdout, StandardStream):
        sys.stdout.flush()
        sys.stdout.failure = None


def exit_code(code: int) -> int:
    """``code``, or 141 if the reader of the standard output has exited.

    Raises:
        SinkError: the standard output could not be written for another reason.
    """
    stream = sys.stdout
    if not isinstance(stream, StandardStream):
        return code
    stream.flush()
    if stream.failure is None or code:
        return code
    if isinstance(stream.failure, BrokenPipeError):
        return 141
    raise SinkError(f"cannot write to the standard output: {stream.failure.strerror}")
