"""A comparison for machines: JSON with everything, CSV with a line for each contestant and picture."""

from __future__ import annotations

import csv
import io

from cutline.comparison.results import Comparison, Entrant
from cutline.records import JSON
from cutline.serialization import encode_json, valid_unicode

COLUMNS = ("image_id", "contestant", "caption", "problem", "prompt_tokens", "completion_tokens", "seconds")


def as_json(comparison: Comparison) -> bytes:
    data = {
        "input": valid_unicode(comparison.input),
        "pictures_in_input": comparison.total,
        "contestants": [contestant_json(entrant) for entrant in comparison.entrants],
        "pictures": [
            {
                "image_id": shown.key,
                "answers": {entrant.name: _answer(entrant, shown.key) for entrant in comparison.entrants},
            }
            for shown in comparison.pictures
        ],
    }
    return encode_json(data, indent=True) + b"\n"


def as_csv(comparison: Comparison) -> bytes:
    metrics = sorted({name for entrant in comparison.entrants for name in entrant.figures.scores})
    buffer = io.StringIO()
    rows = csv.DictWriter(buffer, [*COLUMNS, *metrics])
    rows.writeheader()
    for shown in comparison.pictures:
        for entrant in comparison.entrants:
            said = _answer(entrant, shown.key)
            said.pop("steps")
            rows.writerow({"image_id": shown.key, "contestant": entrant.name, **said})
    return buffer.getvalue().encode()


def contestant_json(entrant: Entrant) -> JSON:
    """A contestant and its figures."""
    return {
        "name": entrant.name,
        "model": entrant.model,
        "prompt": entrant.prompt or None,
        **entrant.figures.to_json(),
        "stopped": entrant.stopped or None,
    }


def _answer(entrant: Entrant, key: str) -> JSON:
    answer = entrant.answer(key)
    return {
        "caption": None if answer.problem else answer.text,
        "problem": answer.problem or None,
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "seconds": answer.seconds,
        "steps": [{"name": step.name, "model": step.model, "text": step.text} for step in answer.steps],
        **entrant.scores.get(key, {}),
    }
