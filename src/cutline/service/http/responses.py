"""Responses: JSON, and every exception as the error that clients get."""

from __future__ import annotations

import errno
import logging
import re
import sys
import tempfile
from typing import TYPE_CHECKING, Final, TypeGuard

import orjson
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from cutline.errors import ConfigError, RunStopped
from cutline.formatting import did_you_mean
from cutline.records import JSON
from cutline.service.errors import ServiceError, field_message, with_field_names

if TYPE_CHECKING:
    from sqlalchemy.exc import SQLAlchemyError

_log = logging.getLogger("cutline.service")

OPENAI_PREFIX: Final = "/v1/"
NO_SPACE: Final = "the service has no room for the request now: its temporary disk is full"
_MAX_PATH: Final = 200
_TASK: Final = re.compile(r"[0-9a-f]{32}")
_METHODS: Final = ("GET", "HEAD", "POST", "DELETE")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
_OPENAI_PATHS: Final = frozenset(
    {"assistants", "audio", "batches", "completions", "embeddings", "files", "fine_tuning", "images"}
    | {"moderations", "realtime", "threads", "uploads", "vector_stores"}
)
_OPENAI_TYPES: Final = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
HANDLED: Final = (
    ServiceError,
    HTTPException,
    RequestValidationError,
    ConfigError,
    RunStopped,
)
"""Exceptions for which the application has a handler: ``error_response``."""


def json_response(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")


async def handle_error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == 405:
        allow = _methods_of(request)
        if request.method == "OPTIONS":
            return Response(status_code=204, headers={"Allow": ", ".join([*allow, "OPTIONS"])})
        error = HTTPException(405, headers={"Allow": ", ".join(allow)})
    path = request.scope["path"]
    if isinstance(error, HTTPException) and error.status_code == 404 and _lacks_version(request):
        message = f"the base URL of this API ends in /v1: {str(request.base_url).rstrip('/')}/v1"
        path, error = OPENAI_PREFIX, ServiceError(404, message)
    elif isinstance(error, HTTPException) and error.status_code == 404 and _is_openais(request):
        known = [one for one in request.app.openapi()["paths"] if one.startswith(OPENAI_PREFIX)]
        offered = ", ".join(sorted(one for one in known if "{" not in one))
        message = f"there is no such path; of OpenAI's API there are {offered}"
        path, error = OPENAI_PREFIX, ServiceError(404, message)
    elif isinstance(error, HTTPException) and error.status_code == 404:
        error = HTTPException(404, f"there is no such path{_near(request)}")
    return error_response(path, error)


def _near(request: Request) -> str:
    """The paths that an unknown one may be meant for, or where all are listed; the end of a message."""
    known = request.app.openapi()["paths"]
    path = _TASK.sub("{task_id}", request.scope["path"][:_MAX_PATH])
    return did_you_mean(path, known, cutoff=0.7) or ": /docs lists them"


def _lacks_version(request: Request) -> bool:
    """Whether a path would exist below ``/v1``, as clients of OpenAI's API with a wrong base URL send it."""
    scope = {**request.scope, "path": OPENAI_PREFIX + request.scope["path"].lstrip("/")}
    routes: list[BaseRoute] = request.app.routes
    return any(route.matches(scope)[0] is not Match.NONE for route in routes)


def _is_openais(request: Request) -> bool:
    """Whether a path is one of OpenAI's API, with or without its version, that this service does not have."""
    path: str = request.scope["path"]
    return path.removeprefix(OPENAI_PREFIX).strip("/").partition("/")[0] in _OPENAI_PATHS


def _methods_of(request: Request) -> list[str]:
    """The methods of a path: several routes may share it, and the framework names those of one."""
    routes: list[BaseRoute] = request.app.routes
    scopes = [(method, {**request.scope, "method": method}) for method in _METHODS]
    return [
        method for method, scope in scopes if any(route.matches(scope)[0] is Match.FULL for route in routes)
    ]


def error_response(path: str, error: Exception) -> Response:
    """``{"detail": …}``, or below ``/v1`` the shape that clients of OpenAI's API read."""
    found = service_error(error)
    content = openai_error(found) if path.startswith(OPENAI_PREFIX) else {"detail": found.message}
    if "detail" in content and found.kind is not None:
        content["kind"] = found.kind
    response = json_response(content, found.status)
    response.headers.update(found.headers)
    return response


def error_event(path: str, error: Exception) -> bytes:
    """The error as the last event of a stream, in the shape that ``error_response`` has."""
    found = service_error(error)
    if path.startswith(OPENAI_PREFIX):
        return b"data: " + orjson.dumps(openai_error(found)) + b"\n\n"
    return b"event: error\ndata: " + orjson.dumps({"detail": found.message}) + b"\n\n"


def service_error(error: Exception) -> ServiceError:
    """The one place where exceptions become errors for clients; logs those that are the operator's matter."""
    found = ServiceError(500, "internal error")
    match error:
        case ServiceError():
            found = error
        case HTTPException():
            found = _framework_error(error)
        case RequestValidationError():
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"][1:]))
            found = ServiceError(422, field_message(name, first))
        case ConfigError():
            found = ServiceError(422, with_field_names(str(error)))
        case RunStopped():
            _log.error("model unavailable cause=%s", error)
            found = ServiceError(503, "the model is not available now", headers={"Retry-After": "30"})
        case OSError() if error.errno in _FULL:
            _log.error("temporary disk full folder=%s", tempfile.gettempdir())
            found = ServiceError(507, NO_SPACE, headers={"Retry-After": "30"})
        case _ if _is_of_store(error):
            from cutline.service.queue.schema import describe_error

            _log.error("store unavailable cause=%s", describe_error(error))
            found = ServiceError(503, "the queue is not available now", headers={"Retry-After": "10"})
    return found


def _is_of_store(error: Exception) -> TypeGuard[SQLAlchemyError]:
    """Whether it is SQLAlchemy's, which is imported only where there is a queue."""
    library = sys.modules.get("sqlalchemy.exc")
    return library is not None and isinstance(error, library.SQLAlchemyError)


def openai_error(error: ServiceError) -> JSON:
    default = "server_error" if error.status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": error.message,
            "type": _OPENAI_TYPES.get(error.status, default),
            "param": error.param,
            "code": error.kind or ("invalid_api_key" if error.status == 401 else None),
        }
    }


def _framework_error(error: HTTPException) -> ServiceError:
    """Starlette's own errors: an unknown path, a wrong method, a damaged form."""
    message = error.detail
    if error.status_code == 405:
        message = f"this path accepts {(error.headers or {}).get('Allow', '')} only"
    return ServiceError(error.status_code, message, headers=error.headers)
