"""A job's options from the environment, where the arguments do not say them."""

from __future__ import annotations

import difflib
import json
import os
import re
import sys
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from cyclopts import Token

from cutline.errors import ConfigError

if TYPE_CHECKING:
    from cyclopts import App, Argument, ArgumentCollection

PREFIX = "CUTLINE_JOB_"
NAMED = {
    "MODEL_NAME": "--model-name",
    "DATA_PATH": "--data-path",
    "PROMPT_PATH": "--prompt-path",
    "OUTPUT_PATH": "--output-path",
    "NUM_OF_THREADS": "--num-of-threads",
    "IMAGE_TARGET_SIZE": "--image-target-size",
    "URL_COLUMN": "--url-column",
}
"""The variables with a name of their own; any other option's begins with PREFIX."""
_OTHERWISE = {
    "--model": "MODEL_NAME",
    "--input-path": "DATA_PATH",
    "--data": "DATA_PATH",
    "--prompt": "PROMPT_PATH",
    "--output": "OUTPUT_PATH",
    "--max-concurrent-requests": "NUM_OF_THREADS",
    "--max-side": "IMAGE_TARGET_SIZE",
}
"""What those who know `cutline caption` may look for, and the variable that it is here."""
_ALIKE: Final = 0.87
"""How much a variable must be like one of a job's to be a slip: below lie MODULE_NAME and NODE_NAME."""
_SECRET = frozenset({"--api-key"})
_OPTION = re.compile(r"(?<![\w-])--[a-z-]*[a-z](?!\.?\w)")


def from_environment(_: App, __: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Add what variables say to the arguments, which win. A variable that is set to nothing is not set.

    Raises:
        ConfigError: a variable begins as a job's do, and there is no such option; or it nearly is one.
    """
    by_name = {name: argument for argument in arguments for name in argument.names if argument.parse}
    for variable, text in sorted(os.environ.items()):
        option = NAMED.get(variable)
        if option is None and variable.startswith(PREFIX):
            option = "--" + variable.removeprefix(PREFIX).lower().replace("_", "-")
        if option is None or not text.strip():
            continue
        argument = by_name.get(option)
        if argument is None:
            raise ConfigError(
                f"{variable} is no setting: `cutline job` has no option {option}{_meant(option, by_name)}"
            )
        _add(argument, option, variable, text.strip())
    _refuse_slips(by_name)


def _variable(option: str) -> str:
    named = {option: variable for variable, option in NAMED.items()}
    return named.get(option) or PREFIX + option.removeprefix("--").replace("-", "_").upper()


def _meant(option: str, options: Collection[str]) -> str:
    if option in _OTHERWISE:
        return f"; it is {_OTHERWISE[option]}"
    alike = difflib.get_close_matches(option, options, n=1, cutoff=0.7)
    return f"; did you mean {_variable(alike[0])}?" if alike else ""


def _refuse_slips(options: Mapping[str, Argument]) -> None:
    """Raises ConfigError for a variable that nearly is one of a job's, which nothing says otherwise.

    A name with a word more, such as HF_MODEL_NAME, is somebody else's; so are the service's settings.
    """
    variables = {_variable(option): argument for option, argument in options.items()}
    for name, text in sorted(os.environ.items()):
        foreign = name.startswith("CUTLINE_") and not name.startswith("CUTLINE_J")
        if foreign or name in variables or name.startswith(PREFIX) or not text.strip():
            continue
        for meant in difflib.get_close_matches(name.upper(), variables, n=1, cutoff=_ALIKE):
            if f"_{meant}_" not in f"_{name}_" and not variables[meant].tokens:
                raise ConfigError(
                    f"{name} is no setting of `cutline job`: did you mean {meant}? "
                    "Rename it, or take it out of the environment"
                )


def with_variables(text: str, options: Collection[str]) -> str:
    """A message, with the variables that say the same as the options it names; ``options`` are a job's."""
    names = {option: variable for variable, option in NAMED.items()} | _OTHERWISE
    named = []
    for option in dict.fromkeys(_OPTION.findall(text)):
        own = PREFIX + option.removeprefix("--").replace("-", "_").upper() if option in options else ""
        variable = names.get(option, own)
        if variable and variable not in text:
            named.append(variable)
    return f"{text} (in the environment: {', '.join(named)})" if named else text


def _add(argument: Argument, option: str, variable: str, text: str) -> None:
    values = _values(text) if _is_list(argument) else [text]
    given = [token.value for token in argument.tokens]
    if not given:
        for index, value in enumerate(values):
            argument.append(Token(keyword=variable, value=value, source="environment", index=index))
    elif given != values and option not in _SECRET:
        note = f"{option} {' '.join(given)} is used, not {variable}={text} of the environment"
        print(f"cutline: {note}", file=sys.stderr)  # noqa: T201 - the command line speaks


def _is_list(argument: Argument) -> bool:
    return str(argument.hint).startswith("tuple")


def _values(text: str) -> list[str]:
    """Several values as a JSON list, one as it is."""
    if text.startswith("["):
        try:
            found = json.loads(text)
        except ValueError:
            return [text]
        return [str(value) for value in found]
    return [text]
