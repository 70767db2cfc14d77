"""What the pages say about the source tree: tables of the layers, and the names of modules.

``scripts/reference.py`` writes the tables and checks the names, with its own pages.
"""

from __future__ import annotations

import ast
import functools
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import cutline

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src"
TABLE = re.compile(r"(<!-- layers of (?P<package>[\w.]+) -->\n\n).*?(\n<!-- end of layers -->)", re.DOTALL)
TICKED = re.compile(r"`([^`\n]+)`")
NAME = re.compile(r"cutline(\.\w+)+")
PATH = re.compile(r"(src|tests|docs|scripts|examples|bench|ci)/[\w./-]*")
MODULE_PATH = re.compile(r"[\w/]+\.py")


def with_tables(text: str) -> str:
    """A page with its tables of layers as the import contract has them."""
    return TABLE.sub(lambda found: found[1] + layers_table(found["package"]) + found[3], text)


def layers_table(package: str) -> str:
    """The layers of a package from above, with the first sentence of each module's docstring.

    Raises:
        ValueError: no contract has the package, or a module on a layer has no docstring.
    """
    rows = ["| layer | module | content |", "|---|---|---|"]
    for number, layer in enumerate(_layers(package), start=1):
        for index, name in enumerate(layer):
            rows.append(f"| {'' if index else number} | `{name}` | {_summary(f'{package}.{name}')} |")
    return "\n".join(rows) + "\n"


def _layers(package: str) -> list[list[str]]:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for contract in contracts:
        if contract["type"] == "layers" and contract["containers"] == [package]:
            return [layer.split(" | ") for layer in contract["layers"]]
    raise ValueError(f"pyproject.toml has no import contract for the layers of {package}")


def _summary(module: str) -> str:
    text = ast.get_docstring(_tree(_file(module.split(".")) or Path())) or ""
    first = re.split(r"(?<=\.)\s|:?:?\n\n", text, maxsplit=1)[0]
    if not first:
        raise ValueError(f"{module} needs a docstring: docs/design shows its first sentence")
    return re.sub(r"``([^`]+)``", r"`\1`", " ".join(first.split())).replace("|", "\\|").rstrip(":")


def wrong_names(text: str, *, design: bool) -> list[str]:
    """Names of modules and paths of files in backticks that do not exist in the tree.

    ``design`` pages may give a module by its path below ``src/cutline``.
    """
    return [word for word in TICKED.findall(text) if not _exists(word, design=design)]


def _exists(word: str, *, design: bool) -> bool:
    if PATH.fullmatch(word):
        return (ROOT / word).exists()
    if design and MODULE_PATH.fullmatch(word) and "/" in word:
        return (SOURCE / "cutline" / word).exists()
    name = re.sub(r"\(.*\)$|/$", "", word)
    return not NAME.fullmatch(name) or _resolves(name.split("."))


def _resolves(parts: list[str]) -> bool:
    length = next(n for n in range(len(parts), 0, -1) if _file(parts[:n]))
    if length == 1 and parts[1] in {*cutline.__all__, "__version__"}:
        return True
    path = _file(parts[:length])
    assert path is not None
    body = _tree(path).body
    for part in parts[length:]:
        found = next((node for node in body if part in _defined(node)), None)
        if found is None:
            return False
        body = getattr(found, "body", [])
    return True


def _file(parts: Iterable[str]) -> Path | None:
    path = SOURCE.joinpath(*parts)
    return next((file for file in (path / "__init__.py", path.with_suffix(".py")) if file.is_file()), None)


@functools.cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


def _defined(node: ast.stmt) -> Iterator[str]:
    """The names that a statement defines; imported ones have another home."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            yield node.name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
