"""The columns of every output format, and the sink that writes rows of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from cutline.formatting import stored_key, without_signatures
from cutline.interfaces import Sink
from cutline.records import JSON, Caption, Failure, Outcome, Sample, Skip, Step
from cutline.serialization import valid_unicode
from cutline.sinks.options import SinkOptions
from cutline.sinks.row_stores import Store

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

_MAX_TOKENS = 2**63 - 1  # of a column of 64 bits, whatever an endpoint claims to have counted


def columns(options: SinkOptions) -> tuple[str, ...]:
    """``COLUMNS``, and the optional ones."""
    checks = ("checks",) if options.include_checks else ()
    return (*COLUMNS, *checks, *(("llm",) if options.include_raw else ()))


def row(sample: Sample, outcome: Caption, options: SinkOptions) -> JSON:
    """One caption as a row, its keys in the order of ``columns``.

    Tokens and seconds are sums over the steps; model, prompt and finish reason are those of the step
    whose text the caption is. ``captions`` has each step's text by name where there are several steps.
    """
    steps, source, usage = outcome.steps, outcome.source, outcome.usage
    several = len(steps) + len(outcome.missing_steps) > 1
    values: JSON = {
        "image_id": valid_unicode(sample.key),
        "image_path": valid_unicode(sample.path),
        "caption": outcome.text,
        "metadata": dict(sample.metadata),
        "model": source.reply.model if source else None,
        "prompt_id": source.prompt_id if source else None,
        "prompt_tokens": min(usage.prompt_tokens, _MAX_TOKENS),
        "completion_tokens": min(usage.completion_tokens, _MAX_TOKENS),
        "finish_reason": source.reply.finish_reason if source else None,
        "seconds": sum((step.reply.seconds for step in steps), 0.0),
        "captions": {step.name: step.text for step in steps} if several else None,
        "fields": outcome.fields,
        "text": sample.text if outcome.existing is None else outcome.existing,
        "steps": [_step(step) for step in steps],
    }
    if options.include_checks:
        values["checks"] = outcome.checks
    if options.include_raw:
        values["llm"] = source.reply.raw if source else None
    return values


def failure_row(sample: Sample, outcome: Failure) -> JSON:
    """One failure as a row of the failures file: ``reply`` was unusable, ``steps`` succeeded.

    The signatures of a URL are left out: the input has them, and such files are passed on.
    """
    key = stored_key(valid_unicode(sample.key))
    return {
        "image_id": key,
        "key": key,  # its older name
        "image_path": valid_unicode(without_signatures(sample.path)),
        "kind": outcome.kind,
        "message": without_signatures(outcome.message),
        "attempts": outcome.attempts,
        "reply": valid_unicode(outcome.reply.text) if outcome.reply else None,
        "steps": [_step(step) for step in outcome.steps],
    }


def rejection_row(sample: Sample, outcome: Skip) -> JSON:
    """A picture that a rule, filter or check skipped, as one row of their list, with what was measured.

    Signatures are left out as in ``failure_row``; ``steps`` are there where a caption was paid for.
    """
    kept = {"steps": [_step(step) for step in outcome.steps]} if outcome.steps else {}
    return {
        "image_id": stored_key(valid_unicode(sample.key)),
        "image_path": valid_unicode(without_signatures(sample.path)),
        "rule": outcome.rule or outcome.reason,
        "reason": outcome.reason,
        "kept": stored_key(valid_unicode(outcome.kept)) or None,
        **(outcome.value or {}),
        **kept,
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


class RowSink(Sink, ABC):
    """A sink with one record in a store for each caption; formats implement ``record``."""

    def __init__(self, store: Store, options: SinkOptions) -> None:
        self._store = store
        self._options = options

    @abstractmethod
    def record(self, values: JSON) -> bytes:
        """One row as the store keeps it."""

    def check_open(self, mark: JSON | None) -> None:
        self._store.check_open(mark)

    def open(self, mark: JSON | None) -> None:
        self._store.open(mark)

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:  # noqa: ARG002
        if isinstance(outcome, Caption):
            self._store.append(self.record(row(sample, outcome, self._options)))

    def commit(self) -> JSON:
        return self._store.commit()

    def finish(self) -> None:
        self._store.finish()

    def close(self) -> None:
        self._store.close()

    @property
    def outputs(self) -> list[Path | str]:
        return self._store.outputs
