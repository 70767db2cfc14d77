"""The columns of every output format."""

from __future__ import annotations

from cutline.records import JSON, Caption, Failure, Sample, Step
from cutline.serialization import valid_unicode

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
    """``COLUMNS``, and the optional ones."""
    return (*COLUMNS, *(["checks"] if include_checks else []), *(["llm"] if include_raw else []))


def row(sample: Sample, outcome: Caption, *, include_checks: bool = False, include_raw: bool = False) -> JSON:
    """One caption as a row, its keys in the order of ``columns``.

    Tokens and seconds are sums over the steps; model, prompt and finish reason are those of the step
    whose text the caption is. ``captions`` has each step's text by name where there are several steps.
    """
    steps, source = outcome.steps, outcome.source
    usage = outcome.usage
    several = len(steps) + len(outcome.missing_steps) > 1
    values: JSON = {
        "image_id": valid_unicode(sample.key),
        "image_path": valid_unicode(sample.path),
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
        "key": valid_unicode(sample.key),
        "image_path": valid_unicode(sample.path),
        "kind": outcome.kind,
        "message": outcome.message,
        "attempts": outcome.attempts,
        "reply": valid_unicode(outcome.reply.text) if outcome.reply else None,
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
