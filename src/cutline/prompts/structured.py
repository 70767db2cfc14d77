"""Structured captions: finding the JSON in a reply, checking it, and choosing the caption in it."""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterator
from typing import Any

from cutline.errors import ConfigError, ReplyError
from cutline.records import JSON

_CAPTION_FIELDS = ("caption", "long", "description", "short")
_FENCE = re.compile(r"```[\w-]*[ \t]*\n(.*?)```", re.DOTALL)
_TRIES = 50  # places where an object may start; a reply full of braces is not JSON


def check_schema(schema: Any) -> None:
    """Raises ConfigError for an unusable schema: not of an object, with references to other documents,
    or with ``patternProperties``, whose patterns cannot be stopped.
    """
    if not isinstance(schema, dict):
        raise ConfigError("the schema must be a JSON object")
    try:
        text = json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigError(f"the schema is not JSON: {error}") from error
    _validator(text)


def extract(text: str, schema: JSON) -> tuple[str, JSON]:
    """Caption and fields of the first valid object in ``text``; ReplyError ``schema-miss``, ``empty``."""
    validator = _validator(json.dumps(schema))
    wrong: list[str] = []
    broken: list[str] = []
    for value in _objects(text):
        if isinstance(value, str):
            broken.append(value)
            continue
        problem = _problem(validator, value)
        if problem is None:
            return _caption(value, schema), value
        wrong.append(problem)
    raise ReplyError("schema-miss", (*wrong, *broken, "there is no JSON object in the reply")[0])


def find_object(text: str, schema: JSON) -> JSON | None:
    """The first valid object in ``text``, also one without a text that could be a caption."""
    validator = _validator(json.dumps(schema))
    for value in _objects(text):
        if not isinstance(value, str) and _problem(validator, value) is None:
            return value
    return None


def _objects(text: str) -> Iterator[JSON | str]:
    """The outermost objects in ``text``, those in code fences first; a string says why one is none."""
    fenced = _FENCE.findall(text) if "```" in text else []
    for part in (*fenced, text):
        start = part.find("{")
        for _ in range(_TRIES):
            if start < 0:
                break
            try:
                value, end = _DECODER.raw_decode(part, start)
                yield value
            except json.JSONDecodeError as error:
                yield f"the JSON in the reply is broken: {error.msg} at character {error.pos}"
                # Behind the fault, so that an inner object is never taken for the whole.
                end = max(start + 1, error.pos)
            except (ValueError, RecursionError) as error:
                yield f"the JSON in the reply is refused: {_reason(error)}"
                return
            start = part.find("{", end)


def _reason(error: Exception) -> str:
    return "it is nested too deeply" if isinstance(error, RecursionError) else str(error)


def _problem(validator: Any, value: JSON) -> str | None:
    import jsonschema

    try:
        error = jsonschema.exceptions.best_match(validator.iter_errors(value))
    except RecursionError:
        return "the JSON in the reply is nested too deeply"
    except TimeoutError:
        return "a pattern of the schema was stopped while it ran on the reply"
    if error is None:
        return None
    message = " ".join(str(error.message).split())
    return f"{error.json_path}: {message if len(message) <= 160 else message[:159] + '…'}"


def _caption(value: JSON, schema: JSON) -> str:
    names = dict.fromkeys((*_CAPTION_FIELDS, *schema.get("properties", ()), *value))
    texts = [value[name] for name in names if isinstance(value.get(name), str)]
    for text in texts:
        if text.strip():
            return str(text)
    for name in names:
        items = value.get(name)
        if isinstance(items, list) and items and all(isinstance(item, str) for item in items):
            return ", ".join(items)
    if texts:
        raise ReplyError("empty", "the text fields of the JSON in the reply are empty")
    raise ReplyError("schema-miss", "no field of the JSON in the reply holds text")


@functools.lru_cache(maxsize=256)
def _validator(text: str) -> Any:
    import jsonschema
    import referencing

    schema = json.loads(text)
    if schema.get("type") != "object":
        raise ConfigError('the schema must describe an object: give it "type": "object" and "properties"')
    for key, value in _entries(schema):
        if key in {"$ref", "$dynamicRef", "$recursiveRef"} and not str(value).startswith("#"):
            raise ConfigError(f"the schema refers to {value!r}: only references within it (#/…) are followed")
        if key == "patternProperties":
            raise ConfigError("the schema has patternProperties: name the fields in properties instead")
    cls = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
    try:
        cls.check_schema(schema)
        own = jsonschema.validators.extend(cls, {"pattern": _pattern})
        validator = own(schema, registry=referencing.Registry())
        jsonschema.exceptions.best_match(validator.iter_errors({}))  # follows the references once
    except jsonschema.SchemaError as error:
        raise ConfigError(f"the schema is not valid at {error.json_path}: {error.message}") from error
    except (referencing.exceptions.Unresolvable, RecursionError) as error:
        raise ConfigError(f"a reference in the schema leads nowhere: {error}") from error
    return validator


def _pattern(_: Any, pattern: str, instance: Any, __: JSON) -> Iterator[Any]:
    """The keyword ``pattern`` with a limit on backtracking."""
    import jsonschema

    from cutline.prompts import patterns

    if not isinstance(instance, str):
        return
    if not patterns.compiled(pattern).search(instance, timeout=patterns.TIMEOUT):
        yield jsonschema.ValidationError(f"{instance!r} does not match {pattern!r}")


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a schema with its value; a property that is named like a keyword is not an entry."""
    if isinstance(value, list):
        for item in value:
            yield from _entries(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in {"properties", "$defs", "definitions", "dependentSchemas"} and isinstance(item, dict):
                yield from _entries(list(item.values()))
            elif key not in {"const", "enum", "default", "examples"}:
                yield key, item
                yield from _entries(item)


def _no_doubles(pairs: list[tuple[str, Any]]) -> JSON:
    value: JSON = {}
    for key, item in pairs:
        name, content = _valid(key), _valid(item)
        if name in value and value[name] != content:
            raise ValueError(f"the field {name!r} occurs twice, with different values")
        value[name] = content
    return value


def _valid(item: Any) -> Any:
    r"""``item`` without lone surrogates (``"\ud800"`` is legal JSON, and cannot be written as UTF-8)."""
    if isinstance(item, str):
        return item if item.isascii() else item.encode(errors="replace").decode()
    return [_valid(part) for part in item] if isinstance(item, list) else item


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not a finite number")
    return value


def _integer(text: str) -> int:
    if len(text) > 20 or not -(2**63) <= int(text) < 2**64:  # what fits into tables and fast JSON
        raise ValueError("a number in it has more than 64 bits")
    return int(text)


def _not_json(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


# strict=False: models write line breaks into strings as they are.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_no_doubles,
    parse_float=_number,
    parse_int=_integer,
    parse_constant=_not_json,
    strict=False,
)
