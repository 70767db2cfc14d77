"""A job's results as a file, page by page: JSON lines, one array of JSON, or CSV."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Mapping, Sequence
from typing import Final, Literal, TypeAlias

import orjson

from cutline.records import JSON
from cutline.sinks.csv import field_text, line

ResultFormat: TypeAlias = Literal["jsonl", "json", "csv"]

MEDIA_TYPES: Final[Mapping[ResultFormat, str]] = {
    "jsonl": "application/jsonl",
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
}
CSV_COLUMNS: Final = (
    "index",
    "image_path",
    "caption",
    "error",
    "kind",
    "model",
    "prompt_id",
    "prompt_tokens",
    "completion_tokens",
    "seconds",
    "fields",
    "checks",
    "steps",
    "missing_steps",
)
"""All fields of results, so that every page has the same columns; nested ones are JSON text."""


def accepted_format(accept: str) -> ResultFormat:
    """The format for an ``Accept`` header: CSV if it comes before JSON lines, else JSON lines.

    ``application/json`` is not a choice of JSON: many clients send it with every request.
    """
    for part in accept.split(","):
        match part.partition(";")[0].strip().lower():
            case "text/csv":
                return "csv"
            case "application/jsonl":
                break
    return "jsonl"


async def encoded(pages: AsyncIterable[Sequence[JSON]], form: ResultFormat) -> AsyncIterator[bytes]:
    """The file in that format, a part for each page."""
    if form == "csv":
        yield line(CSV_COLUMNS)
        async for page in pages:
            yield b"".join(_csv_row(one) for one in page)
    elif form == "json":
        opening = b"["
        async for page in pages:
            for one in page:
                yield opening + orjson.dumps(one)
                opening = b",\n"
        yield b"]\n" if opening != b"[" else b"[]\n"
    else:
        async for page in pages:
            yield b"".join(orjson.dumps(one) + b"\n" for one in page)


def _csv_row(result: JSON) -> bytes:
    values = [result.get(name) for name in CSV_COLUMNS]
    return line([field_text(value, is_nested=isinstance(value, dict | list)) for value in values])
