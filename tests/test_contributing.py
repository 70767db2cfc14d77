"""CONTRIBUTING says only what holds."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
TESTS = sorted(path for path in (ROOT / "tests").rglob("*.py"))
ALLOWED = {"setenv", "delenv", "chdir", "syspath_prepend"}


def calls(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node, ast.unparse(node.func.value), node.func.attr


def test_nothing_of_ours_and_of_libraries_is_replaced():
    assert all(f"`{name}`" in TEXT for name in (*ALLOWED, "tempfile.tempdir", "None", "sys.modules"))
    others = []
    for path in TESTS:
        for call, target, method in calls(path):
            given = [ast.unparse(argument) for argument in call.args]
            if target == "monkeypatch" and method not in ALLOWED:
                missing = method == "setitem" and given[::2] == ["sys.modules", "None"]
                if not missing and given[:1] != ["'tempfile.tempdir'"]:
                    others.append((path.name, call.lineno, ast.unparse(call)))
    assert others == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_no_mocks(path):
    imported = {
        name
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (getattr(node, "module", None), *(alias.name for alias in node.names))
    }
    assert not imported & {"mock", "pytest_mock", "respx", "Mock", "MagicMock", "AsyncMock", "patch"}


def test_the_commands_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = [shlex.split(line, comments=True) for line in re.findall(r"^make .*", TEXT, re.MULTILINE)]
    assert len(commands) > 5
    assert {command[1] for command in commands} <= targets
    assert {"make check", "make test"} <= set((ROOT / ".ci/run").read_text().splitlines())


def test_rules_of_lint_that_are_off_have_their_reasons():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    start, end = lines.index("ignore = ["), lines.index("]", lines.index("ignore = ["))
    groups = "\n".join(lines[start + 1 : end]).split('\n  "')
    assert all("#" in line or re.fullmatch(r'[A-Z0-9", ]+', line) for line in groups)
    rules = tomllib.loads("\n".join(lines))["tool"]["ruff"]["lint"]["per-file-ignores"]
    assert rules
    unexplained = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "src").rglob("*.py"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if re.search(r"# noqa(?!: ARG002$|: [A-Z0-9, ]+ - \w)", line)
    ]
    assert unexplained == []


def test_no_room_has_a_name_that_says_nothing():
    names = {path.stem for path in (ROOT / "src/cutline").rglob("*.py")}
    assert not names & {"utils", "helpers", "manager", "base", "common"}
    assert "No `utils`, `helpers`, `manager`, `base`, `common`." in " ".join(TEXT.split())


def test_the_sizes_are_those_that_are_counted():
    script = (ROOT / "scripts/check_size.py").read_text()
    sizes = re.findall(r"^(?:MODULE_LINES|FUNCTION_LINES|PARAMETERS) = (\d+)$", script, re.MULTILINE)
    rule = "at most {} lines, functions at most {} without the docstring, at most {} parameters".format(
        *sizes
    )
    assert rule in " ".join(TEXT.split())
    assert "scripts/check_size.py" in (ROOT / "Makefile").read_text()


def test_records_are_frozen_slotted_and_keyword_only():
    from dataclasses import is_dataclass

    from cutline import records

    classes = [one for one in vars(records).values() if is_dataclass(one) and isinstance(one, type)]
    assert len(classes) > 8
    for one in classes:
        parameters = one.__dataclass_params__
        assert parameters.frozen, one
        assert "__slots__" in vars(one), one


def test_the_words_are_those_that_are_counted():
    script = (ROOT / "scripts/check_language.py").read_text()
    words = re.search(r'WORDS = re.compile\("([a-z|]+)"', script)[1].split("|")
    assert all(f"`{word}`" in TEXT for word in words)
    assert "scripts/check_language.py" in (ROOT / "Makefile").read_text()
    assert "\n## Language\n" in TEXT
