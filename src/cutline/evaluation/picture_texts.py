"""Join captions and references by picture, and list what does not match."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from cutline.engine.picture_ids import match_ids
from cutline.errors import ConfigError
from cutline.evaluation.results import NAMED, EvaluationProblem
from cutline.evaluation.texts import Texts


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """The ids, captions and references of the evaluated pictures, in the order of the captions.

    ``others`` are the captions they are compared with, if any; ``file_names`` are those in the references.
    """

    ids: Sequence[str]
    captions: Sequence[str]
    references: Sequence[Sequence[str]]
    others: Sequence[str] | None
    problems: Sequence[EvaluationProblem]
    notes: Sequence[str]


def pair_texts(captions: Texts, references: Texts | None, against: Texts | None) -> Pairing:
    """Join the texts of each picture.

    Raises:
        ConfigError: the files have no picture in common.
    """
    problems = [*problems_of(captions), *(problems_of(against) if against is not None else ())]
    notes = [one.note for one in (captions, against) if one is not None and one.note]
    ids = [key for key, texts in captions.by_id.items() if texts]
    known: dict[str, list[str]] = {key: [] for key in ids}
    if references is not None:
        problems += problems_of(references)
        known = _references(captions, references, ids, problems, notes)
    others = None if against is None else _others(captions, against, ids, problems, notes)
    kept = [key for key in ids if key in known and (others is None or key in others)]
    if not kept:
        raise ConfigError("no picture has both a caption and a reference: check the files")
    return Pairing(
        ids=kept,
        captions=[captions.by_id[key][0] for key in kept],
        references=[known[key] for key in kept],
        others=None if others is None else [others[key] for key in kept],
        problems=problems,
        notes=notes,
    )


def _others(
    captions: Texts, against: Texts, ids: Sequence[str], problems: list[EvaluationProblem], notes: list[str]
) -> dict[str, str]:
    """The other caption of each picture; adds missing ones to the problems."""
    matched = match_ids(ids, against.by_id, {}, (captions.path, against.path))
    if matched.by != "ids":
        notes.append(f"captions and {against.path} matched by {matched.by}")
    found = {key: texts[0] for key, other in matched.pairs.items() if (texts := against.by_id[other])}
    used = set(matched.pairs.values())
    problems += problem_list(
        f"pictures without a caption in {against.path}", [key for key in ids if key not in found]
    )
    problems += problem_list(
        f"pictures in {against.path} only", [key for key in against.by_id if key not in used]
    )
    return found


def _references(
    captions: Texts,
    references: Texts,
    ids: Sequence[str],
    problems: list[EvaluationProblem],
    notes: list[str],
) -> dict[str, list[str]]:
    """The references of each caption; adds missing ones to the problems."""
    matched = match_ids(ids, references.by_id, references.file_names, (captions.path, references.path))
    if matched.by != "ids":
        notes.append(f"captions and references matched by {matched.by}")
    found: dict[str, list[str]] = {}
    empty: list[str] = []
    for key, other in matched.pairs.items():
        texts = [text for text in references.by_id[other] if text.strip()]
        empty += [key] * (len(references.by_id[other]) - len(texts))
        if texts:
            found[key] = texts
    problems += problem_list("empty references, which are ignored", empty, serious=False)
    problems += problem_list("captions without a reference", [key for key in ids if key not in found])
    problems += without_caption(references, matched.pairs.values())
    return found


def without_caption(references: Texts, used: Collection[str]) -> list[EvaluationProblem]:
    """References other than those ``used``."""
    known = set(used)
    without = [other for other in references.by_id if other not in known]
    return problem_list("references without a caption", without)


def problems_of(texts: Texts) -> list[EvaluationProblem]:
    """The rows of a file that give no picture a text."""
    what = f"rows without an id in {texts.path}"
    return [
        *problem_list(f"rows that cannot be read in {texts.path}", texts.damaged),
        *problem_list(f"pictures without a caption in {texts.path}", texts.lacking),
        *problem_list(f"values that are not text in {texts.path}", texts.not_text),
        *problem_list(f"further captions of the same picture in {texts.path}", texts.repeated),
        *([EvaluationProblem(what=what, count=texts.nameless)] if texts.nameless else []),
    ]


def problem_list(what: str, keys: Sequence[str], *, serious: bool = True) -> list[EvaluationProblem]:
    """The problem of the pictures ``keys``; none where there are none."""
    first = tuple(keys[:NAMED])
    return [EvaluationProblem(what=what, count=len(keys), first=first, serious=serious)] if keys else []
