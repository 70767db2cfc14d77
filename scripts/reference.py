"""Write ``docs/cli.md``, ``python-api.md``, ``replies.md``, ``studio-http.md``, and tables in ``design``.

python scripts/reference.py            write the pages
python scripts/reference.py --check    compare them; exit 1 and show what differs

Both exit 1 where a page names a module or a file of the project that does not exist.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import inspect
import itertools
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeGuard

import layout
import reply_page
import studio_routes

import cutline
from cutline import errors

DOCS = Path(__file__).resolve().parents[1] / "docs"
NOTE = "<!-- Written by scripts/reference.py; change the program's texts instead. -->\n"

EXIT_CODES = {
    0: "Everything has a caption or was skipped on purpose, or at most `--allow-failures` failed.",
    1: "The run is complete, and pictures failed; `models check` and `--preview`: a reply is not a caption.",
    2: "The command cannot be run as it is; no request was sent. The message names the cure.",
    3: "The run stopped early: budget, unusable endpoint, broken input. The same command continues.",
    4: "The output or the state folder cannot be written. The same command continues once it can.",
    70: "A bug of cutline; what was captioned is kept. `--verbose` prints the traceback to report.",
    130: "Ctrl-C (128 + 2); SIGTERM gives 143 (128 + 15). The same command continues.",
    141: "The reader of the output, such as `head`, has exited.",
}

API: dict[str, tuple[str, str]] = {
    "Functions": (
        "`**options` are the fields of the option groups under [Jobs](#jobs), by name.",
        "caption acaption compare judge load aload LoadedModel PictureInput CallOptions LoadOptions",
    ),
    "Results": ("", "Captions CaptionResult Report Counts Cause Interrupted"),
    "Progress": ("A function given as `progress=` is called with these.", "Progress ProgressHook"),
    "Batches": (
        "[Batches](batch.md) shows the use.",
        (
            "batch_submit batch_status batch_collect batch_cancel "
            "Submission UploadStats BatchStatus Batch Collection"
        ),
    ),
    "Comparisons": (
        "What `compare` returns; [Comparing](comparing.md) shows the use.",
        "Comparison CandidateResult Answer Figures ComparedPicture Thumbnail",
    ),
    "Judgments": (
        "What `judge` returns; [Judging](judging.md) shows the use.",
        (
            "Judgment Ranking RankedContestant PairResult Interval PlayedGame Game "
            "Rubric RatedContestant Rating People Agreement"
        ),
    ),
    "Evaluation": (
        "What `evaluate` returns; [Evaluation](evaluation.md) shows the use.",
        "evaluate Evaluation MetricScore PairedTest PictureScores EvaluationProblem",
    ),
    "Datasets": (
        "[From Python](python.md#datasets) shows the use.",
        (
            "open_dataset Dataset Preview Edit Replace Prefix Suffix Trigger AddTag RemoveTag RenameTag "
            "SortTags DedupeTags Trim SentenceCase RemoveOpeners Several Proposal "
            "EditResult EditRecord EditInfo CaptionVersion ExportResult QueryError "
            "SetComparison Tally Standing Embeddings EmbedResult"
        ),
    ),
    "Jobs": (
        "A job is what the command line's options come to, and what a job file holds.",
        (
            "Job InputOptions ModelOptions LocalOptions ServerOptions PromptOptions CheckOptions "
            "FilterOptions PictureOptions OutputOptions RunOptions run_job"
        ),
    ),
    "Client": (
        "For a running `cutline serve`; [The service](service.md#from-python) shows the use.",
        "AsyncClient Client CaptionOptions TaskProgress Image ServerPath",
    ),
    "Records": (
        "Frozen values without I/O; all can be pickled.",
        (
            "Sample Location LocalFile RemoteFile InlineBytes Problem "
            "Caption Skip Failure Outcome Step Reply Usage JSON"
        ),
    ),
    "Interfaces": (
        "What a captioner, source or sink of your own has to be; [Extending](extending.md) shows how.",
        "register_model Captioner Profile Parameter Source Sink SourceOptions SinkOptions",
    ),
    "Filters and checks": (
        "What stages of your own have to be; [Extending](extending.md#filters-and-checks) shows how.",
        "register_stage Stage Filter Check Draft CheckResult Rejection Violation Action",
    ),
    "Measures": (
        "What a measure of pictures has to be; [Extending](extending.md#a-measure) shows how.",
        "Measure MeasureOptions DecodedPicture",
    ),
    "Pictures and prompts": ("What a captioner is given.", "Picture Limits Prompt load_prompt"),
}
"""Sections of the Python reference: an introduction, and names that can be imported from `cutline`.

The errors follow by themselves. A test compares all of them with `cutline.__all__`.
"""


def main(arguments: list[str]) -> int:
    """Write or compare the pages; 1 when one is stale or wrong."""
    pages = {"cli.md": cli_page(), "python-api.md": api_page(), "replies.md": reply_page.page()}
    pages["studio-http.md"] = studio_routes.page()
    for path in sorted(DOCS.joinpath("design").glob("*.md")):
        pages[f"design/{path.name}"] = layout.with_tables(path.read_text("utf-8"))
    stale = [name for name, text in pages.items() if not _is_current(name, text)]
    for name in stale:
        if "--check" in arguments:
            print("\n".join(_changes(name, pages[name])))
        else:
            (DOCS / name).write_text(pages[name], "utf-8")
            print(f"wrote docs/{name}")
    if stale and "--check" in arguments:
        print("the reference is out of date; run: python scripts/reference.py")
    wrong = wrong_names()
    for place, name in wrong:
        print(f"{place}: `{name}` does not exist; give the page its new name")
    return 1 if wrong or (stale and "--check" in arguments) else 0


def _is_current(name: str, text: str) -> bool:
    path = DOCS / name
    return path.exists() and path.read_text("utf-8") == text


def _changes(name: str, text: str) -> list[str]:
    old = (DOCS / name).read_text("utf-8") if (DOCS / name).exists() else ""
    lines = difflib.unified_diff(
        old.splitlines(), text.splitlines(), name, "from the program", n=0, lineterm=""
    )
    return list(lines)[:20]


def wrong_names() -> list[tuple[str, str]]:
    """Each page, and a module or path in it that does not exist."""
    root = DOCS.parent
    pages = [*sorted(DOCS.rglob("*.md")), root / "README.md", root / "CONTRIBUTING.md"]
    return [
        (path.relative_to(root).as_posix(), name)
        for path in pages
        for name in layout.wrong_names(path.read_text("utf-8"), design=path.parent.name == "design")
    ]


# The command line


def cli_page() -> str:
    from cutline.cli.app import build

    program = build()
    about = (
        "`cutline COMMAND --help` shows the same at a terminal. Options without a command mean "
        "`cutline caption`. Every option can be written `--option value` or `--option=value`.\n"
    )
    parts = [
        NOTE,
        "# Command line\n",
        about,
        *(_command(words, app, program.default_parameter) for words, app in commands(program)),
        "## Exit codes\n",
        _table(("code", "meaning"), ((str(code), text) for code, text in EXIT_CODES.items())),
    ]
    return "\n".join(parts)


def commands(app: Any, words: tuple[str, ...] = ("cutline",)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with the words that call it."""
    for name in app:
        if name.startswith("-"):
            continue
        command = app[name]
        if command.default_command is not None:
            yield (*words, name), command
        yield from commands(command, (*words, name))


def _command(words: tuple[str, ...], app: Any, settings: Any) -> str:
    found = app.assemble_argument_collection(default_parameter=settings, parse_docstring=True)
    arguments = [argument for argument in found if argument.parse and argument.show]
    title = f"## `{' '.join(words)}`\n"
    lines = [
        title,
        _docstring(inspect.getdoc(app.default_command) or "").split("\nParameters\n")[0].rstrip() + "\n",
    ]
    groups: dict[str, list[tuple[str, ...]]] = {}
    for argument in arguments:
        positional = argument.index is not None
        group = "Arguments" if positional else argument.parameter.group[0].name
        groups.setdefault("Options" if group == "Parameters" else group, []).append(_option(argument))
    for group, rows in groups.items():
        if len(groups) > 1:
            lines.append(f"### {group}\n" if len(groups) > 2 else f"**{group}**\n")
        lines.append(_table(("name", "meaning", "default"), rows))
    return "\n".join(lines)


def _option(argument: Any) -> tuple[str, str, str]:
    choices = argument.get_choices() or ()
    meaning = " ".join((argument.parameter.help or "").split())
    stated = re.search(r"\s*\[default: (.+?)\]$", meaning)
    if stated:
        meaning = meaning[: stated.start()]
    if choices:
        meaning += " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    names = [name for name in argument.names if not name.startswith("--empty-")]
    if argument.index is not None:  # can be given by its place too
        names = [
            argument.names[0].lstrip("-").upper().replace("_", "-"),
            *(n for n in names if n.startswith("--")),
        ]
    default = argument.field_info.default
    if default is inspect.Parameter.empty and argument.hint is bool:
        default = False
    if argument.required:
        shown = "needed"
    elif stated:
        shown = stated[1]
    elif default in (None, (), inspect.Parameter.empty) or default == {}:
        shown = ""
    else:
        shown = f"`{_plain(default)}`"
    return ", ".join(f"`{name}`" for name in names), meaning, shown


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


# The Python names


def api_page() -> str:
    parts = [
        NOTE,
        "# Python reference\n",
        "Made from the docstrings; [From Python](python.md) shows the use. Everything is typed.\n",
        "These are all the public names; what is not here may change with any release.\n",
    ]
    for section, (about, names) in API.items():
        parts.append(f"## {section}\n")
        if about:
            parts.append(about + "\n")
        parts.extend(_name(name) for name in names.split())
    return "\n".join([*parts, *_errors()])


def _name(name: str) -> str:
    thing = getattr(cutline, name)
    lines = [f"### `cutline.{name}`\n"]
    if not inspect.isclass(thing) and not inspect.isfunction(thing):
        return "\n".join([*lines, _alias(name)])
    node = _node(thing)
    if isinstance(node, ast.ClassDef):
        lines += [_docstring(inspect.getdoc(thing) if thing.__doc__ else ""), ""]
        fields = _fields(node)
        if fields:
            columns = ("field", "type", "default", "meaning")
            used = [any(row[index] for row in fields) for index in range(4)]
            rows = [tuple(cell for cell, keep in zip(row, used, strict=True) if keep) for row in fields]
            lines.append(_table(tuple(c for c, keep in zip(columns, used, strict=True) if keep), rows))
        for method in [*_inherited(thing), *_methods(node)]:
            lines += [_code(method), _docstring(ast.get_docstring(method) or ""), ""]
    else:
        lines += [_code(node), _docstring(inspect.getdoc(thing) or ""), ""]
    return "\n".join(lines)


def _alias(name: str) -> str:
    """An assignment of the module that defines a type, with the string that follows it."""
    module = importlib.import_module(cutline._MODULES[name])  # noqa: SLF001 - of this package
    body = ast.parse(inspect.getsource(module)).body
    for item, after in itertools.pairwise([*body, ast.Pass()]):
        if isinstance(item, ast.AnnAssign) and _unparse(item.target) == name and item.value is not None:
            text = _docstring(str(after.value.value)) if _is_text(after) else ""
            return f"```python\n{name} = {_unparse(item.value)}\n```\n\n{text}\n"
    raise LookupError(f"{module.__name__} does not define {name}")


def _is_text(node: ast.stmt) -> TypeGuard[ast.Expr]:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _errors() -> list[str]:
    tree = ast.parse(inspect.getsource(errors))
    head = textwrap.dedent((errors.__doc__ or "").partition("::")[2]).strip("\n")
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef) and ast.get_docstring(node)]
    described = [f"**`{node.name}`**: {_docstring(ast.get_docstring(node) or '')}\n" for node in classes]
    return [f"## Errors\n\nAll can be imported from `cutline`:\n\n```text\n{head}\n```\n", *described]


def _node(thing: Any) -> ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef:
    node = ast.parse(textwrap.dedent(inspect.getsource(thing))).body[0]
    assert isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    return node


def _fields(node: ast.ClassDef) -> list[tuple[str, ...]]:
    """Annotated public names of a class body, with the string that follows each."""
    rows: list[tuple[str, ...]] = []
    for item, after in zip(node.body, [*node.body[1:], None], strict=True):
        if not isinstance(item, ast.AnnAssign) or not isinstance(item.target, ast.Name):
            continue
        if item.target.id.startswith("_") or _unparse(item.annotation).startswith("ClassVar"):
            continue
        text = ""
        if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            text = _docstring(str(after.value.value))
        default = "" if item.value is None else _default(item.value)
        rows.append((f"`{item.target.id}`", _type(item.annotation), default, text))
    return rows


def _type(annotation: ast.expr) -> str:
    """A union as code and words: a bar within a table's code is read differently by every reader."""
    if isinstance(annotation, ast.BinOp):
        return f"{_type(annotation.left)} or {_type(annotation.right)}"
    return f"`{_unparse(annotation)}`"


def _default(value: ast.expr) -> str:
    text = _unparse(value)
    factory = re.fullmatch(r"dataclasses\.field\(default_factory=([\w.]+)\)", text)
    if factory:
        text = {"dict": "{}", "list": "[]"}.get(factory[1], f"{factory[1]}()")
    return "" if "init=False" in text else f"`{text}`"


def _inherited(thing: type) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The methods of base classes that have no entry of their own."""
    found = []
    for base in thing.__mro__[1:]:
        if base.__module__.startswith("cutline.") and not hasattr(cutline, base.__name__):
            node = _node(base)
            assert isinstance(node, ast.ClassDef)
            found += [method for method in _methods(node) if method.name not in vars(thing)]
    return found


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Public methods that say something about themselves."""
    functions = [item for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [f for f in functions if not f.name.startswith("_") and ast.get_docstring(f)]


def _code(node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    head = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    arguments = list(_arguments(node.args))
    returned = f" -> {_unparse(node.returns)}" if node.returns else ""
    if any(_unparse(item) == "property" for item in node.decorator_list):
        return f"```python\n{node.name}: {_unparse(node.returns) if node.returns else 'Any'}\n```\n"
    line = f"{head} {node.name}({', '.join(arguments)}){returned}"
    if len(line) > 90:
        line = f"{head} {node.name}(\n" + "".join(f"    {item},\n" for item in arguments) + f"){returned}"
    return f"```python\n{line}\n```\n"


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    positional = [*arguments.posonlyargs, *arguments.args]
    missing = [None] * (len(positional) - len(arguments.defaults))
    for argument, default in zip(positional, [*missing, *arguments.defaults], strict=True):
        if argument.arg not in {"self", "cls"}:
            yield _argument(argument, default)
    if arguments.vararg:
        yield f"*{_argument(arguments.vararg, None)}"
    elif arguments.kwonlyargs:
        yield "*"
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        yield _argument(argument, default)
    if arguments.kwarg:
        yield f"**{_argument(arguments.kwarg, None)}"


def _unparse(node: ast.AST) -> str:
    """Source text with double quotes, as this project writes them."""
    return re.sub(r"'([^'\"]*)'", r'"\1"', ast.unparse(node))


def _argument(argument: ast.arg, default: ast.expr | None) -> str:
    text = argument.arg + (f": {_unparse(argument.annotation)}" if argument.annotation else "")
    return text if default is None else f"{text} = {_unparse(default)}"


# Markdown


def _docstring(text: str) -> str:
    """A docstring of ours as Markdown: code in single ticks, sections as lists."""
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip()):
        title, _, rest = block.partition("\n")
        if title in {"Args:", "Raises:", "Returns:"}:
            items = re.sub(r"\n\s{4,}(?=\S)", " ", textwrap.dedent(rest)).splitlines()
            items = [
                re.sub(r"^([\w*, .]+?):", lambda found: f"`{found[1]}`:", item.strip()) for item in items
            ]
            lines.append(f"*{title}*\n\n" + "\n".join(f"- {item}" for item in items))
        else:
            lines.append(re.sub(r"^Raises ", "*Raises* ", block))
    return "\n\n".join(lines)


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *(list(row) for row in rows)]
    return "".join("| " + " | ".join(_cell(cell) for cell in line) + " |\n" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
