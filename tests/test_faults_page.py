"""Every kind of fault on the page of faults has tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "design" / "faults.md"
NUMBERED = {str(number) for number in range(1, 22)} | {f"7{letter}" for letter in "abcde"}


def rows() -> list[tuple[str, list[str]]]:
    """The number or letter of each row, and the tests that it names."""
    lines = [line.strip("|").split("|") for line in PAGE.read_text("utf-8").splitlines() if "::" in line]
    return [(cells[0].strip(), re.findall(r"`(\S+::\S+)`", cells[2])) for cells in lines]


def test_every_point_has_tests() -> None:
    found = rows()
    assert all(tests for _, tests in found)
    assert {point for point, _ in found} == NUMBERED | {"B", "D", "F", "G"}


def test_every_test_that_is_named_exists() -> None:
    named = {test for _, tests in rows() for test in tests}
    files = {test.partition("::")[0] for test in named}
    defined = {f"{file}::{name}" for file in files for name in functions(ROOT / "tests" / file)}
    assert named <= defined, named - defined


def functions(file: Path) -> list[str]:
    """The names of a module's functions."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return [node.name for node in ast.parse(file.read_text("utf-8")).body if isinstance(node, kinds)]
