"""From the arguments of a Python call to what a job is made of."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import orjson

from cutline.errors import ConfigError
from cutline.job import (
    CheckOptions,
    InputOptions,
    LocalOptions,
    ModelOptions,
    OutputOptions,
    PictureOptions,
    PromptOptions,
    RunOptions,
)
from cutline.records import JSON
from cutline.sources.listed import ListedSource

Input: TypeAlias = "str | Path | bytes | Iterable[Any]"

_T = TypeVar("_T")

GROUPS = {
    "input": InputOptions,
    "model": ModelOptions,
    "local": LocalOptions,
    "prompts": PromptOptions,
    "checks": CheckOptions,
    "pictures": PictureOptions,
    "output": OutputOptions,
    "run": RunOptions,
}
"""The groups of a job by their names in it."""


def grouped(options: Mapping[str, Any], *, call: str, known: Iterable[str]) -> JSON:
    """The options by the groups of a job; ``known`` are those that the message about another one lists.

    Raises:
        ConfigError: there is no such option.
    """
    data: JSON = {name: {} for name in GROUPS}
    for name, value in _as_in_a_job(options).items():
        group = next((group for group, cls in GROUPS.items() if name in _fields(cls)), None)
        if group is None:
            raise ConfigError(f"{call} has no option {name!r}; it has {', '.join(known)}")
        data[group][name] = value
    return data


def refuse_parts(data: JSON) -> None:
    """Refuse the options for parts of a dataset where pictures are given as a list."""
    for name in ("split", "event"):
        if data["input"].get(name):
            raise ConfigError(f"a list of pictures has no parts: {name} needs the folder of a dataset")


def _as_in_a_job(options: Mapping[str, Any]) -> JSON:
    """The options under their names in a job."""
    named = dict(options)
    if "steps" in named:
        named["step"] = tuple(f"{name}={model}" for name, model in dict(named.pop("steps")).items())
    if isinstance(named.get("event"), str):
        named["event"] = (named["event"],)
    if isinstance(named.get("schema"), Mapping):
        named["schema"] = orjson.dumps(named["schema"]).decode()
    return named


def prompt_options(prompt: str | Sequence[str] | Mapping[str, str]) -> tuple[str, ...]:
    """The prompts as ``--prompt`` takes them."""
    if isinstance(prompt, str):
        return (prompt,)
    if isinstance(prompt, Mapping):
        return tuple(f"{name}={text}" for name, text in prompt.items())
    return tuple(prompt)


def listed_source(source: Input) -> ListedSource | None:
    """The pictures of a list, or None for a path; one picture alone is a list of it."""
    if isinstance(source, str | Path):
        return None
    if isinstance(source, bytes | bytearray) or hasattr(source, "save"):
        return ListedSource([source])
    if not isinstance(source, Iterable):
        raise ConfigError(f"cannot caption a {type(source).__name__}: give a path, or a list of pictures")
    return ListedSource(list(source))


def _fields(cls: type[Any]) -> set[str]:
    return {field.name for field in dataclasses.fields(cls)}


def in_thread(function: Callable[[], _T]) -> _T:
    """Call it in another thread and wait: for a caller whose own thread runs an event loop."""
    result: list[_T] = []
    error: list[BaseException] = []

    def target() -> None:
        try:
            result.append(function())
        except BaseException as raised:  # noqa: BLE001 - handed to the caller's thread
            error.append(raised)

    thread = threading.Thread(target=target, name="cutline-caption")
    thread.start()
    thread.join()
    if error:
        raise error[0]
    return result[0]
