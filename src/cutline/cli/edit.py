"""``cutline edit``, ``find``, ``history``, ``undo`` and ``redo``: captions edited from the command line."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Final

from cyclopts import Parameter
from rich.text import Text

from cutline.dataset import edits
from cutline.dataset.dataset import Dataset
from cutline.dataset.preview import Preview, RowNumbers
from cutline.dataset.query import QueryError
from cutline.dataset.records import EditResult
from cutline.dataset.writer import Progress, StopEdit
from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.formatting import plural, printable
from cutline.terminal import Console, print_error, print_line
from cutline.text.differences import differing

_SHOWN: Final = 5  # changes, and names of files
_INTERVAL: Final = 0.1  # seconds between two lines of progress

Folder = Annotated[str, Parameter(help="The folder of the pictures, whose captions lie beside them.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOptions:
    """How the captions of the folder are kept."""

    sidecar_ext: str = ".txt"
    """Ending of the captions' files, such as .caption."""
    one_a_line: bool = False
    """Each line of a file is a caption of its own, and edited by itself."""
    text_encoding: str | None = None
    """Encoding of texts that are not UTF-8, where it is not found by itself."""

    def open(self, folder: str) -> Dataset:
        """Raises ConfigError: it is no folder of pictures."""
        from cutline.sidecars import sidecar_ending

        dataset = Dataset(
            folder,
            ending=sidecar_ending(self.sidecar_ext),
            one_a_line=self.one_a_line,
            text_encoding=self.text_encoding,
        )
        for result in dataset.recovered:
            print_line(f"finished an interrupted edit: {_outcome(result)}")
        if not len(dataset):
            raise ConfigError(f"there are no pictures in {name_to_text(folder)}")
        return dataset


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EditOptions:
    """What is changed; several are carried out in this order, as one edit."""

    replace: tuple[str, str] | None = None
    """Replace the first text by the second."""
    word: bool = False
    """With --replace: only whole words."""
    regex: bool = False
    r"""With --replace: the first text is a regular expression, the second may have groups such as \1."""
    ignore_case: bool = False
    """With --replace: upper and lower case are the same."""
    remove_openers: bool = False
    """Remove phrases such as "The image shows"."""
    trim: bool = False
    """Remove blanks at the ends of lines, and leave one where there are several."""
    sentence_case: bool = False
    """Begin every sentence with a capital letter."""
    rename_tag: tuple[str, str] | None = None
    """Rename the first tag to the second."""
    remove_tag: tuple[str, ...] = ()
    """Remove a tag; several by repetition."""
    add_tag: tuple[str, ...] = ()
    """Add a tag at the end, unless it is there; several by repetition."""
    dedupe_tags: bool = False
    """Leave every tag once."""
    sort_tags: bool = False
    """Sort tags by the alphabet."""
    prefix: str | None = None
    """Put a text before every caption."""
    suffix: str | None = None
    """Put a text behind every caption."""
    trigger: str | None = None
    """Put a trigger word and a comma before every caption that does not begin with it."""

    def edit(self) -> edits.Edit:
        """Raises ConfigError: nothing is to be changed, or options do not go together."""
        chosen = list(self._edits())
        if self.replace is None and (self.word or self.regex or self.ignore_case):
            raise ConfigError(
                "--word, --regex and --ignore-case say how --replace OLD NEW works: give it too"
            )
        if not chosen:
            raise ConfigError("say what to change, such as --replace OLD NEW or --prefix TEXT; see --help")
        return chosen[0] if len(chosen) == 1 else edits.Several(edits=tuple(chosen))

    def _edits(self) -> Iterator[edits.Edit]:
        replace, rename, how = self.replace, self.rename_tag, (self.word, self.regex, self.ignore_case)
        found: tuple[edits.Edit | None, ...] = (
            _replacement(replace, *how) if replace is not None else None,
            edits.RemoveOpeners() if self.remove_openers else None,
            edits.Trim() if self.trim else None,
            edits.SentenceCase() if self.sentence_case else None,
            edits.RenameTag(tags=(rename[0],), new=rename[1]) if rename is not None else None,
            edits.RemoveTag(tags=self.remove_tag) if self.remove_tag else None,
            *(edits.AddTag(tag=tag) for tag in self.add_tag),
            edits.DedupeTags() if self.dedupe_tags else None,
            edits.SortTags() if self.sort_tags else None,
            edits.Prefix(text=self.prefix) if self.prefix is not None else None,
            edits.Suffix(text=self.suffix) if self.suffix is not None else None,
            edits.Trigger(text=self.trigger) if self.trigger is not None else None,
        )
        yield from filter(None, found)


def _replacement(texts: tuple[str, str], word: bool, regex: bool, ignore_case: bool) -> edits.Edit:
    old, new = texts
    return edits.Replace(old=old, new=new, word=word, regex=regex, ignore_case=ignore_case)


def edit(
    folder: Folder,
    /,
    *,
    options: Annotated[EditOptions, Parameter(name="*")] = EditOptions(),
    where: Annotated[str, Parameter(help="Only the captions that match, as in `cutline find`.")] = "",
    dry_run: Annotated[bool, Parameter(help="Show what would change, and change nothing.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DatasetOptions(),
) -> int:
    """Change many captions at once. `cutline undo FOLDER` takes it back."""
    chosen = options.edit()
    opened = dataset.open(folder)
    preview = opened.preview(chosen, _find(opened, where) if where else None)
    change = f"{len(preview.rows):,} of {plural(preview.scope, 'caption')}"
    if dry_run:
        print_line(f"{change} would change: {chosen.summary}")
        _show(opened, preview)
        return 0
    with _progress(len(preview.rows)) as progress:
        result = opened.apply(preview, progress)
    print_line(
        f"{change} changed: {_outcome(result)}" if result.id else f"nothing to change: {chosen.summary}"
    )
    return _code(result)


def undo(
    folder: Folder,
    /,
    *,
    to: Annotated[
        int | None, Parameter(help="Go back to how it was after the edit of this number; 0 for the start.")
    ] = None,
    edit: Annotated[int | None, Parameter(help="Take back this edit alone, and leave later ones.")] = None,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DatasetOptions(),
) -> int:
    """Take back the latest edit of a folder's captions, also one made in the studio."""
    if to is not None and edit is not None:
        raise ConfigError("--to and --edit exclude each other: give one of them")
    opened = dataset.open(folder)
    if to and opened.history.edit(to) is None:
        raise ConfigError(f"there is no edit {to}; `cutline history` lists them")
    code = count = 0
    while True:
        latest = opened.history.undoable()
        if edit is None and (latest is None or (to is not None and latest.id <= to)):
            break
        files = latest.files if latest is not None else 0
        with _progress(files) as progress:
            result = opened.undo(edit, progress)
        assert result is not None
        count += 1
        code = max(code, _code(result))
        print_line(f"edit {result.id}: {_outcome(result)}")
        if to is None:
            break
    if not count:
        print_line("nothing to undo")
    return code


def redo(
    folder: Folder,
    /,
    *,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DatasetOptions(),
) -> int:
    """Apply again what `cutline undo` took back last."""
    opened = dataset.open(folder)
    latest = opened.history.redoable()
    with _progress(latest.files if latest is not None else 0) as progress:
        result = opened.redo(progress)
    print_line(f"edit {result.id}: {_outcome(result)}" if result is not None else "nothing to redo")
    return _code(result) if result is not None else 0


def history(
    folder: Folder,
    /,
    *,
    picture: Annotated[
        str | None, Parameter(help="The versions of one picture's caption, by its path.")
    ] = None,
    limit: Annotated[int, Parameter(help="The latest so many.")] = 50,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DatasetOptions(),
) -> int:
    """List the edits of a folder's captions, the latest first."""
    opened = dataset.open(folder)
    if picture is not None:
        for version in opened.versions(picture):
            caption = printable((version.caption or "(none)").replace("\n", " "))
            sys.stdout.write(f"{version.edit:>6}  {version.time}  {caption}\n")
        return 0
    records = opened.history.edits(limit=limit)
    for record in records:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.time))
        note = f" (taken back by {record.undone_by})" if record.undone_by else ""
        files = plural(record.files, "file")
        sys.stdout.write(f"{record.id:>6}  {when}  {printable(record.info.summary)}, {files}{note}\n")
    if not records:
        print_line("no edits yet")
    return 0


def find(
    folder: Folder,
    query: Annotated[
        str, Parameter(help='Such as `cat -dog`, `"red car"`, `tag:night words>40`, `missing:`.')
    ],
    /,
    *,
    count: Annotated[bool, Parameter(help="Print only how many there are.")] = False,
    captions: Annotated[bool, Parameter(help="Print the captions behind the paths, after a tab.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DatasetOptions(),
) -> int:
    """List the pictures whose captions match a query."""
    opened = dataset.open(folder)
    rows = _find(opened, query)
    if count:
        sys.stdout.write(f"{len(rows)}\n")
        return 0
    for row in rows.tolist():
        line = printable(opened.entries[row].key)
        if captions:
            line += "\t" + printable((opened.caption(row) or "").replace("\n", " "))
        sys.stdout.write(line + "\n")
    return 0


def _find(dataset: Dataset, query: str) -> RowNumbers:
    """The rows that match; ConfigError that points at what is wrong with the query."""
    try:
        return dataset.find(query)
    except QueryError as error:
        before, at = query[: error.start], query[error.start : error.end]
        raise ConfigError(f"{error}: {before}>>>{at}<<<{query[error.end :]}") from None


def _show(dataset: Dataset, preview: Preview) -> None:
    """The first changes, with the words that differ."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for place in range(min(_SHOWN, len(preview.rows))):
        before, after = preview.before[place].as_py(), preview.after[place].as_py()
        console.print(Text(dataset.entries[int(preview.rows[place])].key, style="bold"))
        for sign, text, other, style in (("-", before, after, "red"), ("+", after, before, "green")):
            line = Text(f"  {sign} ")
            for piece, differs in differing(text, other):
                line.append(piece.replace("\n", " "), style=style if differs else None)
            console.print(line)
    if len(preview.rows) > _SHOWN:
        print_line(f"… and {len(preview.rows) - _SHOWN:,} more")


def _outcome(result: EditResult) -> str:
    parts = [f"{result.summary}, {plural(result.written, 'file')} written"]
    if result.conflicts:
        parts.append(f"{plural(len(result.conflicts), 'file')} changed since, left alone")
    if result.failed:
        parts.append(f"{len(result.failed)} failed")
    if result.stopped:
        parts.append(f"stopped before {result.stopped:,} more")
    return "; ".join(parts)


def _code(result: EditResult) -> int:
    """Names what was left alone; 1 where there is any."""
    for file in result.conflicts[:_SHOWN]:
        print_error(f"{file} was changed since, and is left alone")
    for _, problem in result.failed[:_SHOWN]:
        print_error(problem)
    if result.stopped:
        return 130
    return 1 if result.conflicts or result.failed else 0


@contextlib.contextmanager
def _progress(total: int) -> Iterator[Progress]:
    """Progress at a terminal; Ctrl-C ends the edit between two files."""
    interrupted = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal interrupted
        interrupted = True

    before = {sign: signal.signal(sign, interrupt) for sign in (signal.SIGINT, signal.SIGTERM)}
    shown = 0.0

    def progress(done: int) -> None:
        nonlocal shown
        if interrupted:
            raise StopEdit
        if sys.stderr.isatty() and (now := time.monotonic()) - shown > _INTERVAL:
            shown = now
            sys.stderr.write(f"\r{done:,} of {total:,}")
            sys.stderr.flush()

    try:
        yield progress
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
        if shown:
            sys.stderr.write("\r\x1b[K")
