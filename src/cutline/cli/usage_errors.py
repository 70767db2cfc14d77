"""Messages about arguments that the command line cannot use."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterable
from pathlib import Path

import cyclopts

from cutline.files import SEVERAL_INPUTS

_KINDS = {"int": "a whole number", "float": "a number", "bool": "true or false"}

_ARGUMENTS = "models are arguments, as in `cutline compare pixels blip --input-path photos/`"
_FILTERS = "a judge takes all pictures of the outputs; `cutline filter` takes some before they are captioned"
_STAYS = "what is there stays as it is, unless --overwrite replaces it"
_INSTEAD = {  # what to give in place of options that people look for, by command
    "compare": {"--model": _ARGUMENTS, "-m": _ARGUMENTS},
    "export": {"--existing": _STAYS},
    "judge": {
        **dict.fromkeys(("--model", "-m"), "--judge names the model that judges"),
        **dict.fromkeys(("--keep", "--dedup", "--filter"), _FILTERS),
        "--references": "`cutline eval` scores by them; `cutline compare --references --judge` shows both",
    },
}
_NOT_THERE = {  # for any command
    "--keep-parts": "a run on Ray leaves no parts, as what its workers do goes into one output",
}
_MAX_WORD = 60
_MAX_TOKENS = 8
_LONG = re.compile(rf"[^\s\"]{{{_MAX_WORD + 1},}}")  # a value in a message


def usage_message(error: cyclopts.CycloptsError, arguments: list[str]) -> str:
    """What is wrong with the arguments, in a line."""
    if isinstance(error, cyclopts.MissingArgumentError) and "--input-path" in str(error):
        return "cutline caption needs an input: a folder, a picture, a list of URLs, a table or tars"
    if isinstance(error, cyclopts.UnknownCommandError) and error.unused_tokens and error.app:
        from cutline.cli.command_names import unknown_command

        names = [name for name in error.app if not name.startswith("-")]
        program = " ".join(("cutline", *(error.command_chain or ())))
        return unknown_command(error.unused_tokens[0][:_MAX_WORD], names, program)
    if isinstance(error, cyclopts.UnusedCliTokensError):
        tokens = error.unused_tokens or []
        more = " …" if len(tokens) > _MAX_TOKENS else ""
        message = f"unexpected arguments: {' '.join(map(repr, tokens[:_MAX_TOKENS]))}{more}"
        words = itertools.takewhile(lambda word: not word.startswith("-"), arguments)
        several = any(map(os.path.exists, tokens)) or sum(map(os.path.exists, words)) > 1
        if tokens and arguments[0] in {"prompts", "serve"}:
            from cutline.cli.command_names import unknown_prompt

            word = tokens[0][:_MAX_WORD]
            is_prompt = arguments[0] == "prompts"
            return unknown_prompt(word) if is_prompt else f"{message}; {_option_of_serve(tokens[0])}"
        cure = "give the captions to compare with as --against" if arguments[0] == "eval" else SEVERAL_INPUTS
        return message + (f"; {cure}" if several else "")
    if isinstance(error, cyclopts.ValidationError) and (option := _unknown_option(error)):
        return f"Unknown option: {option}"
    message = " ".join(str(error).split()).removesuffix(".")
    message = _LONG.sub(lambda word: f"{word[0][:_MAX_WORD]}…", message)
    if isinstance(error, cyclopts.UnknownOptionError):
        message = message.partition(". Did you mean")[0]
    if isinstance(error, cyclopts.CoercionError):
        for kind, expected in _KINDS.items():
            message = re.sub(
                rf'unable to convert ("[^"]*") into {kind}$', rf"must be {expected}, not \1", message
            )
    return message


def _is_folder(text: str) -> bool:
    return os.path.isdir(text)  # noqa: PTH112 - Path.is_dir raises for what is too long for a name


def _option_of_serve(token: str) -> str:
    """The option that takes what was given as an argument."""
    if _is_folder(token) and not (Path(token) / "config.json").exists():
        return f"requests bring their pictures, and with --image-root {token} name those of this folder"
    return f"the model is an option: --model {token}"


def usage_hint(error: cyclopts.CycloptsError, arguments: list[str]) -> str:
    """What to give instead, and where the help is."""
    return _instead(error, arguments) + _help_of(error, arguments)


def _instead(error: cyclopts.CycloptsError, arguments: list[str]) -> str:
    """What to give in place of an option that the command does not have."""
    option = _unknown_option(error)
    if not option:
        return ""
    if option in _NOT_THERE:
        return f": {_NOT_THERE[option]}"
    if instead := _INSTEAD.get(arguments[0], {}).get(option):
        return f": {instead}"
    if arguments[0] != "run":
        from cutline.option_names import suggested_option

        known = [name for one in _arguments(error) if one.parse for name in one.names]
        found = suggested_option(option, known, lambda name, value: f"{name} {value}".rstrip())
        return found.replace("--existing", "--output-format sidecar --existing", _is_in_place(arguments))
    from cutline.job import place_of

    place = place_of(option.partition("=")[0].lstrip("-").replace("-", "_"))
    return f"; other options belong in the job file{place and ': ' + place}"


def _unknown_option(error: cyclopts.CycloptsError) -> str:
    """The option that the command does not have; empty for other errors."""
    if isinstance(error, cyclopts.UnknownOptionError):
        return error.token.keyword or error.token.value
    if not isinstance(error, cyclopts.ValidationError) or not error.argument:
        return ""
    for token in error.argument.tokens[:1]:
        if not token.keyword and token.value.startswith("--"):  # an argument may begin with one hyphen
            return token.value
    return ""


def _arguments(error: cyclopts.CycloptsError) -> Iterable[cyclopts.Argument]:
    """Those of the command that was called."""
    if isinstance(error, cyclopts.UnknownOptionError):
        return error.argument_collection
    return error.app.assemble_argument_collection() if error.app else ()


def _is_in_place(arguments: list[str]) -> bool:
    """Whether a run of a folder names no output: the texts that it has are those beside the pictures."""
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), arguments[1:]))
    is_named = any(word.startswith(("--output", "-o")) for word in arguments)
    return arguments[0] == "caption" and not is_named and len(words) == 1 and _is_folder(words[0])


def _help_of(error: cyclopts.CycloptsError, arguments: list[str]) -> str:
    """A hint at the help of the command that was called."""
    words = list(itertools.takewhile(lambda word: not word.startswith("-"), arguments))
    words = words[: 2 if words[:1] in (["batch"], ["ray"]) else 1]
    if isinstance(error, cyclopts.UnknownCommandError):
        words = words[:-1]
    return f"; see `{' '.join(('cutline', *words, '--help'))}`"
