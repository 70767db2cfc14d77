"""The columns: the one place that says what a caption looks like in a file."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import orjson

from cutline.files import name_to_text
from cutline.records import JSON, Caption, Failure, Sample, Step

COLUMNS = (
    "image_id",
    "image_path",
    "caption",
    "metadata",
    "model",
    "prompt_id",
    "prompt_tokens",
    "completion_tokens",
    "finish_reason",
    "seconds",
    "captions",
    "fields",
    "text",
    "steps",
)
"""The columns of every table, in order."""

NESTED = frozenset({"metadata", "captions", "fields", "steps", "checks", "llm"})
"""The columns whose values are not text or numbers; CSV and Parquet hold them as JSON text."""

_MOST = 2**63 - 1  # what a column of 64 bits holds, whatever an endpoint claims to have counted


def columns(*, include_checks: bool, include_raw: bool) -> tuple[str, ...]:
    """``COLUMNS``, and those that are there only when they were asked for."""
    return (*COLUMNS, *(["checks"] if include_checks else []), *(["llm"] if include_raw else []))


def row(sample: Sample, outcome: Caption, *, include_checks: bool = False, include_raw: bool = False) -> JSON:
    """One caption as a row, its keys in the order of ``columns``.

    Tokens and seconds are sums over the steps; model, prompt and finish reason are those of the step
    whose text the caption is. ``captions`` has each step's text by name where more than one was asked for.
    """
    steps, source = outcome.steps, outcome.source
    usage = outcome.usage
    several = len(steps) + len(outcome.missing_steps) > 1
    values: JSON = {
        "image_id": text(sample.key),
        "image_path": text(sample.path),
        "caption": outcome.text,
        "metadata": dict(sample.metadata),
        "model": source.reply.model if source else None,
        "prompt_id": source.prompt_id if source else None,
        "prompt_tokens": min(usage.prompt_tokens, _MOST),
        "completion_tokens": min(usage.completion_tokens, _MOST),
        "finish_reason": source.reply.finish_reason if source else None,
        "seconds": sum((step.reply.seconds for step in steps), 0.0),
        "captions": {step.name: step.text for step in steps} if several else None,
        "fields": outcome.fields,
        "text": sample.text if outcome.existing is None else outcome.existing,
        "steps": [_step(step) for step in steps],
    }
    if include_checks:
        values["checks"] = outcome.checks
    if include_raw:
        values["llm"] = source.reply.raw if source else None
    return values


def failure_row(sample: Sample, outcome: Failure) -> JSON:
    """One failure as a row of the failures file: ``reply`` was no use, ``steps`` were."""
    return {
        "key": text(sample.key),
        "image_path": text(sample.path),
        "kind": outcome.kind,
        "message": outcome.message,
        "attempts": outcome.attempts,
        "reply": text(outcome.reply.text) if outcome.reply else None,
        "steps": [_step(step) for step in outcome.steps],
    }


def _step(step: Step) -> JSON:
    reply = step.reply
    return {
        "name": step.name,
        "model": reply.model,
        "prompt_id": step.prompt_id,
        "text": step.text,
        "prompt_tokens": reply.usage.prompt_tokens,
        "completion_tokens": reply.usage.completion_tokens,
        "finish_reason": reply.finish_reason,
        "seconds": reply.seconds,
        "attempts": reply.attempts,
    }


def encode(value: Any, *, indent: bool = False) -> bytes:
    """``value`` as JSON in UTF-8, without a line break at the end.

    Integers of any size stay integers; NaN and infinities become null; dates become ISO 8601;
    bytes become base64; bytes of file names that are not UTF-8 become text by ``name_to_text``;
    whatever else JSON does not know becomes its ``str``.
    """
    try:
        return orjson.dumps(value, option=_INDENTED if indent else _PLAIN)
    except TypeError:
        text = json.dumps(
            _plain(value),
            ensure_ascii=False,
            allow_nan=False,
            indent=2 if indent else None,
            separators=(",", ": " if indent else ":"),
        )
        return text.encode()


_PLAIN = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
_INDENTED = _PLAIN | orjson.OPT_INDENT_2


def _plain(value: Any) -> Any:
    """The slow way, for values that orjson refuses."""
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int) else _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return text(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    try:
        return orjson.loads(orjson.dumps(value, option=_PLAIN))
    except TypeError:
        return text(str(value))


def _key(key: Any) -> str:
    plain = _plain(key)
    return plain if isinstance(plain, str) else json.dumps(plain)


_SURROGATES = re.compile("[\ud800-\udfff]")


def text(value: str) -> str:
    """``value`` as valid Unicode: escaped bytes by ``name_to_text``, other surrogates as U+FFFD."""
    if value.isascii():
        return value
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", name_to_text(value))
