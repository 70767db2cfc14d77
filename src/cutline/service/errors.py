"""What is wrong with a request: one exception, and pydantic's errors in plain words.

``ServiceError`` may be raised in every room; only ``http.responses`` makes an HTTP response of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from cutline.errors import CutlineError
from cutline.option_names import suggested_option

_OPTION: Final = re.compile(r"(?<![\w-])--([a-z]+(?:-[a-z]+)*)")
_QUOTED_PATH: Final = re.compile(r"""(['"])((?:[A-Za-z]:|\\\\|~|\.{0,2}/)[^'"\n]*[/\\][^'"\n]*)\1""")
_PATH: Final = re.compile(
    r"(?<![\w/\\.~:-])(?:(?:~|\.{1,2})?/|[A-Za-z]:\\|\\\\)[^\s'\"/\\:,;()<>|]+(?:[/\\]+[^\s'\"/\\:,;()<>|]+)+"
    r"(?:(?: [^\s'\"/\\:,;()<>|]+){1,3}[/\\][^\s'\"/\\:,;()<>|]+)*[/\\]?"  # blanks in folders' names
    r"|(?<=[\w-]:)(?:\.{1,2}|~)?/[^\s'\"/:,;()<>|][^\s'\":,;()<>|]*/[^\s'\":,;()<>|]+"  # hf:/models/x
)
_MAX_NAME: Final = 200
DEPRECATED: Final = "wish"
"""The JSON field that held the options before they stood beside the picture."""
_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "json_invalid": "is not valid JSON: {error}",
    "too_short": "must have {min_length} or more items",
    "too_long": "can have at most {max_length} items",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "can have at most {max_length} characters",
    "string_pattern_mismatch": "has the wrong format",
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "can be at most {le}",
    "less_than": "must be less than {lt}",
    "literal_error": "must be {expected}",
    "list_type": "must be a list",
    "union_tag_invalid": "needs a {discriminator} of {expected_tags}",
    "union_tag_not_found": "needs a {discriminator}",
}
"""Messages by pydantic's types of errors: its own name its classes."""
_MESSAGES_BY_PREFIX: Final = (
    (("int_",), "must be a whole number"),
    (("float_", "finite_", "decimal_"), "must be a number"),
    (("bool_",), "must be true or false"),
    (("string_", "bytes_"), "must be a string"),
    (("path_",), "must be a path"),
    (("dict_", "model_", "mapping_"), "must be an object with fields"),
)


class ServiceError(CutlineError):
    """A request that cannot be answered, and why.

    ``status`` is an HTTP status, ``kind`` a short stable word for the reason, and ``param`` the field at
    fault, which only responses below ``/v1`` have.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        kind: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.kind, self.param = status, message, kind, param
        self.headers = dict(headers or {})


class Overloaded(ServiceError):
    """No more can be held; nothing was done, so the request can be sent again."""

    def __init__(self) -> None:
        message = "too many requests are waiting: try again later"
        super().__init__(503, message, kind="overloaded", headers={"Retry-After": "2"})


def invalid_body(error: ValidationError, kind: type[BaseModel]) -> ServiceError:
    """The error for a body that is not a ``kind``; names the first thing that is wrong."""
    first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return ServiceError(400, f"the body is not valid JSON: {first['ctx']['error']}")
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return unknown_field(name, list(_field_names(kind)))
    return ServiceError(422, field_message(name[:_MAX_NAME], first))


# The fields of a picture, by what clients of other services call them.
_PICTURES: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("url", "uri", "image_uri", "img_url", "link"), ("image_url",)),
    **dict.fromkeys(("path", "file_path", "filename", "file_name"), ("image_path",)),
    **dict.fromkeys(("base64", "b64", "data", "image_data", "image_b64", "bytes"), ("image_base64",)),
    **dict.fromkeys(
        ("file", "image", "image_file", "img", "input", "photo", "picture"),
        ("image_url", "image_path", "image_base64"),
    ),
}
_CONTENTS: Final[Mapping[str, str]] = {
    "image_url": "a URL",
    "image_path": "a path below an image root",
    "image_base64": "the file as base64",
    "image_urls": "URLs",
    "image_paths": "paths below an image root",
    "images_base64": "the files as base64",
}


def _singular(name: str) -> str:
    return name.removesuffix("s").replace("images_", "image_")


def unknown_field(name: str, known: Collection[str]) -> ServiceError:
    """The error for a field that does not exist, with what may have been meant."""
    name = name[:_MAX_NAME]
    last = name.rpartition(".")[2]
    elsewhere = [field for field in known if field.rpartition(".")[2] == last]
    word = last.casefold()
    fields = _PICTURES.get(word) or _PICTURES.get(_singular(word), ())
    pictures = [field for field in known if _singular(field.rpartition(".")[2]) in fields]
    if near := elsewhere or pictures:
        if len(near) > 1:
            near = [f"{field} ({_CONTENTS[field]})" if field in _CONTENTS else field for field in near]
        return ServiceError(422, f"there is no field {name}; did you mean {' or '.join(near[:3])}?")
    if hint := suggested_option(name, known, lambda field, _: field):
        return ServiceError(422, f"there is no field {name}{hint.replace(',', ';', 1)}")
    listed = [field for field in known if field.partition(".")[0] != DEPRECATED]
    return ServiceError(422, f"there is no field {name}; there are {', '.join(listed)}")


def unknown_parameter(name: str, known: Collection[str]) -> ServiceError:
    """The error for a query parameter that a path does not have, with those that it has."""
    name = name[:_MAX_NAME]
    if not known:
        return ServiceError(422, f"this path has no query parameters: leave out {name}")
    hint = suggested_option(name, known, lambda parameter, _: parameter).replace(",", ";", 1)
    return ServiceError(422, f"there is no query parameter {name}{hint or '; there are ' + ', '.join(known)}")


def field_message(name: str, error: Mapping[str, Any]) -> str:
    """One of pydantic's errors about that field, or about the whole body where it has no name."""
    if error["type"] == "value_error" and not name:
        return value_message(error)
    return f"{name}: {value_message(error)}" if name else f"the body {value_message(error)}"


def value_message(error: Mapping[str, Any]) -> str:
    """The same without the field's name."""
    kind, context = str(error["type"]), error.get("ctx", {})
    if kind == "value_error":  # raised by our validators
        return str(error["msg"]).removeprefix("Value error, ")
    if kind in _MESSAGES:
        return _MESSAGES[kind].format_map(context)
    return next(
        (message for prefix, message in _MESSAGES_BY_PREFIX if kind.startswith(prefix)), "cannot be used"
    )


def with_field_names(message: str) -> str:
    """``message`` with ``--max-tokens`` as the field ``max_tokens``, and of the server's paths the last part.

    For what was written for the operator. Names that clients sent are shown as they are elsewhere.
    """
    message = _OPTION.sub(lambda found: found[1].replace("-", "_"), message)
    message = _QUOTED_PATH.sub(lambda found: found[1] + _last_part(found[2]) + found[1], message)
    return _PATH.sub(lambda found: _last_part(found[0]), message)


def _last_part(path: str) -> str:
    return re.split(r"[/\\]", path.rstrip("/\\"))[-1]


def _field_names(kind: type[BaseModel]) -> Iterator[str]:
    for name, field in kind.model_fields.items():
        yield (alias := field.alias or name)
        inner: Any = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from (f"{alias}.{one}" for one in _field_names(inner))
