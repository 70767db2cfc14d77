"""The OpenAPI document: bodies, errors and the key, which FastAPI cannot see."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fastapi import FastAPI
from pydantic import BaseModel

from cutline.records import JSON
from cutline.service.http.responses import OPENAI_PREFIX

_WITHOUT_KEY: Final = frozenset({"/health"})
_ERRORS: Final = {
    "400": "the request is malformed",
    "403": "another site, or a host name that is not served here",
    "500": "an error of the service, or of its model",
}
_BODY_ERRORS: Final = {
    "408": "the body came too slowly",
    "413": "more was sent than is accepted",
    "415": "neither JSON nor a form, or not a picture",
    "422": "the request, or its picture, cannot be used",
    "503": "too many requests are waiting, or the model is not available; try again after Retry-After",
}
_KEY_ERRORS: Final = {"401": "no key was sent, or a wrong one"}


def _object(required: list[str], **properties: JSON) -> JSON:
    return {"type": "object", "properties": properties, "required": required}


def _text(description: str, *, optional: bool = False) -> JSON:
    return {"type": ["string", "null"] if optional else "string", "description": description}


_ERROR: Final = _object(
    ["detail"],
    detail=_text("What is wrong, and what to do."),
    kind=_text("Why a picture has no caption: the kind of failure."),
)
_OPENAI_ERROR: Final = _object(
    ["error"],
    error={
        **_object(
            ["message", "type"],
            message=_text("What is wrong, and what to do."),
            type=_text("The kind of error."),
            param=_text("The field that is wrong.", optional=True),
            code=_text("A stable word for the error.", optional=True),
        ),
        "description": "As in OpenAI's API.",
    },
)


def body(json: type[BaseModel], form: JSON) -> JSON:
    """A body that is a JSON object or a form, for a route's ``openapi_extra``."""
    content = {
        "application/json": {"schema": inlined(json)},
        "multipart/form-data": {"schema": {"type": "object", **form}},
    }
    return {"requestBody": {"required": True, "content": content}}


def inlined(kind: type[BaseModel]) -> JSON:
    """The model's schema without references, which would not resolve in the document."""
    schema = kind.model_json_schema()
    known = schema.pop("$defs", {})

    def resolve(part: Any) -> Any:
        if isinstance(part, list):
            return [resolve(one) for one in part]
        if not isinstance(part, dict):
            return part
        own = {name: resolve(value) for name, value in part.items() if name != "$ref"}
        return {**resolve(known[part["$ref"].rpartition("/")[2]]), **own} if "$ref" in part else own

    return {**resolve(schema)}


def complete_document(app: FastAPI, *, keyed: bool) -> None:
    """Add the errors to the application's document that the guard, and not a route, returns."""
    default: Callable[[], dict[str, Any]] = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            generated = default()
            for path, operations in generated["paths"].items():
                for operation in operations.values():
                    _add_errors(path, operation, keyed=keyed and path not in _WITHOUT_KEY)
            if keyed:
                schemes = generated.setdefault("components", {}).setdefault("securitySchemes", {})
                schemes["key"] = {"type": "http", "scheme": "bearer", "description": "or as X-API-Key"}
            app.openapi_schema = generated
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _add_errors(path: str, operation: dict[str, Any], *, keyed: bool) -> None:
    known = _ERRORS | (_BODY_ERRORS if "requestBody" in operation else {}) | (_KEY_ERRORS if keyed else {})
    schema = _OPENAI_ERROR if path.startswith(OPENAI_PREFIX) else _ERROR
    responses = operation["responses"]
    for status in {*known, *(status for status in responses if status >= "400")}:
        text = known.get(status) or responses[status].get("description", "")
        responses[status] = {"description": text, "content": {"application/json": {"schema": schema}}}
    if keyed:
        operation["security"] = [{"key": []}]
