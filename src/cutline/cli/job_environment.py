"""A job's options from the environment, where the arguments do not say them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING

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
_SECRET = frozenset({"--api-key"})
_OPTION = re.compile(r"(?<![\w-])--[a-z-]*[a-z](?!\.?\w)")


def from_environment(_: App, __: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Add what variables say to the arguments, which win. A variable that is set to nothing is not set.

    Raises:
        ConfigError: a variable begins as a job's do, and there is no such option.
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
            named = _OTHERWISE.get(option, "")
            meant = f"; it is {named}" if named else ""
            raise ConfigError(f"{variable} is no setting: `cutline job` has no option {option}{meant}")
        _add(argument, option, variable, text.strip())


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
