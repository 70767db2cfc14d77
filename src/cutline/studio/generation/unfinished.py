"""Requests in the state folders of unfinished generations, to continue them."""

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
    """A request saved by ``keep_request``: ``choice``, ``policy``, ``write``, ``time`` and ``keys``."""
    return read_object(state / _REQUEST)


def keep_request(state: Path, request: dict[str, Any]) -> None:
    """Save a request, without keys of services.

    Pictures of an earlier request with this state that are not among the new ones are saved as its ``rest``.
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
    """Keep the pictures after the first ``done`` ones, and those of an earlier request.

    The journal stays for them; the folder is removed if none are left.
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
    """The requests of all state folders in ``folder``, by name."""
    for state in sorted(folder.glob("*")):
        request = read_request(state)
        if request is not None:
            yield state.name, request


def _after(request: dict[str, Any], done: int) -> dict[str, Any] | None:
    keys = request["keys"][done:]
    return {**request, "keys": keys} if keys else request.get("rest")
