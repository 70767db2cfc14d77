"""Conversion of a plug-in's result to a Reply."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import orjson

from cutline.errors import SampleError
from cutline.formatting import one_line
from cutline.records import JSON, Reply

MAX_TEXT: Final = 1_000_000
"""Letters of a text that a plug-in returns."""

RESPONSES = ("llm", "llm_response", "full_response", "response", "raw")
"""Names of the full response in a result that has a ``caption``."""


def reply_of(result: object, *, model: str, seconds: float) -> Reply:
    """Convert a text, a Reply, or an object with a ``caption``.

    A text, or a Reply's text, is the full response, to which the prompt's regex or schema is applied. A
    ``caption``, as attribute or key, is already extracted; the full response is then the first of RESPONSES
    that the result has.

    Raises:
        SampleError: ``captioner``, when it is none of these.
    """
    reply = _reply_of(result, model, seconds)
    if len(reply.text) > MAX_TEXT:
        raise SampleError(
            "captioner",
            f"{model} returned a text of {len(reply.text):,} letters: at most {MAX_TEXT:,} are kept",
        )
    return reply


def _reply_of(result: object, model: str, seconds: float) -> Reply:
    result = _alone(result)
    if isinstance(result, str) and len(result) > MAX_TEXT:
        return Reply(text=result, model=model)
    if isinstance(result, Reply):
        return dataclasses.replace(result, seconds=result.seconds or seconds, raw=_plain(result.raw))
    if isinstance(result, str):
        return Reply(text=str(result), model=model, seconds=seconds, raw={"text": str(result)})
    values = _values(result)
    caption = _alone(values.get("caption"))
    if isinstance(caption, str):
        response = next((values[name] for name in RESPONSES if values.get(name) is not None), None)
        raw = _plain(response) if response is not None else {"text": caption}
        return Reply(text=caption, model=model, seconds=seconds, raw=raw, extracted=True)
    if "caption" in values:
        raise SampleError("captioner", f"{model} returned a caption that is {_kind(caption)}, not a text")
    raise SampleError("captioner", f"{model} returned {_kind(result)}, not a text or a Reply{_hint(result)}")


def _alone(value: object) -> object:
    """The text in a list or array of one, as decoders of batches return; else the value itself."""
    listed = value.tolist() if callable(getattr(value, "tolist", None)) else value  # type: ignore[attr-defined]
    if isinstance(listed, list | tuple) and len(listed) == 1:
        listed = listed[0]
    return listed if isinstance(listed, str) else value


def _kind(value: object) -> str:
    return "None" if value is None else f"a value of type {type(value).__name__}"


def _hint(value: object) -> str:
    """What to return instead."""
    if value is None:
        return ": is a `return` missing?"
    if isinstance(value, Mapping):
        names = one_line(", ".join(map(repr, value)) or "nothing", 80)
        return f": it holds {names}; name the caption 'caption'"
    return ": return the caption alone, or {'caption': …, 'response': …}"


def _values(result: object) -> Mapping[str, Any]:
    """The caption and the responses in a mapping or an object."""
    if isinstance(result, Mapping):
        return result
    return {name: getattr(result, name) for name in ("caption", *RESPONSES) if hasattr(result, name)}


def _plain(value: object) -> JSON | None:
    """A response as a JSON object; values that JSON does not support become their ``str``."""
    if value is None:
        return None
    if isinstance(value, str):
        return {"text": value}
    dump = getattr(value, "model_dump", None)  # pydantic's, common in clients of services
    try:
        plain = dump(mode="json") if callable(dump) else value
        found = orjson.loads(orjson.dumps(plain, default=_as_json, option=orjson.OPT_NON_STR_KEYS))
    except Exception:  # noqa: BLE001 - a response that cannot be serialized must not lose the caption
        return {"text": repr(value)[:10_000]}
    return found if isinstance(found, dict) else {"response": found}


def _as_json(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)
