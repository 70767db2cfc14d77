"""Outcomes and steps as JSON, in the form of journals."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from cutline.records import JSON, Caption, Failure, Outcome, Reply, Skip, Step, Usage
from cutline.serialization import checked

_TYPES = {"caption": Caption, "skip": Skip, "failure": Failure}
_NAMES = {cls: name for name, cls in _TYPES.items()}
_KEYS = {
    cls: tuple((field.name, field.name.replace("content_id", "stamp")) for field in dataclasses.fields(cls))
    for cls in _TYPES.values()
}
"""Fields and their keys in journals."""


def outcome_to_json(outcome: Outcome) -> JSON:
    """The outcome as a mapping that ``orjson`` can write, with ``type`` naming its class.

    Nested records stay records: orjson writes them ten times faster than ``dataclasses.asdict`` copies them.
    """
    data: JSON = {"type": _NAMES[type(outcome)]}
    for name, key in _KEYS[type(outcome)]:
        data[key] = getattr(outcome, name)
    return data


def outcome_from_json(data: Mapping[str, Any]) -> Outcome:
    """The inverse of ``outcome_to_json``.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: ``data`` is not an outcome.
    """
    values = dict(data)
    kind = _TYPES[values.pop("type")]
    if "stamp" in values:
        values["content_id"] = values.pop("stamp")
    if "steps" in values:
        values["steps"] = tuple(step_from_json(step) for step in values["steps"])
    if "useless" in values:
        values["useless"] = {name: usage_from_json(usage) for name, usage in values["useless"].items()}
    if values.get("reply") is not None:
        values["reply"] = _reply_from_json(checked(values["reply"], dict))
    if values.get("value") is not None:
        checked(values["value"], dict)
    for name in _TEXTS & values.keys():
        checked(values[name], str)
    outcome: Outcome = kind(**values)
    return outcome


def outcome_or_none(data: Mapping[str, Any]) -> Outcome | None:
    """As ``outcome_from_json``; None if ``data`` is not an outcome."""
    with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):
        return outcome_from_json(data)
    return None


_TEXTS = frozenset({"key", "text", "kind", "message", "reason", "rule", "kept", "stage", "content_id"})


def usage_from_json(data: Mapping[str, Any]) -> Usage:
    """The inverse of what ``orjson`` makes of a usage; raises as ``outcome_from_json``."""
    for tokens in data.values():
        checked(tokens, int)
    return Usage(**data)


def usages_in(data: JSON) -> Iterator[tuple[str, Usage, bool]]:
    """Of a line of a journal each step's name, its tokens, and whether an earlier line has them too."""
    steps = [data["step"]] if isinstance(data.get("step"), dict) else data.get("steps", ())
    for step in steps:
        yield step["name"], usage_from_json(step["reply"]["usage"]), step.get("counted", False)
    for name, usage in data.get("useless", {}).items():
        yield name, usage_from_json(usage), False


def step_from_json(data: Mapping[str, Any]) -> Step:
    """The inverse of what ``orjson`` makes of a step; raises as ``outcome_from_json``."""
    for name in ("name", "prompt_id", "text"):
        checked(data[name], str)
    return Step(**{**data, "reply": _reply_from_json(data["reply"])})


def steps_from_json(data: Mapping[str, Any]) -> list[Step]:
    """The steps in a line of a journal: of an outcome, or the only one; raises as ``outcome_from_json``.

    The reply of a ``truncated`` failure is a step without a text.
    """
    steps = [step_from_json(step) for step in data.get("steps") or ()]
    if isinstance(data.get("step"), dict):
        steps.append(step_from_json(data["step"]))
    elif data.get("kind") == "truncated" and data.get("digest") and data.get("reply"):
        reply, asked = _reply_from_json(data["reply"]), data["digest"]
        steps.append(Step(name=data["step"], prompt_id="", text="", reply=reply, asked=asked, counted=True))
    return steps


def _reply_from_json(data: Mapping[str, Any]) -> Reply:
    for name in ("text", "model"):
        checked(data[name], str)
    float(data.get("seconds", 0.0))
    return Reply(**{**data, "usage": usage_from_json(data["usage"])})
