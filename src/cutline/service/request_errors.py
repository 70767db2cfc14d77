"""What is wrong with a request, in the words of HTTP: fields, and not options of a command line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from fastapi import HTTPException
from pydantic import BaseModel, ValidationError

_OPTION: Final = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)")
_LONGEST: Final = 200
_WORDS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "json_invalid": "is no JSON: {error}",
    "too_short": "must hold {min_length} or more",
    "too_long": "can hold {max_length} at most",
    "string_too_short": "must have {min_length} or more letters",
    "string_too_long": "can have {max_length} letters at most",
    "string_pattern_mismatch": "is not written as it must be",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "can be {le} at most",
    "less_than": "must be less than {lt}",
    "literal_error": "must be {expected}",
    "list_type": "must be a list",
}
"""What is said instead of a library's words, by its types of errors."""
_KINDS: Final = (
    (("int_",), "must be a whole number"),
    (("float_", "finite_", "decimal_"), "must be a number"),
    (("bool_",), "must be true or false"),
    (("string_", "bytes_"), "must be a text"),
    (("path_",), "must be a path"),
    (("dict_", "model_", "mapping_"), "must be an object with fields"),
)
"""And by how those begin, in this order, for the others."""


def refusal_of(error: ValidationError, kind: type[BaseModel]) -> HTTPException:
    """The answer to a body that is no ``kind``; of what is wrong it names the first."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return HTTPException(400, f"the body is no JSON: {first['ctx']['error']}")
    where = ".".join(str(part) for part in first["loc"])[:_LONGEST]
    if first["type"] == "extra_forbidden":
        return HTTPException(422, f"there is no field {where}{_meant(where, list(_fields(kind)))}")
    return HTTPException(422, told(where, first))


def told(where: str, error: Mapping[str, Any]) -> str:
    """What is wrong at that field, or with the whole body: one of pydantic's errors in our words."""
    return f"{where}: {words(error)}" if where else f"the body {words(error)}"


def words(error: Mapping[str, Any]) -> str:
    """The same without the field's name."""
    kind, about = str(error["type"]), error.get("ctx", {})
    if kind == "value_error":  # said by ourselves
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in _WORDS:
        return _WORDS[kind].format_map(about)
    return next((said for begins, said in _KINDS if kind.startswith(begins)), "cannot be used")


def without_options(message: str) -> str:
    """``--max-tokens`` as the field ``max_tokens``."""
    return _OPTION.sub(lambda found: found[1].replace("-", "_"), message)


def _fields(kind: type[BaseModel]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        yield (named := field.alias or name)
        inner: Any = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from (f"{named}.{one}" for one in _fields(inner))


def _meant(where: str, known: list[str]) -> str:
    """What may have been meant: the field of that name elsewhere, or one that is written nearly so."""
    last = where.rpartition(".")[2]
    elsewhere = [name for name in known if name.rpartition(".")[2] == last]
    if near := elsewhere or difflib.get_close_matches(where, known, n=1):
        return f"; did you mean {near[0]}?"
    inner = {name.partition(".")[0] for name in known if "." in name}
    return f"; there are {', '.join(name for name in known if name not in inner)}"
