"""A plug-in's file within bounds: it cannot end the program, close its files, or write into its output.

It is the user's own code, which runs in this process: this is against mistakes, not against attacks.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

from cutline import standard_output
from cutline.errors import ConfigError

IMPORT_SECONDS: Final = 120.0
VARIABLE: Final = "CUTLINE_PLUGIN_SECONDS"
_STREAMS: Final = (0, 1, 2)
_CLONE_FS: Final = 0x200  # of Linux: what threads share of the file system, such as the working folder
_fchdir: Final = getattr(os, "fchdir", lambda _: None)  # before it notes that the program goes somewhere
_files: set[str] = set()
_descriptors: frozenset[int] = frozenset()
_process = _folder = 0
"""This process, and a descriptor of the working folder that it chose last, not a plug-in."""


class PluginExit(SystemExit):
    """The plug-in's code would have ended the program."""


@contextlib.contextmanager
def guarded_import(file: str, module: dict[str, Any]) -> Iterator[None]:
    """Import ``file`` with the globals ``module``; raises ConfigError when that takes too long.

    From then on its calls of ``os._exit`` and the like raise PluginExit, and on the command line what it
    prints goes to the standard error.
    """
    global _descriptors, _process
    if not _files:
        _descriptors, _process = _open_descriptors(), os.getpid()
        _keep_folder()
        _guard_os()
    bind(file, module)
    with contextlib.ExitStack() as stack:
        if standard_output.is_ours.get():
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        stack.callback(restore)
        stack.enter_context(_time_limit())
        yield


def bind(file: str, module: dict[str, Any]) -> None:
    """Keep a file of a plug-in, with the globals ``module``, within bounds."""
    _files.add(file)
    if standard_output.is_ours.get():
        module["print"] = _print


def restore() -> None:
    """After a call of a plug-in, restore the working folder and the standard streams that it closed.

    Otherwise the next file that is opened would get a stream's number, and what is printed.
    """
    if not _files:
        return
    with contextlib.suppress(OSError):
        if not os.path.samestat(os.stat("."), os.fstat(_folder)):  # noqa: PTH116 - a descriptor
            _fchdir(_folder)
    for number in _STREAMS:
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)


def _print(*values: object, file: Any = None, **options: Any) -> None:
    print(*values, file=sys.stderr if file is None or file is sys.stdout else file, **options)


@contextlib.contextmanager
def _time_limit() -> Iterator[None]:
    """Only the main thread can be interrupted."""
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        yield
        return
    try:
        seconds = float(os.environ.get(VARIABLE) or IMPORT_SECONDS)
    except ValueError:
        raise ConfigError(f"{VARIABLE} must be a number of seconds") from None

    def interrupt(_: int, __: FrameType | None) -> None:
        raise ConfigError(
            f"its import did not end within {seconds:g} s: load weights in __init__, or set {VARIABLE}"
        )

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def _open_descriptors() -> frozenset[int]:
    try:
        return frozenset(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208 - numbers, not paths
    except (OSError, ValueError):
        return frozenset({0, 1, 2})


def _guard_os() -> None:
    """Replace what ends the program or closes its files, for calls that plug-ins' files make."""
    for name in ("_exit", "abort"):
        _guard(name, lambda *_: True)
    _guard("close", lambda descriptor, *_: descriptor in _descriptors)
    _guard("dup2", lambda _, descriptor, *__: descriptor in _descriptors)
    _guard("closerange", lambda *_: True)
    for name in ("chdir", "fchdir"):
        _follow(name)


def _keep_folder() -> None:
    """Note that the working folder is the one to come back to."""
    global _folder
    before, _folder = _folder, os.open(".", os.O_RDONLY)
    if before:
        os.close(before)


def _is_of_plugin() -> bool:
    """Whether a plug-in's file is among the callers, directly or through a library; not in a child of it."""
    frame: FrameType | None = sys._getframe(2)  # noqa: SLF001 - the caller
    while frame is not None:
        if frame.f_code.co_filename in _files:
            return os.getpid() == _process
        frame = frame.f_back
    return False


def _guard(name: str, is_refused: Callable[..., bool]) -> None:
    original = getattr(os, name)

    @functools.wraps(original)
    def guarded(*arguments: Any, **options: Any) -> Any:
        if is_refused(*arguments) and _is_of_plugin():
            raise PluginExit(f"os.{name}() of a plug-in would end the program or close its files")
        return original(*arguments, **options)

    setattr(os, name, guarded)


def _follow(name: str) -> None:
    """Note where the program goes, which ``restore`` leaves alone; a plug-in's file goes there alone."""
    original = getattr(os, name)

    @functools.wraps(original)
    def followed(*arguments: Any, **options: Any) -> None:
        is_of_plugin = _is_of_plugin()
        if is_of_plugin:
            _own_folder()
        original(*arguments, **options)
        if not is_of_plugin:
            _keep_folder()

    setattr(os, name, followed)


def _own_folder() -> None:
    """Give this thread a working folder of its own, where the system can: others open pictures meanwhile."""
    import ctypes

    if threading.current_thread() is not threading.main_thread():
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).unshare(_CLONE_FS)
