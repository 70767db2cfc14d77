"""Count modules, functions and signatures longer than CONTRIBUTING has them; exit 1 for more than the limits.

Lower a limit when the count has fallen; never raise one.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "cutline"
MODULE_LINES = 300
FUNCTION_LINES = 40
"""Without the docstring."""
PARAMETERS = 8
"""Without ``self``; those of the command line's functions are its options."""
MAX_LONG_MODULES = 0
MAX_LONG_FUNCTIONS = 3
MAX_LONG_SIGNATURES = 7

Function = ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Print what is too long; 1 when there is more than the limits."""
    modules: list[str] = []
    functions: list[str] = []
    signatures: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        name, text = path.relative_to(SOURCE).as_posix(), path.read_text("utf-8")
        if (lines := text.count("\n")) > MODULE_LINES:
            modules.append(f"{name}: {lines} lines")
        for function in _functions(ast.parse(text)):
            place = f"{name}:{function.lineno} {function.name}"
            if (lines := _lines(function)) > FUNCTION_LINES:
                functions.append(f"{place}: {lines} lines")
            if not name.startswith("cli/") and (count := _parameters(function)) > PARAMETERS:
                signatures.append(f"{place}: {count} parameters")
    failed = False
    for found, most, noun in (
        (modules, MAX_LONG_MODULES, f"modules of more than {MODULE_LINES} lines"),
        (functions, MAX_LONG_FUNCTIONS, f"functions of more than {FUNCTION_LINES} lines"),
        (signatures, MAX_LONG_SIGNATURES, f"functions of more than {PARAMETERS} parameters"),
    ):
        print(f"{len(found)} {noun}; at most {most}")
        if len(found) > most:
            print("\n".join(f"  {one}" for one in found))
            failed = True
    return int(failed)


def _functions(tree: ast.Module) -> Iterator[Function]:
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def _lines(function: Function) -> int:
    first, *rest = function.body
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    if is_docstring and not rest:
        return 0
    body = rest if is_docstring else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1


def _parameters(function: Function) -> int:
    arguments = function.args
    names = [one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]
    return len(names) - (names[:1] in (["self"], ["cls"]))


if __name__ == "__main__":
    sys.exit(main())
