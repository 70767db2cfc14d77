"""The description of the API tells the meaning of every field that a request takes or a response has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serving import Service


def undescribed(schema: Any, place: str) -> Iterator[str]:
    """The fields below a part of the document that have no description."""
    if isinstance(schema, list):
        for part in schema:
            yield from undescribed(part, place)
    elif isinstance(schema, dict):
        for name, field in (schema.get("properties") or {}).items():
            if not field.get("description"):
                yield f"{place}: {name}"
        for name, part in schema.items():
            yield from undescribed(part, f"{place}/{name}")


def test_every_field_has_a_meaning(tmp_path: Path) -> None:
    with Service("--model", "fake", cwd=tmp_path) as service:
        api = service.client.get("/openapi.json").json()
    schemas = {
        name: one for name, one in api["components"]["schemas"].items() if "ValidationError" not in name
    }
    lacking = [*undescribed(api["paths"], "paths"), *undescribed(schemas, "schemas")]
    assert lacking == []
