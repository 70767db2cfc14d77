"""Outcomes that no model decides, and the log line of any outcome."""

from __future__ import annotations

import logging

from cutline.errors import OutputKept, SampleError
from cutline.formatting import printable
from cutline.records import Caption, Failure, Outcome, Problem, Sample, Skip

UNWRITABLE = "sidecar"
"""The kind of failures about a text file; decided again in each run, as the file may have changed."""

_log = logging.getLogger("cutline.engine.sample_pipeline")


def of_problem(sample: Sample, problem: Problem, content_id: str) -> Skip | Failure:
    """The outcome of a sample for which the source has no picture."""
    if problem.rule:
        return of_rule(sample.key, problem)
    if problem.skip:
        return Skip(key=sample.key, reason=problem.kind)
    return Failure(key=sample.key, kind=problem.kind, message=problem.message, content_id=content_id)


def of_rule(key: str, problem: Problem) -> Skip:
    """The outcome of a picture that a rule about its measures rejects."""
    rule, value, kept = problem.rule, problem.value, problem.kept
    return Skip(key=key, reason=problem.message, rule=rule, value=value, kept=kept)


def unwritten(sample: Sample, error: SampleError, caption: Caption | None = None) -> Skip | Failure:
    """The outcome of a sample whose caption, if it has one, cannot be written."""
    steps = caption.steps if caption else ()
    if isinstance(error, OutputKept):
        return Skip(key=sample.key, reason=error.kind, steps=steps)
    return Failure(
        key=sample.key, kind=error.kind, message=str(error), steps=steps, content_id=sample.content_id
    )


def log_outcome(outcome: Outcome) -> None:
    """Log one line about a sample's outcome."""
    detailed = _log.isEnabledFor(logging.DEBUG)
    if isinstance(outcome, Caption) and not detailed and not outcome.missing_steps:
        return
    key = printable(outcome.key)
    if isinstance(outcome, Caption):
        if detailed:
            tokens, seconds = outcome.usage.total, sum(step.reply.seconds for step in outcome.steps)
            _log.debug("captioned key=%s tokens=%d seconds=%.2f", key, tokens, seconds)
        for name, kind in outcome.missing_steps.items():
            _log.info("incomplete key=%s step=%s kind=%s", key, name, kind)
    elif isinstance(outcome, Skip):
        _log.debug("skipped key=%s reason=%s", key, outcome.reason)
    else:
        values = (key, outcome.kind, outcome.attempts, outcome.message)
        _log.info("failed key=%s kind=%s attempts=%d cause=%s", *values)
