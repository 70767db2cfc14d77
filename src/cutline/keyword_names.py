"""Options in messages by the names of keyword arguments, where a call in Python is what raised them."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from cutline.errors import CutlineError
from cutline.job import OPTION_GROUPS
from cutline.registry import BUILT_IN

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Record = TypeVar("_Record", bound="DataclassInstance")
_OTHER_NAMES = {"input_path": "source", "output_path": "output", "step": "steps"}
_ROOMS = {"output_format": "sinks", "source_type": "sources", "check": "checks", "filter": "filters"}
_OPTION = re.compile(
    r"`cutline [^`]*`"  # a command, which stays
    r"|(?<![\w-])--([a-z][a-z0-9-]*)"
    r"(?: ('[^']*'|[a-z][\w.+-]*:[^\s,;)?`]*[^\s,;.)?`:]|(?:[A-Z]+|[\d.]*\d|[a-z0-9_]+)\b))?"
    r"(,?)"
)

_COMMAND = re.compile(r"\b(?:(run )?(the (?:same )?)command\b(?! line)(?(1)(?: again)?))")


@contextlib.contextmanager
def keyword_names(*own: str) -> Iterator[None]:
    """Name options as ``on_change=`` in the errors that are raised within, not as ``--on-change``.

    ``own`` are arguments of the call that are no options of a job.
    """
    try:
        yield
    except CutlineError as error:
        _translate(error, own)
        raise


def named_in(record: _Record, *fields: str) -> _Record:
    """A result whose ``fields``, messages or errors, one or several, name keyword arguments."""
    return dataclasses.replace(record, **{name: _translated(getattr(record, name)) for name in fields})


def _translated(value: Any) -> Any:
    if isinstance(value, CutlineError):
        _translate(value)
    elif isinstance(value, str):
        return with_keywords(value)
    elif isinstance(value, tuple):
        return tuple(map(_translated, value))
    return value


def _translate(error: CutlineError, own: Sequence[str] = ()) -> None:
    error.args = tuple(with_keywords(one, own) if isinstance(one, str) else one for one in error.args)


def with_keywords(message: str, own: Sequence[str] = ()) -> str:
    """A message with keyword arguments in place of options, and calls in place of the same command.

    Options in command lines stay.
    """
    message = _COMMAND.sub(
        lambda found: f"make {found[2]}call again" if found[1] else f"{found[2]}call", message
    )
    if "--" not in message:
        return message
    types = {**_types(), **dict.fromkeys(own, str)}
    return _OPTION.sub(lambda found: _keyword(found, types), message)


def _keyword(found: re.Match[str], types: Mapping[str, Any]) -> str:
    option, value, comma = found.groups()
    if option is None:
        return found[0]
    is_off = option.startswith("no-")
    name = option.removeprefix("no-").replace("-", "_")
    name = _OTHER_NAMES.get(name, name)
    if name not in types or (is_off and types[name] is not bool):
        return found[0]
    rest = f" {value}{comma}" if value else comma
    if types[name] is bool:
        return f"{name}={not is_off}{rest}"
    if value and (
        value == "none" or value in _choices(types[name]) or value in BUILT_IN.get(_ROOMS.get(name, ""), ())
    ):
        return f"{name}={value!r}{comma}"
    if value and (":" in value or not value.islower()):
        return f"{name}={value!r}{comma}" if ":" in value else f"{name}={value}{comma}"
    return f"{name}{rest}" if rest else f"{name}="


def _choices(kind: Any) -> set[Any]:
    """The words that an option takes."""
    if typing.get_origin(kind) is typing.Literal:
        return set(typing.get_args(kind))
    return {one for inner in typing.get_args(kind) for one in _choices(inner)}


@functools.cache
def _types() -> Mapping[str, Any]:
    """The types of all keyword arguments."""
    groups = ((dataclasses.fields(cls), typing.get_type_hints(cls)) for cls in OPTION_GROUPS.values())
    fields = {field.name: hints[field.name] for fields, hints in groups for field in fields}
    return fields | dict.fromkeys(("api_key", *_OTHER_NAMES.values()), str)
