"""Whether a class of a plug-in has the members of its interface."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from cutline.errors import ConfigError


def check_members(label: str, made: Any, interface: type, *required: str) -> None:
    """Check a class, or an object of one, before it is used for the first picture.

    ``label`` names it in messages, such as ``the filter 'square'``.

    Raises:
        ConfigError: a required method is not there, or a member is asynchronous, or is not, where the
            interface says otherwise.
    """
    members = {name: member for one in reversed(interface.__mro__) for name, member in vars(one).items()}
    for name in required:
        own = getattr(made, name, None)
        if not callable(own) or getattr(own, "__func__", own) is members.get(name):
            raise ConfigError(f"{label} needs a method {_heading(name, members[name])}{_others(made)}")
    for name, member in members.items():
        if name.startswith("_"):
            continue
        if isinstance(member, property) and inspect.isfunction(inspect.getattr_static(made, name, None)):
            raise ConfigError(f"{label}: {name} is read as an attribute: write @property above it")
        if inspect.isfunction(member):
            _check_kind(label, name, member, getattr(made, name, None))


def _check_kind(label: str, name: str, member: Any, own: Any) -> None:
    if not inspect.isroutine(own) or _is_async(own) == _is_async(member):
        return
    if _is_async(member):
        raise ConfigError(f"{label}: {name} is called with await: make it `async def {name}`")
    raise ConfigError(f"{label}: {name} is called without await: make it `def {name}`, without async")


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    found = inspect.unwrap(function)
    return inspect.iscoroutinefunction(found) or inspect.isasyncgenfunction(found)


def _heading(name: str, member: Any) -> str:
    kind = "async def" if _is_async(member) else "def"
    return f"`{kind} {name}({', '.join(inspect.signature(member).parameters)})`"


def _others(made: Any) -> str:
    """The methods that it has instead, among which may be the one with another name."""
    kind = made if isinstance(made, type) else type(made)
    own = [name for name, one in vars(kind).items() if inspect.isroutine(one) and not name.startswith("_")]
    return f"; its own methods are {', '.join(own[:10])}" if own else ""
