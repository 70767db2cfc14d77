"""Query parameters: those that a route does not have are refused, rather than ignored."""

from __future__ import annotations

from typing import Final

from starlette.requests import Request

from cutline.service.errors import ServiceError, unknown_parameter

_PROBES: Final = frozenset({"/health", "/ready"})  # no parameter may make a running service look down


async def refuse_unknown_parameters(request: Request) -> None:
    """Raise ServiceError 422 for a query parameter that the route does not declare; for ``Depends``."""
    known = [parameter.alias for parameter in request.scope["route"].dependant.query_params]
    names = request.query_params if request.scope["path"] not in _PROBES else ()
    unknown = next((name for name in names if name not in known), None)
    if unknown is None:
        return
    if not known and request.method == "POST":
        raise ServiceError(422, f"this path has no query parameters: send {unknown[:200]} in the body")
    raise unknown_parameter(unknown, known)
