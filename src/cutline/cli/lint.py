"""``cutline lint``: problems in the captions of a folder, to check before training."""

from __future__ import annotations

import collections
import dataclasses
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
from cyclopts import Parameter, validators

from cutline.analysis.findings import CHECKS, Check, Finding
from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, Where
from cutline.cli.edit import find_rows
from cutline.cli.output_file import check_output, check_overwrite
from cutline.dataset.lint_list import lint_dataset
from cutline.files import write_atomically, write_errors
from cutline.formatting import excerpt, plural, printable
from cutline.terminal import print_line

_DEFAULT: Final = tuple(check for check in CHECKS if check != "picture")  # which reads every picture
_SHOWN: Final = 50  # findings of a check at a terminal
_TEXT: Final = 60  # characters of a finding at a terminal


def lint(
    folder: Input,
    /,
    *,
    where: Where = "",
    check: Annotated[
        tuple[Check, ...],
        Parameter(help="Only this check; several by repetition. `picture` runs only if it is named."),
    ] = (),
    ignore: Annotated[tuple[str, ...], Parameter(help="Ignore a check, or a finding by its text.")] = (),
    limit: Annotated[
        int,
        Parameter(
            help="Print at most this many findings of a check; 0: all.", validator=validators.Number(gte=0)
        ),
    ] = _SHOWN,
    all: Annotated[  # noqa: A002 - as in other commands
        bool, Parameter(help="Include findings that were ignored in the studio.")
    ] = False,
    output: Annotated[
        Path | None, Parameter(name=("--output", "-o"), help="Also write all findings to a .json file.")
    ] = None,
    overwrite: Annotated[bool, Parameter(help="Replace an existing output.")] = False,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """List problems in a folder's captions, each with a query that finds it and a command that fixes it.

    The exit code is 1 if there are any.
    """
    check_overwrite(output, overwrite=overwrite)
    check_output(output, (".json",), "findings are written", overwrite=overwrite, inputs=[folder])
    opened = dataset.open(folder)
    chosen = [one for one in check or _DEFAULT if one not in ignore]
    found = lint_dataset(opened, find_rows(opened, where) if where else None, chosen, most=None)
    listed = [one for one in found.findings if one.text not in ignore]
    findings = [one for one in listed if all or not one.is_ignored]
    _print(findings, limit or len(findings), folder)
    hidden = len(listed) - len(findings)
    more = f"; {hidden:,} ignored in the studio, which --all shows" * (hidden > 0)
    print_line(f"{plural(len(findings), 'finding')} in {plural(found.captions, 'caption')}{more}")
    if output is not None:
        with write_errors(output):
            write_atomically(output, orjson.dumps([_record(one) for one in findings]))
    return 1 if findings else 0


def _print(findings: list[Finding], limit: int, folder: str) -> None:
    """The first findings of each check, and how many others it has."""
    totals = collections.Counter(finding.check for finding in findings)
    printed: collections.Counter[Check] = collections.Counter()
    for finding in findings:
        if printed[finding.check] < limit:
            sys.stdout.write(_line(finding, folder) + "\n")
        printed[finding.check] += 1
        if printed[finding.check] == totals[finding.check] > limit:
            more = f"… and {totals[finding.check] - limit:,} more: give --limit 0, or --output findings.json"
            sys.stdout.write(f"{finding.check}: {more}\n")


def _record(finding: Finding) -> dict[str, Any]:
    values = dataclasses.asdict(finding)
    del values["rows"]
    return values


def _line(finding: Finding, folder: str) -> str:
    text = printable(excerpt(finding.text, _TEXT))
    line = f"{finding.check}: “{text}” {printable(finding.message)}"
    if finding.replace is not None:
        words = ["edit", folder, "--replace", *finding.replace, "--word"]
    else:
        words = ["find", folder, finding.query]
    return f"{line}\n    cutline {printable(shlex.join(words))}"
