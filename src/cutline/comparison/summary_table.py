"""The table at the head of the page: a line of figures for each contestant."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from cutline.comparison.results import Comparison, Entrant
from cutline.formatting import money, short_number

_NOTHING: Final = "\N{EN DASH}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """``percent`` is the length of the bar below the text; None for none."""

    text: str
    small: str = ""
    bad: bool = False
    percent: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """``value`` gives a number, None where there is none; a column of nothing is left out.

    ``cell`` words it; ``bar`` draws it against the largest of the column.
    """

    title: str
    meaning: str
    value: Callable[[Entrant], float | None]
    cell: Callable[[Entrant], Cell | str]
    bar: bool = False
    always: bool = False


def _opening(entrant: Entrant) -> Cell:
    figures = entrant.figures
    return Cell(text=f"{figures.opening:.0%}", small=f"“{figures.opener} …”" if figures.opener else "")


def _tokens(entrant: Entrant) -> Cell:
    usage = entrant.figures.usage
    sent, received = short_number(usage.prompt_tokens), short_number(usage.completion_tokens)
    return Cell(text=short_number(usage.total), small=f"{sent} in, {received} out")


def _failed(entrant: Entrant) -> Cell:
    failures = entrant.figures.failures
    return Cell(text=f"{failures:,}", bad=failures > 0)


_COLUMNS: Final = (
    _Column(
        title="Captions",
        meaning="Pictures that got one.",
        value=lambda e: e.figures.captions,
        cell=lambda e: f"{e.figures.captions:,}",
        always=True,
    ),
    _Column(
        title="Failed",
        meaning="Pictures that got none; each says why below.",
        value=lambda e: e.figures.failures,
        cell=_failed,
        always=True,
    ),
    _Column(
        title="Words",
        meaning="In a caption, on average.",
        value=lambda e: e.figures.words,
        cell=lambda e: f"{e.figures.words:.1f}",
        bar=True,
    ),
    _Column(
        title="Vocabulary",
        meaning="Different words in all captions together: many for few captions mean variety.",
        value=lambda e: e.figures.vocabulary,
        cell=lambda e: f"{e.figures.vocabulary:,}",
        bar=True,
    ),
    _Column(
        title="Same opening",
        meaning="Captions that begin with the same three words as another one, and the commonest of them.",
        value=lambda e: e.figures.opening if e.figures.captions else None,
        cell=_opening,
    ),
    _Column(
        title="Tokens",
        meaning="Of the captions here, as the endpoint counted them: sent and received.",
        value=lambda e: e.figures.usage.total or None,
        cell=_tokens,
        bar=True,
    ),
    _Column(
        title="$ per 1,000",
        meaning="Dollars for a thousand pictures, failures and repetitions included, where prices are known.",
        value=lambda e: e.figures.cost,
        cell=lambda e: _NOTHING if e.figures.cost is None else money(1000 * e.figures.cost),
        bar=True,
    ),
    _Column(
        title="Seconds",
        meaning="Of the requests for one picture, on average, without waiting.",
        value=lambda e: e.figures.seconds or None,
        cell=lambda e: _decimal(e.figures.seconds),
        bar=True,
    ),
    _Column(
        title="Pictures/s",
        meaning="Of the whole run, start and waiting included, as many at once as it asked.",
        value=lambda e: e.figures.pace or None,
        cell=lambda e: _decimal(e.figures.pace),
        bar=True,
    ),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A candidate's line of cells."""

    entrant: Entrant
    cells: Sequence[Cell]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FiguresTable:
    """The table, with what its columns mean; models and prompts only where the names do not say them."""

    columns: Sequence[_Column]
    rows: Sequence[Row]
    models: bool
    prompts: bool


def figures_table(comparison: Comparison) -> FiguresTable:
    """A line of figures for each candidate."""
    entrants = comparison.entrants
    columns = [column for column in (*_COLUMNS, *_metrics(comparison)) if _worth_showing(column, entrants)]
    return FiguresTable(
        columns=columns,
        rows=[
            Row(entrant=one, cells=[_cell(column, one, entrants) for column in columns]) for one in entrants
        ],
        models=any(entrant.model not in entrant.name for entrant in entrants),
        prompts=any(entrant.prompt.partition("@")[0] not in entrant.name for entrant in entrants),
    )


def _cell(column: _Column, entrant: Entrant, entrants: Sequence[Entrant]) -> Cell:
    value = column.value(entrant)
    if value is None and not column.always:
        return Cell(text=_NOTHING)
    cell = column.cell(entrant)
    cell = cell if isinstance(cell, Cell) else Cell(text=cell)
    most = max((column.value(other) or 0 for other in entrants), default=0)
    if not (column.bar and most and value):
        return cell
    return dataclasses.replace(cell, percent=round(100 * value / most))


def _worth_showing(column: _Column, entrants: Sequence[Entrant]) -> bool:
    return column.always or any(column.value(entrant) for entrant in entrants)


def _metrics(comparison: Comparison) -> list[_Column]:
    """A column for each metric that was measured."""
    names = sorted({name for entrant in comparison.entrants for name in entrant.figures.scores})
    return [
        _Column(
            title=name.capitalize(),
            meaning=comparison.metrics.get(name, "Mean over the captions here."),
            value=lambda e, name=name: e.figures.scores.get(name),  # type: ignore[misc]
            cell=lambda e, name=name: f"{e.figures.scores[name]:.3f}",  # type: ignore[misc]
            bar=True,
        )
        for name in names
    ]


def _decimal(value: float) -> str:
    """With as many digits as say something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
