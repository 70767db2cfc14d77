"""Variables in prompts: ``{name}`` and ``{step.field}``, and nothing else that ``str.format`` can do."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from cutline.errors import SampleError
from cutline.formatting import nearest, without_signatures
from cutline.records import Sample
from cutline.storage import is_url

NAMED = 12  # variables that an error lists
_NAME = r"[^\W\d][\w-]*(?:\.[^\W\d][\w-]*)*"
# Braces around anything but a name are text, so that JSON can be written in a prompt as it is.
_VARIABLE = re.compile(rf"\{{\{{(?P<literal>{_NAME})\}}\}}|\{{(?P<name>{_NAME})\}}")
_NOT_A_NAME = re.compile(r"[^\w-]+")


def any_in(*texts: str) -> bool:
    """Whether rendering would change any of ``texts``; doubled braces count too."""
    return any("{" in text and _VARIABLE.search(text) for text in texts)


def find(*texts: str) -> tuple[str, ...]:
    names = (match["name"] for text in texts if "{" in text for match in _VARIABLE.finditer(text))
    return tuple(dict.fromkeys(name for name in names if name))


def substitute(template: str, values: Mapping[str, Any]) -> str:
    """``template`` with each variable replaced once; SampleError ``prompt-variable``."""

    def replaced(match: re.Match[str]) -> str:
        if match["literal"]:
            return "{" + match["literal"] + "}"
        name = match["name"]
        if (value := look_up(name, values)) is None and name not in values:
            raise SampleError("prompt-variable", _unknown(name, values))
        return _text_of(name, value)

    return _VARIABLE.sub(replaced, template) if "{" in template else template


def escape(text: str) -> str:
    """``text`` as a template that renders to it: ``{name}`` becomes ``{{name}}``."""
    return re.sub(rf"\{{({_NAME})\}}", r"{{\1}}", text)


def sample_variables(sample: Sample) -> dict[str, Any]:
    """The variables of ``sample``: key, path, file_name, stem, folder, text, and its metadata.

    A metadata column wins over a built-in of the same name. ``folder`` is the name of the folder
    the picture is in, without its parents.
    """
    shown = without_signatures(sample.path)  # the model is as foreign as any reader
    path = PurePath(shown.partition("?")[0] if is_url(shown) else shown)
    known = {
        "key": without_signatures(sample.key),
        "path": shown,
        "file_name": path.name,
        "stem": path.stem,
        "folder": path.parent.name,
        "text": sample.text,
    }
    return known | dict(sample.metadata)


def look_up(name: str, values: Mapping[str, Any]) -> Any:
    """The value of a variable, also of a dotted one; None where there is none."""
    if name in values:
        return values[name]
    value: Any = values
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value[part] if part in value else _by_spoken_name(part, value)
    return value


def _by_spoken_name(name: str, values: Mapping[str, Any]) -> Any:
    """The value of the column ``Product name`` for the variable ``Product_name``."""
    for column, value in values.items():
        if isinstance(column, str) and _NOT_A_NAME.sub("_", column) == name:
            return value
    return None


def _unknown(name: str, values: Mapping[str, Any]) -> str:
    known = [_NOT_A_NAME.sub("_", column) for column in values if isinstance(column, str)]
    within = [f"{column}.{name}" for column, value in values.items() if look_up(f"{column}.{name}", values)]
    close = within or nearest(name, known)
    meant = f", did you mean {{{close[0]}}}?" if close else ""
    shown = ", ".join(known[:NAMED]) + (", …" if len(known) > NAMED else "")
    return (
        f"the prompt's variable {{{name}}} is unknown to this sample{meant or ':'} it has {shown}"
        f" (write literal braces twice: {{{{{name}}}}})"
    )


def _text_of(name: str, value: Any) -> str:
    if isinstance(value, str):
        text = value
    elif value is None:
        text = ""
    elif isinstance(value, bytes):
        raise SampleError("prompt-variable", f"the prompt's variable {{{name}}} holds bytes, not text")
    elif isinstance(value, list | tuple):
        text = ", ".join(_text_of(name, item) for item in value)
    elif isinstance(value, Mapping):
        text = json.dumps(value, ensure_ascii=False, default=str)
    else:
        text = str(value)
    if not text.strip():
        raise SampleError(
            "prompt-variable",
            f"this sample has no value for the prompt's variable {{{name}}}"
            f" (write literal braces twice: {{{{{name}}}}})",
        )
    return text.encode(errors="replace").decode()  # lone surrogates could not be sent
