"""``cutline edit`` and ``cutline find``: the captions of a folder, from the command line."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from typing import Annotated, Final

from cyclopts import Parameter
from rich.text import Text

from cutline.cli.dataset_options import (
    DEFAULTS,
    DatasetOptions,
    Input,
    Query,
    Where,
    conversions,
    edit_progress,
    exit_code,
    outcome,
)
from cutline.cli.differences import difference_lines
from cutline.dataset import edits, tag_edits
from cutline.dataset.dataset import Dataset
from cutline.dataset.preview import Preview, RowNumbers
from cutline.dataset.query import QueryError
from cutline.errors import ConfigError
from cutline.formatting import plural, printable
from cutline.terminal import Console, print_line

_SHOWN: Final = 5  # changes


def _not_an_option(_type: object, value: object) -> None:
    """ValueError: the text was forgotten, and the next option follows."""
    given = value if isinstance(value, tuple) else (value,)
    fields = (*dataclasses.fields(EditOptions), *dataclasses.fields(DatasetOptions))
    options = {"--where", "--dry-run", *("--" + field.name.replace("_", "-") for field in fields)}
    if found := next((one for one in given if one in options), None):
        raise ValueError(f"{found} is an option, and not the text")


_TEXT: Final = Parameter(allow_leading_hyphen=True, validator=_not_an_option)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditOptions:
    """The changes; several are applied in this order, as one edit."""

    replace: Annotated[tuple[str, str] | None, _TEXT] = None
    """Replace the first text by the second."""
    word: bool = False
    """With --replace: only whole words."""
    regex: bool = False
    r"""With --replace: the first text is a regular expression, the second may have groups such as \1."""
    ignore_case: bool = False
    """With --replace: ignore case."""
    remove_openers: bool = False
    """Remove phrases such as "The image shows"."""
    trim: bool = False
    """Remove blanks at the ends of lines, and repeated ones."""
    sentence_case: bool = False
    """Begin every sentence with a capital letter."""
    rename_tag: Annotated[tuple[str, str] | None, _TEXT] = None
    """Rename the first tag to the second."""
    remove_tag: Annotated[tuple[str, ...], _TEXT] = ()
    """Remove a tag; several by repetition."""
    add_tag: Annotated[tuple[str, ...], _TEXT] = ()
    """Add a tag at the end, unless it exists; several by repetition."""
    dedupe_tags: bool = False
    """Remove repeated tags."""
    sort_tags: bool = False
    """Sort tags alphabetically."""
    prefix: Annotated[str | None, _TEXT] = None
    """Put a text before every caption."""
    suffix: Annotated[str | None, _TEXT] = None
    """Put a text after every caption."""
    trigger: Annotated[str | None, _TEXT] = None
    """Put a trigger word and a comma before every caption that does not begin with it."""

    def edit(self) -> edits.Edit:
        """Raises ConfigError: there is no change, or options contradict each other."""
        chosen = list(self._edits())
        if self.replace is None and (self.word or self.regex or self.ignore_case):
            raise ConfigError("--word, --regex and --ignore-case need --replace OLD NEW: add it")
        if not chosen:
            raise ConfigError(
                "no change given: add one, such as --replace OLD NEW or --prefix TEXT; see --help"
            )
        return chosen[0] if len(chosen) == 1 else edits.Several(edits=tuple(chosen))

    def _edits(self) -> Iterator[edits.Edit]:
        rename = self.rename_tag
        found: tuple[edits.Edit | None, ...] = (
            self._replacement(*self.replace) if self.replace is not None else None,
            edits.RemoveOpeners() if self.remove_openers else None,
            edits.Trim() if self.trim else None,
            edits.SentenceCase() if self.sentence_case else None,
            tag_edits.RenameTag(tags=(rename[0],), new=rename[1]) if rename is not None else None,
            tag_edits.RemoveTag(tags=self.remove_tag) if self.remove_tag else None,
            *(tag_edits.AddTag(tag=tag) for tag in self.add_tag),
            tag_edits.DedupeTags() if self.dedupe_tags else None,
            tag_edits.SortTags() if self.sort_tags else None,
            edits.Prefix(text=self.prefix) if self.prefix is not None else None,
            edits.Suffix(text=self.suffix) if self.suffix is not None else None,
            edits.Trigger(text=self.trigger) if self.trigger is not None else None,
        )
        yield from filter(None, found)

    def _replacement(self, old: str, new: str) -> edits.Edit:
        return edits.Replace(old=old, new=new, word=self.word, regex=self.regex, ignore_case=self.ignore_case)


def edit(
    folder: Input,
    /,
    *,
    options: Annotated[EditOptions, Parameter(name="*")] = EditOptions(),
    where: Where = "",
    dry_run: Annotated[bool, Parameter(help="Show what would change, and change nothing.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Change many captions at once. `cutline undo FOLDER` undoes it."""
    chosen = options.edit()
    opened = dataset.open(folder)
    found = find_rows(opened, where) if where else None
    preview = opened.preview(chosen, found, where=where)
    if not len(preview.rows) and opened.texts().null_count == len(opened):
        print_line(nothing_found(opened, found))
        return 0
    change = f"{len(preview.rows):,} of {plural(preview.scope, 'caption')}"
    if dry_run:
        console = Console(highlight=False, soft_wrap=True)
        console.print(Text(f"{change} would change: {preview.summary}"))
        if converted := opened.conversions(preview):
            console.print(Text(f"would be UTF-8 then, {conversions(converted.items())}"))
        _show(console, opened, preview)
        _print_other_cases(opened, chosen, preview, found)
        return 0
    with edit_progress(len(preview.rows)) as progress:
        result = opened.apply(preview, progress)
    if result.failed or result.conflicts or result.stopped:
        change = f"{result.written:,} of {plural(len(preview.rows), 'caption')}"
    print_line(
        f"{change} changed: {outcome(result)}" if result.id else f"nothing to change: {preview.summary}"
    )
    dataset.print_unchanged(folder, [result])
    _print_other_cases(opened, chosen, preview, found)
    return exit_code(result)


def find(
    folder: Input,
    query: Annotated[
        Query,
        Parameter(help='Such as `cat -dog`, `"red car"`, `tag:night words>40`, `missing:`; by default all.'),
    ] = "",
    /,
    *,
    count: Annotated[bool, Parameter(help="Print only their number.")] = False,
    save: Annotated[
        str | None, Parameter(help="Save the query under this name, for `saved:NAME` in other queries.")
    ] = None,
    captions: Annotated[
        bool, Parameter(help="Print the captions after the paths, separated by a tab.")
    ] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """List the pictures whose captions match a query."""
    opened = dataset.open(folder)
    rows = find_rows(opened, query)
    if save is not None:
        opened.query_words.save_filter(save, query)
    if not len(rows):
        print_line(nothing_found(opened, rows))
    if count:
        sys.stdout.write(f"{len(rows)}\n")
        return 0
    for row in rows.tolist():
        line = printable(opened.entries[row].key)
        if captions:
            line += "\t" + printable((opened.caption(row) or "").replace("\n", " "))
        sys.stdout.write(line + "\n")
    return 0


def find_rows(dataset: Dataset, query: str) -> RowNumbers:
    """The rows that match; a ConfigError points at the error in the query."""
    try:
        return dataset.find(query)
    except QueryError as error:
        at = query[error.start : error.end]
        where = f"{at!r} at character {error.start + 1}" if at.strip() else "at the end"
        raise ConfigError(f"{error} ({where} of {query!r})") from None


def nothing_found(dataset: Dataset, rows: RowNumbers | None) -> str:
    """Why there is nothing to do; ``rows`` are those that a query finds."""
    if dataset.texts().null_count == len(dataset):
        return (
            f"none of {plural(len(dataset), 'picture')} has a caption yet: "
            "`cutline caption FOLDER --output-format sidecar` writes some"
        )
    if rows is not None and not len(rows):
        return f"none of {plural(len(dataset), 'picture')} matches"
    return "none of these pictures has a caption"


def _print_other_cases(dataset: Dataset, edit: edits.Edit, preview: Preview, rows: RowNumbers | None) -> None:
    """How many more captions have what is replaced in another case, as at the beginning of a sentence."""
    if not isinstance(edit, edits.Replace) or edit.regex or edit.ignore_case:
        return
    every = dataset.preview(dataclasses.replace(edit, ignore_case=True), rows)
    more = len(set(every.rows.tolist()) - set(preview.rows.tolist()))
    if more:
        print_line(f"{plural(more, 'more caption')} with {edit.old!r} in another case: add --ignore-case")


def _show(console: Console, dataset: Dataset, preview: Preview) -> None:
    """The first changes, with the words that differ."""
    first = preview.part(0, _SHOWN)
    changes = zip(first.rows.tolist(), first.before.to_pylist(), first.after.to_pylist(), strict=True)
    for row, before, after in changes:
        console.print(Text(dataset.entries[row].key, style="bold"))
        for line in difference_lines(before, after):
            console.print(line)
    if len(preview.rows) > _SHOWN:
        console.print(Text(f"… and {len(preview.rows) - _SHOWN:,} more"))
