"""Figures, what they should be, and the table that shows them."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured value. ``most`` or ``least`` is its target; with neither it is only shown."""

    case: str
    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool | None:
        if self.most is not None:
            return self.value <= self.most
        if self.least is not None:
            return self.value >= self.least
        return None

    @property
    def target(self) -> str:
        if self.most is not None:
            return f"<= {_number(self.most)}"
        return f">= {_number(self.least)}" if self.least is not None else ""

    @property
    def ratio(self) -> str:
        """The value as a multiple of its target."""
        target = self.most if self.most is not None else self.least
        return f"{self.value / target:.2f}" if target else ""


def show(figures: Iterable[Figure]) -> None:
    table = Table("case", "figure", "value", "unit", "target", "of target", "", box=box.SIMPLE_HEAD)
    for column in (2, 4, 5):
        table.columns[column].justify = "right"
    before = ""
    for figure in figures:
        if before and figure.case != before:
            table.add_section()
        verdict = {True: "[green]ok[/]", False: "[red]missed[/]", None: ""}[figure.met]
        case = figure.case if figure.case != before else ""
        value = _number(figure.value)
        table.add_row(case, figure.name, value, figure.unit, figure.target, figure.ratio, verdict)
        before = figure.case
    Console(width=130).print(table)


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The arguments that all benchmarks have."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    parser.add_argument("--check", action="store_true", help="exit with 1 when a target is missed")
    return parser


def conclude(figures: Sequence[Figure], options: argparse.Namespace, *, failed: bool = False) -> int:
    """Show and keep the figures; returns the exit code."""
    show(figures)
    if options.json:
        rows = [{**dataclasses.asdict(figure), "met": figure.met} for figure in figures]
        options.json.write_text(json.dumps(rows, indent=2) + "\n")
    missed = failed or any(figure.met is False for figure in figures)
    return 1 if options.check and missed else 0


def _number(value: float) -> str:
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}"
