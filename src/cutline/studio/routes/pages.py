"""The studio's page and its files."""

from __future__ import annotations

from importlib import resources
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

from cutline.service.errors import ServiceError
from cutline.service.http.pages import HEADERS, TYPES

router = APIRouter(include_in_schema=False)

_PAGE: Final = resources.files("cutline.studio").joinpath("page")
_FILES: Final = {
    name: file.read_bytes()
    for name, file in (
        *((file.name, file) for file in _PAGE.iterdir()),
        *((f"vendor/{file.name}", file) for file in _PAGE.joinpath("vendor").iterdir()),
        ("base.css", resources.files("cutline.web").joinpath("base.css")),
    )
    if name.endswith(tuple(TYPES))
}
PATHS: Final = frozenset({"/", *(f"/page/{name}" for name in _FILES)})


@router.get("/")
async def index() -> Response:
    return _response("index.html")


@router.get("/page/{name:path}")
async def file(name: str) -> Response:
    if name not in _FILES:
        raise ServiceError(404, "there is no such file")
    return _response(name)


def _response(name: str) -> Response:
    return Response(_FILES[name], headers=HEADERS, media_type=TYPES[name[name.rindex(".") :]])
