"""The OpenAPI document: what FastAPI cannot see of bodies, of refusals and of the key."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from cutline.records import JSON
from cutline.service.errors import OPENAI

_WITHOUT_KEY: Final = frozenset({"/health"})
_ALWAYS: Final = {
    "400": "the request is malformed",
    "403": "another site, or a name that is not served here",
    "500": "a fault of the service, or of its model",
}
_WITH_BODY: Final = {
    "408": "the body came too slowly",
    "413": "more was sent than is taken",
    "415": "neither JSON nor a form, or no picture",
    "422": "the request, or its picture, cannot be used",
    "503": "too much waits, or the model cannot be asked; come again after Retry-After",
}
_NO_KEY: Final = {"401": "no key was sent, or a wrong one"}
_REFUSED: Final = {
    "type": "object",
    "properties": {
        "detail": {"type": "string"},
        "kind": {"type": "string", "description": "why a picture has no caption"},
    },
    "required": ["detail"],
}
_REFUSED_BELOW_V1: Final = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
            "required": ["message", "type"],
        }
    },
    "required": ["error"],
}


def body(json: type[BaseModel], form: JSON) -> JSON:
    """A body that is a JSON object or a form: for the ``openapi_extra`` of a route that reads both."""
    content = {
        "application/json": {"schema": inlined(json)},
        "multipart/form-data": {"schema": {"type": "object", **form}},
    }
    return {"requestBody": {"required": True, "content": content}}


def inlined(kind: type[BaseModel]) -> JSON:
    """The model's schema without references, which would lead nowhere in the document."""
    schema = kind.model_json_schema()
    known = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, list):
            return [resolve(one) for one in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return resolve(known[part["$ref"].rpartition("/")[2]])
        return {name: resolve(value) for name, value in part.items()}

    found: JSON = resolve(schema)
    return found


def describe(app: FastAPI, *, keyed: bool) -> None:
    """Add to the application's document what the guard, and not a route, answers."""
    plain: Callable[[], dict[str, Any]] = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = plain()
            for path, operations in made["paths"].items():
                for operation in operations.values():
                    _add_refusals(path, operation, keyed=keyed and path not in _WITHOUT_KEY)
            if keyed:
                schemes = made.setdefault("components", {}).setdefault("securitySchemes", {})
                schemes["key"] = {"type": "http", "scheme": "bearer", "description": "or as X-API-Key"}
            app.openapi_schema = made
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _add_refusals(path: str, operation: dict[str, Any], *, keyed: bool) -> None:
    known = _ALWAYS | (_WITH_BODY if "requestBody" in operation else {}) | (_NO_KEY if keyed else {})
    schema = _REFUSED_BELOW_V1 if path.startswith(OPENAI) else _REFUSED
    answers = operation["responses"]
    for status in {*known, *(status for status in answers if status >= "400")}:
        text = known.get(status) or answers[status].get("description", "")
        answers[status] = {"description": text, "content": {"application/json": {"schema": schema}}}
    if keyed:
        operation["security"] = [{"key": []}]
