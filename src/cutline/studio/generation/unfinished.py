"""What generations leave in their state folders, so that they can be continued."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.engine.output import MARK
from cutline.files import write_atomically, write_errors
from cutline.serialization import read_object

_REQUEST: Final = "request.json"


def read_request(state: Path) -> dict[str, Any] | None:
    """What ``keep_request`` kept: ``choice``, ``policy``, ``write``, ``time`` and ``keys``."""
    return read_object(state / _REQUEST)


def keep_request(state: Path, request: dict[str, Any]) -> None:
    """Write down what is to be done; no key of a service is in it.

    Pictures of an earlier request with this state that are not among the new ones are kept as its ``rest``.
    """
    earlier = read_request(state)
    if earlier is not None:
        keys = set(request["keys"])
        left = [key for key in earlier["keys"] if key not in keys]
        rest = {**earlier, "keys": left} if left else earlier.get("rest")
        request = {**request, "rest": rest}
    with write_errors(state):
        state.mkdir(parents=True, exist_ok=True)
        write_atomically(state / _REQUEST, orjson.dumps(request))


def keep_rest(state: Path, done: int) -> None:
    """Leave what is to be continued after the first ``done`` pictures, and of an earlier request.

    The journal stays for it; without anything left the folder goes.
    """
    request = read_request(state)
    left = None if request is None else _after(request, done)
    if left is None:
        shutil.rmtree(state, ignore_errors=True)
        return
    with write_errors(state):
        (state / MARK).unlink(missing_ok=True)  # it is about the pictures that were listed before
        write_atomically(state / _REQUEST, orjson.dumps(left))


def requests(folder: Path) -> Iterable[tuple[str, dict[str, Any]]]:
    """Those of all state folders in ``folder``, by their names."""
    for state in sorted(folder.glob("*")):
        request = read_request(state)
        if request is not None:
            yield state.name, request


def _after(request: dict[str, Any], done: int) -> dict[str, Any] | None:
    keys = request["keys"][done:]
    return {**request, "keys": keys} if keys else request.get("rest")
