"""How a refusal is written: ``{"detail": …}``, or below ``/v1`` as clients of OpenAI's API read it."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Final

from fastapi import HTTPException
from starlette.exceptions import HTTPException as AnyHTTPException
from starlette.responses import JSONResponse

from cutline.records import JSON

OPENAI: Final = "/v1/"
_PLACE: Final = re.compile(r"\b([\w.-]+:)(?!//)(?:\.{1,2}|~)?/\S*/")
_TYPES: Final = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
}


class Refusal(HTTPException):
    """A refusal that names the field at fault and has a stable word for its reason.

    ``param`` is told below ``/v1`` only, ``code`` elsewhere as the ``kind``.
    """

    def __init__(
        self,
        status_code: int,
        detail: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status_code, detail, headers=headers)
        self.code, self.param = code, param


def shown_model(name: str) -> str:
    """A model's name for clients: of a folder only its own name, as where it lies is not theirs to know."""
    provider, colon, rest = name.partition(":")
    if not colon:
        provider, rest = "", name
    return f"{provider}{colon}{PurePath(rest).name}" if rest.startswith((".", "/", "~")) else name


def without_places(message: str) -> str:
    """A message without the folders of the models that it names."""
    return _PLACE.sub(r"\1", message)


def written(path: str, error: AnyHTTPException) -> JSONResponse:
    """The answer that says ``error`` to a client of ``path``."""
    content = in_openais_words(error) if path.startswith(OPENAI) else _in_own_words(error)
    return JSONResponse(content, error.status_code, headers=dict(error.headers or {}))


def _in_own_words(error: AnyHTTPException) -> JSON:
    code = getattr(error, "code", None)
    return {"detail": error.detail} | ({"kind": code} if code is not None else {})


def in_openais_words(error: AnyHTTPException) -> JSON:
    status = error.status_code
    return {
        "error": {
            "message": error.detail,
            "type": _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error"),
            "param": getattr(error, "param", None),
            "code": getattr(error, "code", None) or ("invalid_api_key" if status == 401 else None),
        }
    }


def model_unusable() -> HTTPException:
    """The model cannot be asked at all now; why is the operator's matter."""
    return HTTPException(503, "the model cannot be asked now", headers={"Retry-After": "30"})
