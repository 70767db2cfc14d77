"""The other columns of an input, as a row of a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from cutline.dataset.export.records import ExportItem
from cutline.records import JSON, Caption, Reply, Step, Usage
from cutline.serialization import decode_json, decode_object
from cutline.sources.cells import plain

_OWN: Final = {
    *("prompt_tokens", "completion_tokens", "finish_reason", "seconds", "captions", "fields", "text"),
    *("steps", "checks", "metadata", "metadata_json", "fields_json"),
}
"""Columns of the outputs of runs; all others are metadata."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """``text``: the picture's earlier text."""

    caption: Caption
    text: str | None
    metadata: JSON

    @classmethod
    def of(cls, item: ExportItem) -> TableRow:
        """Split columns into those of outputs and metadata, as in runs."""
        values = item.columns
        is_output = "metadata" in values or "steps" in values
        own = {name: value for name, value in values.items() if is_output and name in _OWN}
        others = {name: plain(value) for name, value in values.items() if name not in own}
        inner = _object(own.get("metadata")) or _object(own.get("metadata_json")) or {}
        inner = {name: plain(value) for name, value in inner.items() if name != "caption"}
        fields = _object(own.get("fields")) or _object(own.get("fields_json"))
        text = own.get("text")
        return cls(
            caption=_caption(item, own, fields),
            text=text if isinstance(text, str) else None,
            metadata={**inner, **others},
        )


def metadata_types(types: Mapping[str, Any]) -> dict[str, Any]:
    """The Arrow types of a row's metadata."""
    own = types.get("metadata")
    inner = {field.name: field.type for field in own.fields} if isinstance(own, pa.StructType) else {}
    is_output = "metadata" in types or "steps" in types
    others = {name: type_ for name, type_ in types.items() if not (is_output and name in _OWN)}
    return {**inner, **others}


def _caption(item: ExportItem, own: Mapping[str, Any], fields: JSON | None) -> Caption:
    caption = Caption(key=item.key, text=item.text, fields=fields, checks=_object(own.get("checks")))
    if not item.model:
        return caption
    steps = tuple(_step(step, step) for step in _objects(own.get("steps")))
    if len(steps) < 2:
        steps = (_step({"model": item.model, "prompt_id": item.prompt_id, "text": item.text}, own),)
    made = next((s.name for s in steps if (s.reply.model, s.prompt_id) == (item.model, item.prompt_id)), "")
    if item.original not in {None, item.text}:  # an edit is one of the step whose text the caption is
        steps = tuple(dataclasses.replace(s, text=item.text) if s.name == made else s for s in steps)
    return dataclasses.replace(caption, steps=steps, step=made)


def _step(values: Mapping[str, Any], figures: Mapping[str, Any]) -> Step:
    text, finish = str(values.get("text") or ""), figures.get("finish_reason")
    reply = Reply(
        text=text,
        model=str(values.get("model") or ""),
        usage=Usage(
            prompt_tokens=int(_number(figures.get("prompt_tokens"))),
            completion_tokens=int(_number(figures.get("completion_tokens"))),
        ),
        finish_reason=finish if isinstance(finish, str) and finish else None,
        seconds=_number(figures.get("seconds")),
        attempts=int(_number(figures.get("attempts"))) or 1,
    )
    name, prompt = str(values.get("name") or ""), str(values.get("prompt_id") or "")
    return Step(name=name, prompt_id=prompt, text=text, reply=reply)


def _objects(value: Any) -> list[JSON]:
    try:
        found = decode_json(value.encode(errors="replace")) if isinstance(value, str) else value
    except ValueError:
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _object(value: Any) -> JSON | None:
    if isinstance(value, str):
        return decode_object(value.encode(errors="replace"))
    return value if isinstance(value, dict) else None


def _number(value: Any) -> float:
    """A count or time; zero for other values."""
    try:
        number = float(value or 0)
    except (TypeError, ValueError):
        return 0.0
    return number if 0 <= number < 2**63 else 0.0
