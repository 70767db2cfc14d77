"""``cutline words``: the words and phrases of the captions of a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

from cyclopts import Parameter, validators
from rich.text import Text

from cutline.analysis.cloud import word_cloud
from cutline.analysis.terms import COLUMNS, SURE, Order, Term, TermOptions, term_table_csv
from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, Query, Where
from cutline.cli.edit import find_rows, nothing_found
from cutline.cli.output_file import check_output, check_overwrite
from cutline.cli.tables import new_table, table_console
from cutline.dataset.stop_word_lists import read_stop_words
from cutline.dataset.words import DatasetWords
from cutline.files import write_atomically, write_errors
from cutline.formatting import plural, printable
from cutline.terminal import print_line

_IN_CLOUD: Final = 150
_SHOWN: Final = 30


def words(
    folder: Input,
    /,
    *,
    where: Where = "",
    against: Annotated[
        Query | None, Parameter(help="Compare with the captions that match this query, not with all others.")
    ] = None,
    phrases: Annotated[
        Literal[1, 2, 3] | None, Parameter(help="Count phrases of two or three words instead of words.")
    ] = None,
    sort: Annotated[
        Order | None,
        Parameter(help="By default `score` (more frequent than in the others) if there are others."),
    ] = None,
    least: Annotated[
        int, Parameter(validator=validators.Number(gte=1), help="Omit terms of fewer captions.")
    ] = 1,
    limit: Annotated[
        int | None,
        Parameter(validator=validators.Number(gte=1), help="Maximum number of terms; 30 at a terminal."),
    ] = None,
    stop_words: Annotated[
        tuple[str, ...],
        Parameter(help="Words to omit: languages such as en or de, files of words, or `none`."),
    ] = ("en",),
    output: Annotated[
        Path | None,
        Parameter(
            name=("--output", "-o"),
            help="Write the terms to a .csv file, or as a word cloud to an .svg file.",
        ),
    ] = None,
    overwrite: Annotated[bool, Parameter(help="Replace an existing output.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Count the words of a folder's captions, and compare a part of them with the rest."""
    check_overwrite(output, overwrite=overwrite)
    check_output(
        output, (".csv", ".svg"), "words are written", overwrite=overwrite, inputs=[folder, *stop_words]
    )
    opened = dataset.open(folder)
    dropped = read_stop_words(opened.history, [name for name in stop_words if name != "none"])
    rows = find_rows(opened, where) if where else None
    rest = find_rows(opened, against) if against is not None else None
    compared = rows is not None or rest is not None
    options = TermOptions(
        words=phrases or 1,
        stop_words=dropped,
        least=least,
        order=sort or ("score" if compared else "occurrences"),
    )
    terms = DatasetWords(opened).terms(rows, rest, options)
    if not terms and (opened.texts().null_count == len(opened) or (rows is not None and not len(rows))):
        print_line(nothing_found(opened, rows))
        return 0
    if output is None:
        shown = _ends(terms, limit or _SHOWN) if options.order == "score" else terms[: limit or _SHOWN]
        _show(shown, len(terms), compared=compared)
        return 0
    is_table = output.suffix.lower() == ".csv"
    terms = terms[:limit] if is_table else _largest(terms, limit)
    text = term_table_csv(terms) if is_table else word_cloud(terms)
    with write_errors(output):
        write_atomically(output, text.encode(errors="replace"))
    print_line(f"{plural(len(terms), 'term')} → {output}")
    return 0


def _largest(terms: list[Term], limit: int | None) -> list[Term]:
    """The first ones, the most frequent before the others."""
    return sorted(terms[: limit or _IN_CLOUD], key=lambda term: -term.occurrences)


def _ends(terms: list[Term], limit: int) -> list[Term]:
    """What is more frequent than elsewhere, and for at most a third what is less frequent."""
    low = [term for term in terms[limit - limit // 3 :] if term.score < -SURE]
    low = low[len(low) - min(len(low), limit // 3) :]
    return [*terms[: limit - len(low)], *low]


def _show(terms: list[Term], total: int, *, compared: bool) -> None:
    if not terms:
        print_line("there are no words: the captions are empty, or all are omitted")
        return
    term_column, *numbers = COLUMNS if compared else COLUMNS[:4]
    table = new_table(term_column, numbers=numbers)
    for term in terms:
        cells = (f"{term.occurrences:,}", f"{term.pictures:,}", f"{term.share:.1%}")
        others = (f"{term.rest:.1%}", f"{term.score:+.1f}") if compared else ()
        table.add_row(Text(printable(term.term)), *cells, *others)
    table_console().print(table)
    if total > len(terms):
        print_line(f"… and {total - len(terms):,} more: give --limit, or --output words.csv")
