"""One picture on the page, and what each contestant says about it."""

from __future__ import annotations

from collections.abc import Sequence

from cutline.comparison.captions import Answer, AnswerStep
from cutline.comparison.markup import Markup, join, tag
from cutline.comparison.results import MISSING, Entrant, Shown
from cutline.formatting import plural, short_number
from cutline.text.differences import differing, words


def picture_card(
    shown: Shown, entrants: Sequence[Entrant], labels: Sequence[str], *, number: int, blind: bool
) -> Markup:
    """The picture beside its captions; words are marked against the first contestant's.

    ``labels`` are the names under which the contestants stand; ``blind`` leaves out what could betray them.
    """
    answers = [entrant.answer(shown.key) for entrant in entrants]
    first = "" if answers[0].problem else answers[0].text
    columns = (
        tag(
            "section",
            tag("h3", tag("bdi", label), class_="name"),
            _said(answer, first, labels[0], is_first=place == 0),
            _figures(entrant, shown.key, answer, blind=blind),
            _steps(answer.steps) if len(answer.steps) > 1 and not blind else None,
            class_=f"answer k{place % 8}",
        )
        for place, (label, entrant, answer) in enumerate(zip(labels, entrants, answers, strict=True))
    )
    heading = tag("h2", tag("a", f"{number}", href=f"#p{number}"), tag("bdi", shown.key))
    gap = " gap" if any(answer.problem for answer in answers) else ""
    return tag(
        "article",
        tag("div", _picture(shown), heading, class_="side"),
        # Four stand two by two, as one alone below three looks lost.
        tag("div", *columns, class_="answers square" if len(entrants) == 4 else "answers"),
        class_=f"picture{gap}",
        id=f"p{number}",
    )


def _picture(shown: Shown) -> Markup:
    image = shown.thumbnail
    if image is None:
        return tag("div", tag("span", f"No picture: {shown.problem}"), class_="none")
    return tag(
        "img",
        src=image.url,
        alt=f"The picture {shown.key}",
        width=image.width,
        height=image.height,
        loading="lazy",
        decoding="async",
    )


def _said(answer: Answer, first: str, first_name: str, *, is_first: bool) -> Markup:
    if answer is MISSING:
        return tag("p", "Not captioned.", class_="absent")
    if answer.problem:
        return tag("p", f"No caption: {answer.problem}", class_="failed")
    if is_first or not first:
        return tag("p", answer.text, class_="words", dir="auto")
    if answer.text == first:
        same = tag("p", join("The same as ", tag("bdi", first_name), "."), class_="figures")
        return join(tag("p", answer.text, class_="words", dir="auto"), same)
    pieces = (tag("mark", piece) if marked else piece for piece, marked in differing(answer.text, first))
    return tag("p", *pieces, class_="words", dir="auto")


def _figures(entrant: Entrant, key: str, answer: Answer, *, blind: bool) -> Markup | None:
    if answer.problem:
        return None
    count = len(words(answer.text))
    parts = [plural(count, "word")]
    if not blind:
        parts += _spent(answer)
        parts += [f"{name} {value:.3f}" for name, value in sorted(entrant.scores.get(key, {}).items())]
    return tag("p", " · ".join(parts), class_="figures")


def _spent(answer: Answer | AnswerStep) -> list[str]:
    parts = []
    if answer.usage.total:
        parts.append(f"{short_number(answer.usage.total)} tokens")
    if answer.seconds >= 0.01:
        parts.append(f"{answer.seconds:.1f} s" if answer.seconds >= 1 else f"{answer.seconds:.2f} s")
    return parts


def _steps(steps: Sequence[AnswerStep]) -> Markup:
    items = (
        tag(
            "li",
            tag("b", step.name),
            tag("p", step.text, dir="auto"),
            tag("p", " · ".join(filter(None, [step.model, *_spent(step)])), class_="figures"),
        )
        for step in steps
    )
    return tag("details", tag("summary", f"{len(steps)} steps"), tag("ol", *items))
