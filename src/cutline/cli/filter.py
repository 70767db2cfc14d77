"""``cutline filter``: select pictures by rules and measures, before anything is paid.

Annotations are not strings here: those of the groups are looked up in the modules of their classes.
"""

import dataclasses
import os
import shlex
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from cutline.cli.caption import TableInput, option_group
from cutline.cli.common_options import Verbosity
from cutline.errors import ConfigError
from cutline.formatting import number, plural, printable
from cutline.job import Job
from cutline.options import FilterOptions, LocalOptions, ModelOptions, PictureOptions, RunOptions
from cutline.terminal import Console, print_error, print_line

if TYPE_CHECKING:
    from cutline.engine.filter_job import FilterResult


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilterGroups:
    filters: Annotated[FilterOptions, option_group("Filters")] = field(default_factory=FilterOptions)
    input: Annotated[TableInput, option_group("Input", negative="no-")] = field(default_factory=TableInput)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Actions(Verbosity):
    report: Path | None = None
    """Write counts, histograms of the measures and rejected pictures to an .html file."""
    move_to: str | None = None
    """Move the rejected pictures of a folder, and the texts beside them, to another folder."""
    move_failed: bool = False
    """Also move those that cannot be opened."""
    move_back: Path | None = None
    """Move pictures back: the folder they were moved to, or its list. Without other options."""
    list: bool = False
    """List the measures with their range, and values of a usual and a bad picture."""
    max_pixels: int = PictureOptions().max_pixels
    """Pictures that need more pixels than this to decode are refused."""
    device: str = LocalOptions().device
    """Device of models: auto, cpu, cuda, cuda:N or mps."""
    plugin: tuple[str, ...] = ()
    """Python file with measures of your own, which is run; several by repetition."""
    state: str | None = None
    """Folder for the measures. [default: beside the list]"""


def filter(  # noqa: A001 - the command's name
    input_path: str | None = None,
    output_path: Annotated[str | None, Parameter(alias="-o")] = None,
    *,
    groups: Annotated[FilterGroups, Parameter(name="*")] = FilterGroups(),
    actions: Annotated[Actions, option_group("Before and during")] = Actions(),
) -> int:
    """List the pictures that meet rules on size, quality and duplicates, and why the others do not.

    The measures are kept: with other limits no picture is opened again.

    Parameters
    ----------
    input_path
        File or folder of pictures, `.txt` list of URLs, table (`.csv`, `.parquet`, `.jsonl` …) or tars.
    output_path
        `.txt`, `.csv`, `.jsonl` or `.parquet` file for the kept ones, an input for `cutline caption`.
    """
    actions.check()
    is_given = input_path is not None or output_path is not None or groups != FilterGroups()
    _check_alone(actions, is_given=is_given)
    if actions.list:
        return _list_measures(actions.plugin)
    if actions.move_back is not None:
        return _move_back(actions.move_back)
    if input_path is None or output_path is None:
        raise ConfigError(
            "cutline filter needs an input and a list, such as `cutline filter photos kept.txt`"
        )
    job = Job(
        input_path=input_path,
        output_path=output_path,
        filters=groups.filters,
        input=groups.input,
        pictures=PictureOptions(max_pixels=actions.max_pixels),
        local=LocalOptions(device=actions.device),
        model=ModelOptions(plugin=actions.plugin),
        run=RunOptions(state=actions.state),
    )
    return _filter(job, actions)


def _check_alone(actions: Actions, *, is_given: bool) -> None:
    """ConfigError: what is done alone is not alone; ``is_given``: there are an input, rules or the like."""
    usual = Actions(verbose=actions.verbose, quiet=actions.quiet)
    for name, field_name in (("--list", "list"), ("--move-back", "move_back")):
        value = getattr(actions, field_name)
        if value == getattr(usual, field_name):
            continue
        if name == "--list":
            usual = dataclasses.replace(usual, plugin=actions.plugin)
        if is_given or actions != dataclasses.replace(usual, **{field_name: value}):
            raise ConfigError(f"{name} cannot be combined with other arguments: remove them")


def _filter(job: Job, actions: Actions) -> int:
    from cutline.cli.execute import run_displayed
    from cutline.engine.filter_job import FilterActions, filter_job

    if actions.report is not None and actions.report.suffix.lower() not in {".html", ".htm"}:
        raise ConfigError(f"the report is an .html file: change {actions.report}")
    more = FilterActions(report=actions.report, move_to=actions.move_to, move_failed=actions.move_failed)
    result = run_displayed(
        lambda progress, stop: filter_job(job, more, progress=progress, stop=stop), actions
    )
    if result is None:
        print_error("interrupted · the measures are kept: run the same command again to continue")
        return 130
    if not actions.quiet:
        _print_result(job, result, move_failed=actions.move_failed)
    elif result.failures:
        print_error(f"{plural(sum(result.failures.values()), 'picture')} cannot be opened")
    return 130 if result.unmoved else result.exit_code


def _print_result(job: Job, result: "FilterResult", *, move_failed: bool) -> None:
    parts = [f"{result.kept:,} kept", f"{sum(result.counts.values()):,} rejected"]
    if result.counts:
        parts[-1] += f" ({', '.join(f'{count:,} {rule}' for rule, count in result.counts.items())})"
    if result.failures:
        parts.append(f"{sum(result.failures.values()):,} cannot be opened")
    print_line(" · ".join(parts))
    for key, message in result.failed:
        print_line(f"  {printable(key)}: {printable(message)}")
    for line in (*map(str, result.left_over), *result.warnings):
        print_line(printable(line))
    for path in result.outputs:
        print_line(f"→ {printable(os.path.relpath(path))}")
    if result.kept:
        print_line(f"caption them: {printable(_next_command(job, result))}")
    if result.move_list is not None:
        back = shlex.join(["cutline", "filter", "--move-back", str(result.move_list.parent)])
        rest = f", {result.unmoved:,} not, as it was interrupted" if result.unmoved else ""
        print_line(
            f"{_files(result.moved, result.moved_texts)} moved{rest}; to move them back: {printable(back)}"
        )
    if result.staying:
        failed = plural(result.staying, "picture")
        more = "" if move_failed else "; --move-failed moves these too"
        print_line(f"{failed} that cannot be opened left in {printable(job.input_path)}{more}")


def _next_command(job: Job, result: "FilterResult") -> str:
    """What captions the kept pictures, with the options that reading them needs."""
    words = ["cutline", "caption", str(result.outputs[0])]
    if result.image_root:
        words += ["--image-root", result.image_root]
    if job.input.allow_private_urls:
        words.append("--allow-private-urls")
    return shlex.join(words)


def _move_back(listed: Path) -> int:
    from cutline.engine.moved_pictures import move_back

    result = move_back(listed)
    print_line(f"{_files(result.pictures, result.texts)} moved back")
    lines = [
        f"{printable(os.path.relpath(old))} is taken by another file: what was moved stays at "
        f"{printable(os.path.relpath(new))}; rename one and run it again"
        for old, new in result.taken
    ]
    lines += [
        f"{printable(os.path.relpath(path))} does not exist: cannot move it back" for path in result.gone
    ]
    for line in lines[:5]:
        print_error(line)
    if len(lines) > 5:
        print_error(f"… and {len(lines) - 5:,} more")
    return 1 if lines else 0


def _files(pictures: int, texts: int) -> str:
    return plural(pictures, "picture") + (f" and {plural(texts, 'text')}" if texts else "")


def _list_measures(plugin: tuple[str, ...]) -> int:
    """Print the measures as a table on the output stream, with those of plug-in files."""
    from rich.table import Table
    from rich.text import Text

    from cutline.captioners.plugins import load_plugins
    from cutline.measures.catalog import all_measures

    load_plugins(plugin)
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for title in ("measure", "range", "usual", "bad", "meaning"):
        table.add_column(title, no_wrap=title != "meaning")
    for measure in all_measures():
        values = [f"{number(measure.low)} to {number(measure.high)}"]
        values += ["" if value is None else number(value) for value in (measure.usual, measure.bad)]
        table.add_row(*(Text(printable(text)) for text in (measure.name, *values, measure.meaning)))
    Console(highlight=False).print(table)
    return 0
