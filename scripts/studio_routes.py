"""The page ``docs/studio-http.md`` from the routes of the studio and their docstrings."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from cutline.studio.app import create_app
from cutline.studio.settings import StudioSettings

_ABOUT = """\
# The studio over HTTP

All that the page of [the studio](studio.md) does are requests to these paths, which programs can send too.
A running studio has the same as OpenAPI at `/openapi.json`. Bodies and responses are JSON unless something
else is named. Where the studio has a key, each request needs it as `X-API-Key`. Rows are numbered while a
dataset is open, by the order of the pictures' paths.

Errors have a `detail`: 403 a place that may not be read, 404 no such row, 409 no folder is open, 422 a
mistake in the request, 507 nothing can be written there. What takes long is a job: 202 with its number,
`GET /studio/jobs` tells how far it is, and `DELETE /studio/jobs/{number}` stops it.
"""
_OF_ERRORS = {"HTTPValidationError", "ValidationError"}


def page() -> str:
    """The page as Markdown."""
    schema = create_app(StudioSettings()).openapi()
    parts, bodies = [_ABOUT], set()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            parts.append(f"## {method.upper()} {path}\n")
            parts.append(_text(operation.get("description", "")) + "\n")
            names = [_name(one["$ref"]) for one in _body(operation) if "$ref" in one]
            bodies.update(names)
            rows = [*_parameters(operation), *(row for name in names for row in _fields(schema, name))]
            parts.append(_table(rows))
    parts.append("## Objects\n")
    for name in sorted(schema["components"]["schemas"].keys() - bodies - _OF_ERRORS):
        text = _text(schema["components"]["schemas"][name].get("description", ""))
        parts += [f"### {name}\n", f"{text}\n", _table(_fields(schema, name))]
    return "\n".join(part for part in parts if part).rstrip("\n") + "\n"


def _table(rows: Iterable[str]) -> str:
    found = "".join(rows)
    return f"| field | type | default |\n| --- | --- | --- |\n{found}" if found else ""


def _parameters(operation: dict[str, Any]) -> Iterator[str]:
    for one in operation.get("parameters", ()):
        yield _row(one["name"], f"{_type(one['schema'])}, in the {one['in']}", one["schema"])


def _body(operation: dict[str, Any]) -> list[dict[str, Any]]:
    """The schemas of a request's body."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    return [] if body is None else body.get("anyOf", [body])


def _fields(schema: dict[str, Any], name: str) -> Iterator[str]:
    model = schema["components"]["schemas"][name]
    for field, values in model.get("properties", {}).items():
        yield _row(field, _type(values), values, needed=field in model.get("required", ()))


def _row(name: str, kind: str, field: dict[str, Any], *, needed: bool = True) -> str:
    default = f"`{json.dumps(field['default'])}`" if "default" in field else "" if needed else "none"
    return f"| `{name}` | {kind} | {default} |\n"


def _type(schema: dict[str, Any]) -> str:
    """A JSON schema in words."""
    if "$ref" in schema:
        return f"`{_name(schema['$ref'])}`"
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(dict.fromkeys(_type(one) for one in schema[key]))
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return {"object": "object", "null": "null"}.get(kind, kind)


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]


def _text(docstring: str) -> str:
    return re.sub(r"``([^`]+)``", r"`\1`", docstring).strip()
