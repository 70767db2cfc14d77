"""A comparison as JSON with everything, or as CSV with a row for each picture and candidate."""

from __future__ import annotations

import csv
import io

from cutline.comparison.results import Comparison
from cutline.judgment.exports import game_json, ranking_json
from cutline.judgment.judgment import Judgment
from cutline.records import JSON
from cutline.serialization import encode_json, valid_unicode

COLUMNS = ("image_id", "contestant", "caption", "problem", "prompt_tokens", "completion_tokens", "seconds")


def as_json(comparison: Comparison) -> bytes:
    data = {
        "input": valid_unicode(comparison.input),
        "pictures_in_input": comparison.total,
        "contestants": [
            {
                "name": candidate.name,
                "model": candidate.model,
                "prompt": candidate.prompt or None,
                **candidate.figures.to_json(),
                "stopped": candidate.stopped or None,
            }
            for candidate in comparison.candidates
        ],
        **({} if comparison.judgment is None else {"judgment": _judgment(comparison.judgment)}),
        "pictures": [
            {
                "image_id": picture.key,
                "answers": {
                    candidate.name: candidate.row(picture.key) for candidate in comparison.candidates
                },
            }
            for picture in comparison.pictures
        ],
    }
    return encode_json(data, indent=True) + b"\n"


def _judgment(judgment: Judgment) -> JSON:
    ranking = judgment.ranking
    return {
        "judge": judgment.judge,
        **({} if ranking is None else ranking_json(ranking)),
        "warnings": list(judgment.warnings),
        "stopped": judgment.stopped or None,
        "games": [game_json(one) for one in judgment.played],
    }


def as_csv(comparison: Comparison) -> bytes:
    metrics = sorted({name for candidate in comparison.candidates for name in candidate.figures.scores})
    buffer = io.StringIO()
    rows = csv.DictWriter(buffer, [*COLUMNS, *metrics], extrasaction="ignore")
    rows.writeheader()
    for picture in comparison.pictures:
        for candidate in comparison.candidates:
            answer = candidate.row(picture.key)
            rows.writerow({"image_id": picture.key, "contestant": candidate.name, **answer})
    return buffer.getvalue().encode()
