"""A job's options from environment variables."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from cyclopts import Token

from cutline.errors import ConfigError
from cutline.formatting import nearest
from cutline.terminal import print_error

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
"""Variables with a name of their own; those of other options begin with PREFIX."""
_OTHERWISE = {
    "--model": "MODEL_NAME",
    "--input-path": "DATA_PATH",
    "--data": "DATA_PATH",
    "--prompt": "PROMPT_PATH",
    "--output": "OUTPUT_PATH",
    "--max-concurrent-requests": "NUM_OF_THREADS",
    "--max-side": "IMAGE_TARGET_SIZE",
}
"""Options of `cutline caption` and the variable for them here."""
_MIN_SIMILARITY: Final = 0.87
"""Names at least this similar are taken for misspelt ones; MODULE_NAME and NODE_NAME are below."""
_SECRET = frozenset({"--api-key", "--header", "--query"})
_OPTION = re.compile(r"(?<![\w-])--[a-z-]*[a-z](?!\.?\w)")


def from_environment(_: App, __: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Add the values of variables to the arguments, which take precedence. Empty variables are ignored.

    Raises ConfigError for a variable with a job's prefix that names no option, and for a misspelt name.
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
            alike = nearest(option, by_name, cutoff=0.7)
            hint = f"; did you mean {_variable(alike[0])}?" if alike else ""
            hint = f"; it is {_OTHERWISE[option]}" if option in _OTHERWISE else hint
            raise ConfigError(f"{variable} is not a setting: `cutline job` has no option {option}{hint}")
        _add(argument, option, variable, text.strip())
    _refuse_misspelt(by_name)


def _variable(option: str) -> str:
    named = {option: variable for variable, option in NAMED.items()}
    return named.get(option) or PREFIX + option.removeprefix("--").replace("-", "_").upper()


def _refuse_misspelt(options: Mapping[str, Argument]) -> None:
    """Raise ConfigError for a variable that resembles one of a job's that is not set.

    A name with one more word, such as HF_MODEL_NAME, is another program's; so are the service's settings.
    """
    variables = {_variable(option): argument for option, argument in options.items()}
    for name, text in sorted(os.environ.items()):
        foreign = name.startswith("CUTLINE_") and not name.startswith("CUTLINE_J")
        if foreign or name in variables or name.startswith(PREFIX) or not text.strip():
            continue
        for known in nearest(name.upper(), variables, cutoff=_MIN_SIMILARITY):
            if f"_{known}_" not in f"_{name}_" and not variables[known].tokens:
                raise ConfigError(
                    f"{name} is not a setting of `cutline job`: did you mean {known}? "
                    "Rename it, or remove it from the environment"
                )


def with_variables(text: str, options: Collection[str]) -> str:
    """Add the variables of the options named in a message; ``options`` are a job's."""
    names = {option: variable for variable, option in NAMED.items()} | _OTHERWISE
    named = []
    for option in dict.fromkeys(_OPTION.findall(text)):
        own = PREFIX + option.removeprefix("--").replace("-", "_").upper() if option in options else ""
        variable = names.get(option, own)
        if variable and variable not in text:
            named.append(variable)
    return f"{text} (in the environment: {', '.join(named)})" if named else text


def _add(argument: Argument, option: str, variable: str, text: str) -> None:
    values = [text]
    if str(argument.hint).startswith("tuple") and text.startswith("["):  # several, as a JSON list
        with contextlib.suppress(ValueError):
            values = [str(value) for value in json.loads(text)]
    given = [token.value for token in argument.tokens]
    if not given:
        for index, value in enumerate(values):
            argument.append(Token(keyword=variable, value=value, source="environment", index=index))
    elif given != values and option not in _SECRET:
        note = f"{option} {' '.join(given)} takes precedence over {variable}={text} in the environment"
        print_error(note)
