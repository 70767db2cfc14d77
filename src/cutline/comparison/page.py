"""A comparison as one self-contained HTML file without scripts.

The template escapes every text; the content security policy in the head forbids everything else.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
from collections.abc import Sequence
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from cutline.comparison.exports import as_csv, as_json
from cutline.comparison.results import MISSING, CandidateResult, ComparedPicture, Comparison
from cutline.comparison.statistics import EXPORTED_ONLY
from cutline.comparison.summary_table import summary_table
from cutline.engine.recorded_captions import Answer, AnswerStep
from cutline.formatting import plural, short_number
from cutline.judgment.summary import judgment_lines
from cutline.text.differences import differing, words
from cutline.web.html import render, style


def rendered(comparison: Comparison, output: str, *, blind: bool) -> bytes:
    """The report in the format of the name ``output``; ``blind`` hides the names in a page behind a click."""
    suffix = Path(output).suffix.lower()
    if suffix == ".json":
        return as_json(comparison)
    if suffix == ".csv":
        return as_csv(comparison)
    comparison = blinded(comparison) if blind else comparison
    return as_html(comparison, blind=blind, made=dt.datetime.now().astimezone()).encode()


def as_html(comparison: Comparison, *, blind: bool, made: dt.datetime) -> str:
    """The whole page. ``blind`` calls the candidates A, B … and keeps names and figures behind a click."""
    names = [candidate.name for candidate in comparison.candidates]
    pictures = [_picture(picture, comparison.candidates, blind=blind) for picture in comparison.pictures]
    return render(
        "comparison.html",
        title=f"{len(names)} contestants, {plural(len(pictures), 'picture')}",
        style=style("comparison.css"),
        input=comparison.input,
        total=comparison.total,
        made=made,
        blind=blind,
        labels=[_letter(place) for place in range(len(names))] if blind else names,
        table=summary_table(comparison),
        pictures=pictures,
        gaps=sum(picture["gap"] for picture in pictures),
        judged=judgment_lines(comparison.judgment) if comparison.judgment else [],
    )


def _picture(
    picture: ComparedPicture, candidates: Sequence[CandidateResult], *, blind: bool
) -> dict[str, Any]:
    """One picture with its captions; words are marked against the first candidate's."""
    answers = [candidate.answer(picture.key) for candidate in candidates]
    first = "" if answers[0].problem else answers[0].text
    captions = []
    for place, (candidate, answer) in enumerate(zip(candidates, answers, strict=True)):
        compared = bool(place and first)
        same = compared and answer.text == first
        scores = sorted(candidate.scores.get(picture.key, {}).items())
        shown = (f"{name} {value:.3f}" for name, value in scores if name not in EXPORTED_ONLY)
        figures = [*_usage(answer), *shown]
        captions.append(
            {
                "missing": answer is MISSING,
                "problem": answer.problem,
                "pieces": differing(answer.text, first) if compared and not same else [(answer.text, False)],
                "same": same,
                "figures": [plural(len(words(answer.text)), "word"), *([] if blind else figures)],
                # The steps' models could reveal a blind candidate.
                "steps": []
                if blind or len(answer.steps) < 2
                else [(step, [*filter(None, [step.model]), *_usage(step)]) for step in answer.steps],
            }
        )
    gap = any(answer.problem for answer in answers)
    own = {"key": picture.key, "thumbnail": picture.thumbnail, "problem": picture.problem}
    return {**own, "gap": gap, "captions": captions}


def _usage(answer: Answer | AnswerStep) -> list[str]:
    parts = []
    if answer.usage.total:
        parts.append(f"{short_number(answer.usage.total)} tokens")
    if answer.seconds >= 0.01:
        parts.append(f"{answer.seconds:.1f} s" if answer.seconds >= 1 else f"{answer.seconds:.2f} s")
    return parts


def _letter(place: int) -> str:
    return f"{ascii_uppercase[place % 26]}{place // 26 or ''}"


def blinded(comparison: Comparison) -> Comparison:
    """The same with the candidates in an order that does not reveal them, the same in every run."""
    together = "\n".join(candidate.name for candidate in comparison.candidates)

    def digest(candidate: CandidateResult) -> bytes:
        return hashlib.blake2b(f"{candidate.name}\n{together}".encode()).digest()

    return dataclasses.replace(comparison, candidates=tuple(sorted(comparison.candidates, key=digest)))
