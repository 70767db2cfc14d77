"""The program: its commands, and how every error ends in one line."""

from __future__ import annotations

import itertools
import os
import re
import signal
import traceback
from pathlib import Path
from typing import Any

import cyclopts

import cutline
from cutline.cli import streams
from cutline.cli.help import ALL, ShortHelp
from cutline.errors import ConfigError, CutlineError, SinkError
from cutline.formatting import one_line, printable
from cutline.installation import exact
from cutline.named_files import StoppedWaiting
from cutline.terminal import Console, print_error, print_line

HELP = """Caption pictures with any vision-language model, losing nothing.

cutline caption photos/ captions.jsonl --model openai:gpt-4o-mini
"""
CAPTION_HELP = """Caption a folder of pictures, a list of URLs, webdataset tars or a table.

cutline caption photos/ captions.jsonl -m openai:gpt-4o-mini -p "Describe the product."

Run the same command again to continue, however the last run ended.
"""
FILTER_HELP = """List the pictures that meet rules on size, quality and duplicates, and why the others do not.

cutline filter photos/ kept.txt --keep 'side>=256' --keep 'sharpness>=0.75' --dedup near
"""
COMPARE_HELP = """Compare models, prompts or earlier outputs side by side, in one HTML file.

cutline compare pixels ollama:llava:7b --input-path photos/
"""
JUDGE_HELP = """Rank several captions of the same pictures by a judge: a model, or people.

cutline judge a.jsonl b.jsonl --judge openai:gpt-4o-mini
"""
EVAL_HELP = """Measure captions: against references, for length and variety, per picture and for all.

cutline eval captions.jsonl --references references.json
"""
SERVE_HELP = "Serve captions over HTTP until stopped."
JOB_HELP = """Caption a folder or a table of URLs into Parquet, set up by environment variables or arguments.

MODEL_NAME=blip DATA_PATH=photos/ OUTPUT_PATH=s3://bucket/captions cutline job
"""
BATCH_HELP = """Caption pictures through a service's batch API: within a day, at half the price.

cutline batch submit photos/ captions.jsonl -m openai:gpt-4o-mini
"""
STUDIO_HELP = """View and edit the captions of a folder in the browser.

cutline studio photos/
"""
DATASET_HELP = {
    "edit": """Change many captions of a folder at once; every change can be undone.

cutline edit photos/ --replace "a cat" "a tiger" --where "path:zoo/" --dry-run
""",
    "find": "List the pictures whose captions match a query.",
    "propose": """Propose captions by a model, without replacing the current ones.

cutline propose photos/ -m openai:gpt-4o-mini --where "missing:"
""",
    "proposals": """List proposed captions, accept or reject them.

cutline proposals photos/ --where "path:zoo/" --accept
""",
    "history": "List the edits of a folder's captions.",
    "undo": "Undo the latest edit of a folder's captions.",
    "redo": "Redo what `cutline undo` undid.",
    "export": """Write the pictures and captions of a folder to an archive, a table or another folder.

cutline export photos/ webdata.zip --where "status:done"
""",
    "words": """Count the words of a folder's captions, and compare a part of them with the rest.

cutline words photos/ --where "path:zoo/" --output words.svg
""",
    "embed": """Compute embeddings of a folder's captions or pictures, to compare and cluster them.

cutline embed photos/ --of images
""",
    "cluster": """Find groups of similar captions or pictures, and name them.

cutline cluster photos/ --of images --clusters 20 --plot clusters.svg
""",
    "report": """Write a report of a run or a dataset to one HTML file.

cutline report captions.jsonl run.html
""",
    "lint": "List problems in a folder's captions: misspelt words, repeated sentences, leaked prompts.",
}
_MODULES = {"find": "edit", "undo": "history", "redo": "history", "propose": "proposals"}
RAY_HELP = """Start a Ray cluster on this machine, for trying out `--engine ray`.

cutline ray up --nodes 2
"""
RUN_HELP = "Run a job file, as `cutline caption --save-job` writes it."


def build(short: ShortHelp | None = None) -> cyclopts.App:
    """The command tree; a command's module is imported when the command is called.

    ``short`` prints the help, that of all options without it.
    """
    app = cyclopts.App(
        name="cutline",
        help=HELP,
        version=cutline.__version__,
        help_format="plaintext",
        help_formatter=short,
        default_parameter=cyclopts.Parameter(
            negative_iterable=(), negative_none=(), negative_bool=(), show_default=_shown_default
        ),
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    app.command("cutline.cli.caption:caption", name="caption", help=CAPTION_HELP)
    app.command("cutline.cli.run:run", name="run", help=RUN_HELP)
    app.command("cutline.cli.job:job", name="job", help=JOB_HELP, config=_job_environment)
    app.command("cutline.cli.batch:app", name="batch", help=BATCH_HELP)
    app.command("cutline.cli.filter:filter", name="filter", help=FILTER_HELP)
    app.command("cutline.cli.compare:compare", name="compare", help=COMPARE_HELP)
    app.command("cutline.cli.judge:judge", name="judge", help=JUDGE_HELP)
    app.command("cutline.cli.eval:evaluate", name="eval", help=EVAL_HELP)
    app.command("cutline.cli.serve:serve", name="serve", help=SERVE_HELP)
    app.command("cutline.cli.studio:studio", name="studio", help=STUDIO_HELP)
    for name, text in DATASET_HELP.items():
        app.command(f"cutline.cli.{_MODULES.get(name, name)}:{name}", name=name, help=text)
    app.command("cutline.cli.ray:app", name="ray", help=RAY_HELP)
    app.command("cutline.cli.models:app", name="models", help="List the models' providers, or check one.")
    app.command("cutline.cli.prompts:app", name="prompts", help="List the prompt library, or show a prompt.")
    return app


def _job_environment(*arguments: Any) -> None:
    from cutline.cli.job_environment import from_environment

    from_environment(*arguments)


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code."""
    if arguments and arguments[0].startswith("--") and arguments[0] not in {"--help", "-h", ALL, "--version"}:
        arguments = ["caption", *arguments]  # options alone mean `caption`
    if not arguments:
        arguments = ["--help"]
    if arguments[:2] == ["cluster", "up"] and not os.path.exists("up"):  # noqa: PTH110 - as below
        arguments = ["ray", *arguments[1:]]  # what it is called elsewhere
    fail = _fail_job if arguments[0] == "job" else _fail
    try:
        result = _call(arguments)
        return streams.exit_code(result if isinstance(result, int) else 0)
    except cyclopts.CycloptsError as error:
        from cutline.cli.usage_errors import usage_hint, usage_message

        return fail(usage_message(error, arguments), hint=usage_hint(error, arguments))
    except ConfigError as error:
        return fail(_without_folder() or str(error))
    except CutlineError as error:
        return fail(str(error), code=4 if isinstance(error, SinkError) else 3)
    except KeyboardInterrupt as error:
        number = error.signal if isinstance(error, StoppedWaiting) else signal.SIGINT
        return fail(str(error) or "interrupted", code=128 + number)
    except Exception as error:  # noqa: BLE001 - whatever it is ends in a line
        message, code = _unexpected(error, arguments)
        return fail(message, code=code)


def _call(arguments: list[str]) -> Any:
    if any("\0" in word for word in arguments):  # from another program: a shell cannot pass one
        raise ConfigError("arguments cannot hold a null character: remove it")
    short = None if ALL in arguments else ShortHelp()
    words = ["--help" if word == ALL else word for word in arguments]
    # A console of this call: otherwise the commands' apps keep the first one they make, with its width.
    console = Console()
    result = build(short)(words, console=console)
    if short is not None and short.hidden:
        command = " ".join(itertools.takewhile(lambda word: not word.startswith("-"), words))
        console.print(f"{short.hidden} more options: cutline {command} {ALL}", markup=False)
    return result


def _without_folder() -> str:
    """Why no relative path is found, where the working folder was removed."""
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the working folder is gone: change to one that exists"
    return ""


def _shown_default(default: Any) -> str | None:
    """A default as the help shows it; none for switches that are off and for empty values."""
    return None if default is None or default is False or default in ((), {}) else str(default)


_MAX_PATH = 200  # letters of a path in a message
_MAX_END = 60
_TOO_LONG = re.compile(rf"\S{{{2 * _MAX_PATH},}}")  # words of an error


def _unexpected(error: Exception, arguments: list[str]) -> tuple[str, int]:
    """A line and the exit code: for a file that the system refuses, such as a path too long, or for a bug."""
    from cutline.engine.report import EXIT_BUG
    from cutline.files import name_to_text

    if isinstance(error, FileNotFoundError) and (gone := _without_folder()):
        return gone, 2
    if isinstance(error, OSError) and isinstance(error.filename, str | bytes):
        name = name_to_text(os.fsdecode(error.filename))
        return f"cannot use {name if len(name) <= _MAX_PATH else name[:_MAX_PATH] + '…'}: {error.strerror}", 2
    if isinstance(error, UnicodeEncodeError) and (given := _not_unicode(arguments)):
        return given, 2
    if {"--verbose", "-v"}.isdisjoint(arguments):
        cure = "run the same command with --verbose, and report the traceback that it prints"
    else:
        print_line("".join(traceback.format_exception(error)).rstrip())
        cure = "report the traceback above"
    return f"this is a bug of cutline: {type(error).__name__}: {one_line(error)}; {cure}", EXIT_BUG


def _not_unicode(arguments: list[str]) -> str:
    """Names the first argument that is not text, as its bytes are not UTF-8; empty where all are."""
    for before, word in itertools.pairwise(["", *arguments]):
        if any("\ud800" <= sign <= "\udfff" for sign in word):
            option = f"{before}: " if before.startswith("--") else ""
            return f"{option}{word!r} is not valid UTF-8: type it again, or set the terminal to UTF-8"
    return ""


def _fail(message: str, *, code: int = 2, hint: str = "") -> int:
    shown = _TOO_LONG.sub(lambda word: f"{word[0][:_MAX_PATH]}…{word[0][-_MAX_END:]}", exact(message))
    print_error(f"{printable(shown)}{hint}")
    return code


def _fail_job(message: str, *, code: int = 2, hint: str = "") -> int:
    """As ``_fail``; also leaves the message where the container's host looks for it."""
    from cutline.cli.job_container import Container

    Container.here().report(message, failed=True)
    return _fail(message, code=code, hint=hint)
