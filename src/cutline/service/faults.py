"""What is wrong with a request, in the words of HTTP: fields, and not options of a command line."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from typing import Any, Final

from fastapi import HTTPException
from pydantic import BaseModel, ValidationError

_OPTION: Final = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)")
_LONGEST: Final = 200


def refusal_of(error: ValidationError, kind: type[BaseModel]) -> HTTPException:
    """The answer to a body that is no ``kind``; of what is wrong it names the first."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return HTTPException(400, f"the body is no JSON: {first['ctx']['error']}")
    where = ".".join(str(part) for part in first["loc"])[:_LONGEST]
    if first["type"] == "extra_forbidden":
        return HTTPException(422, f"there is no field {where}{_meant(where, list(_fields(kind)))}")
    return HTTPException(422, f"{where}: {told(first['msg'])}".lstrip(": "))


def told(message: str) -> str:
    """A message of pydantic's without its own prefix."""
    return message.removeprefix("Value error, ")


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
