"""Parse a chain from ``--step NAME=MODEL`` options, or from the tables of a chain file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path

import orjson

from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.named_files import folder_of
from cutline.records import JSON
from cutline.setting_files import read_toml

_NAME = re.compile(r"[A-Za-z][\w-]{0,39}")
_FILES = (".json", ".toml", ".txt")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One step as written; ``options`` override those of the job. ``place`` is for messages."""

    place: str
    name: str
    model: str
    prompt: str | None = None
    optional: bool = False
    options: JSON = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps in order; ``caption`` names the one whose text is kept, None the last.

    ``origin`` is for messages.
    """

    steps: tuple[PlannedStep, ...]
    caption: str | None = None
    origin: str = "--step"


def plan_of_options(values: Sequence[str]) -> Plan:
    """The plan of several ``NAME=MODEL``, or of steps as JSON objects with the keys of a chain file.

    Raises:
        ConfigError: one is not of that form, or two have the same name.
    """
    steps = []
    for number, value in enumerate(values, 1):
        if value.startswith("{"):
            steps.append(_step(_object(value), "--step", number))
            continue
        name, equals, model = value.partition("=")
        if not equals or not model.strip():
            raise ConfigError(
                f"--step {value!r} is not a step: write NAME=MODEL, such as describe=blip2-flan-t5"
            )
        name = _checked(name, "--step")
        steps.append(PlannedStep(place=f"--step {name}", name=name, model=model.strip()))
    return _without_doubles(Plan(steps=tuple(steps)))


def _object(text: str) -> JSON:
    try:
        table: JSON = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"--step {text[:60]} is not a JSON object: {error}") from None
    return table


def read_plan(path: str) -> Plan:
    """The plan in a chain file; files that its steps name are searched for in its folder first.

    Raises:
        ConfigError: it cannot be read or is invalid; names the step.
    """
    data = read_toml(Path(path), "chain file")
    unknown = sorted(set(data) - {"step", "caption"})
    if unknown:
        hint = did_you_mean(unknown[0], ("step", "caption"))
        raise ConfigError(
            f"{path}: {unknown[0]!r} is not part of a chain{hint or ':'} use [[step]] tables and caption"
        )
    tables, caption = data.get("step", []), data.get("caption")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise ConfigError(f"{path} has no steps: write a [[step]] table with name and model for each")
    if caption is not None and not isinstance(caption, str):
        raise ConfigError(f"{path}: caption must be the name of a step, not {caption!r}")
    steps = tuple(_step(table, path, number) for number, table in enumerate(tables, 1))
    return _without_doubles(Plan(steps=steps, caption=caption, origin=path))


def _step(table: JSON, path: str, number: int) -> PlannedStep:
    options, place = dict(table), f"{path}, step {number}"
    own = {name: options.pop(name) for name in ("name", "model", "prompt", "optional") if name in options}
    for name in ("name", "model"):
        if name not in own:
            raise ConfigError(f"{place}: it has no {name}")
    for name, value in own.items():
        kind = bool if name == "optional" else str
        if not isinstance(value, kind):
            what = "true or false" if kind is bool else "a text"
            raise ConfigError(f"{place}: {name} must be {what}, not {value!r}")
    _checked(own["name"], place)
    schema = options.get("schema")
    if isinstance(schema, dict):
        options["schema"] = orjson.dumps(schema).decode()
    elif isinstance(schema, str):
        options["schema"] = _beside(path, schema)
    if "prompt" in own:
        own["prompt"] = _beside(path, own["prompt"])
    return PlannedStep(**own, place=f"{path}: step {own['name']}", options=options)


def _beside(path: str, text: str) -> str:
    """A file beside the chain file relative to the working folder; any other text unchanged."""
    if "\n" in text or not text.endswith(_FILES):
        return text
    beside = folder_of(Path(path)) / text
    return str(beside) if beside.is_file() else text


def _checked(name: str, place: str) -> str:
    if _NAME.fullmatch(name) is None:
        raise ConfigError(f"{place}: {name!r} is not a name: a letter, then up to 39 letters, digits, _ or -")
    if name == "previous":
        raise ConfigError(f"{place}: no step can be named previous, which means the one before")
    return name


def _without_doubles(plan: Plan) -> Plan:
    names = [step.name for step in plan.steps]
    repeated = next((name for name in names if names.count(name) > 1), None)
    if repeated is not None:
        raise ConfigError(f"{plan.origin}: two steps are named {repeated!r}: give each a name of its own")
    return plan
