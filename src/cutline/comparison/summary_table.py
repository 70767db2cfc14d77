"""The table at the head of the page: a row of figures for each candidate."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from cutline.comparison.results import CandidateResult, Comparison
from cutline.comparison.statistics import EXPORTED_ONLY, Figures
from cutline.formatting import money, short_number
from cutline.judgment.summary import limits

_NOTHING: Final = "\N{EN DASH}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """``percent`` is the length of the bar below the text; None for none."""

    text: str
    small: str = ""
    bad: bool = False
    percent: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Column:
    """``value`` is None or 0 where there is none; a column without values is left out.

    ``text`` formats the value, ``small`` adds a line below it; ``bar`` draws it against the largest of
    the column, ``bad`` marks every value but 0.
    """

    title: str
    meaning: str
    value: Callable[[Figures], float | None]
    text: Callable[[float], str]
    small: Callable[[Figures], str] = lambda _: ""
    bar: bool = False
    bad: bool = False
    always: bool = False

    def cell(self, figures: Figures, most: float) -> Cell:
        value = self.value(figures)
        if value is None:
            return Cell(text=_NOTHING)
        is_drawn = self.bar and value and self.text(most) != self.text(0)  # by no figure that is shown as 0
        percent = round(100 * value / most) if is_drawn else None
        return Cell(
            text=self.text(value), small=self.small(figures), bad=self.bad and value > 0, percent=percent
        )


def _decimal(value: float) -> str:
    """With three significant digits or so."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


_COLUMNS: Final = (
    _Column("Captions", "Pictures that got one.", lambda f: f.captions, "{:,}".format, always=True),
    _Column(
        "Failed",
        "Pictures that got none, with the reason below.",
        lambda f: f.failures,
        "{:,}".format,
        bad=True,
        always=True,
    ),
    _Column("Words", "In a caption, on average.", lambda f: f.words, "{:.1f}".format, bar=True),
    _Column(
        "Vocabulary",
        "Different words in all captions together: many for few captions mean variety.",
        lambda f: f.vocabulary,
        "{:,}".format,
        bar=True,
    ),
    _Column(
        "Same opening",
        "Captions that begin with the same three words as another one, and the commonest of them.",
        lambda f: f.opening if f.captions else None,
        "{:.0%}".format,
        small=lambda f: f"“{f.opener} …”" if f.opener else "",
    ),
    _Column(
        "Tokens",
        "Of the captions here, as the endpoint counted them: sent and received.",
        lambda f: f.usage.total or None,
        lambda total: short_number(int(total)),
        small=lambda f: "{} in, {} out".format(
            *map(short_number, (f.usage.prompt_tokens, f.usage.completion_tokens))
        ),
        bar=True,
    ),
    _Column(
        "$ per 1,000",
        "Dollars for a thousand pictures, failures and repetitions included, where prices are known.",
        lambda f: f.cost,
        lambda cost: money(1000 * cost),
        bar=True,
    ),
    _Column(
        "Seconds",
        "Of the requests for one picture, on average, without waiting.",
        lambda f: f.seconds or None,
        _decimal,
        bar=True,
    ),
    _Column(
        "Pictures/s",
        "Of the whole run, start and waiting included, with its concurrent requests.",
        lambda f: f.pace or None,
        _decimal,
        bar=True,
    ),
)


_STRENGTH: Final = _Column(
    "Strength",
    "By the judge's games against all others: of two captioners, one with 1 more wins 73 % of them. Small "
    "print: the 95 % interval, as with other pictures of the same kind.",
    lambda f: None if f.strength is None else f.strength.value,
    "{:+.2f}".format,
    small=lambda f: "" if f.strength is None else limits(f.strength),
    always=True,
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SummaryTable:
    """The table with the meanings of its columns; models and prompts only if the names lack them."""

    columns: Sequence[_Column]
    rows: Sequence[tuple[CandidateResult, Sequence[Cell]]]
    models: bool
    prompts: bool


def summary_table(comparison: Comparison) -> SummaryTable:
    """A row of figures for each candidate."""
    candidates = comparison.candidates
    columns: list[_Column] = []
    rows: list[tuple[CandidateResult, list[Cell]]] = [(candidate, []) for candidate in candidates]
    for column in (*_COLUMNS, *_metrics(comparison), *([_STRENGTH] if comparison.judgment else [])):
        values = [column.value(candidate.figures) for candidate in candidates]
        if column.always or any(values):
            columns.append(column)
            most = max(value or 0 for value in values)
            for candidate, cells in rows:
                cells.append(column.cell(candidate.figures, most))
    return SummaryTable(
        columns=columns,
        rows=rows,
        models=any(candidate.model not in candidate.name for candidate in candidates),
        prompts=any(candidate.prompt.partition("@")[0] not in candidate.name for candidate in candidates),
    )


def _qualified(figures: Figures, name: str) -> str:
    """The interval of a score, and what to know of it."""
    return ", ".join(filter(None, (figures.interval(name), figures.marks.get(name, ""))))


def _metrics(comparison: Comparison) -> list[_Column]:
    """A column for each metric that was measured."""
    names = sorted({name for candidate in comparison.candidates for name in candidate.figures.scores})
    return [
        _Column(
            name.capitalize() if name.islower() else name,
            comparison.metrics.get(name, "Mean over the captions here."),
            lambda figures, name=name: figures.scores.get(name),  # type: ignore[misc]
            "{:.3f}".format,
            small=lambda figures, name=name: _qualified(figures, name),  # type: ignore[misc]
            bar=True,
        )
        for name in names
        if name not in EXPORTED_ONLY
    ]
