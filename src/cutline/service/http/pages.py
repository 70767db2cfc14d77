"""The page at ``/``, the API's documentation at ``/docs``, and their files."""

from __future__ import annotations

from importlib import resources
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from cutline.service.errors import ServiceError

router = APIRouter(include_in_schema=False)

TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
HEADERS: Final = {
    # Nothing from elsewhere, and no text becomes markup: names and captions come from strangers.
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none at all some browsers hide their Origin from us too
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
# All in memory: a name from a request is looked up, never opened.
_FILES: Final = {
    file.name: file.read_bytes()
    for file in (
        *resources.files("cutline.service").joinpath("page").iterdir(),
        resources.files("cutline.web").joinpath("base.css"),
    )
    if file.name.endswith(tuple(TYPES))
}
PATHS: Final = frozenset({"/", "/docs", *(f"/page/{name}" for name in _FILES)})
"""All paths served here. Nothing of it is secret, and a browser needs it to prompt for the key."""


@router.head("/")
@router.get("/")
async def index() -> Response:
    return _response("index.html")


@router.head("/docs")
@router.get("/docs")
async def docs() -> Response:
    return _response("docs.html")


@router.head("/page/{name}")
@router.get("/page/{name}")
async def file(name: str) -> Response:
    if name not in _FILES:
        raise ServiceError(404, "there is no such file")
    return _response(name)


def _response(name: str) -> Response:
    kind = TYPES[name[name.rindex(".") :]]
    return Response(_FILES[name], headers=HEADERS, media_type=kind)
