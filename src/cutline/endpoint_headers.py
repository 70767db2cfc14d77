"""Headers and query parameters of every request to an endpoint, as ``--header`` and ``--query`` give them."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cutline.credentials import Secret
from cutline.errors import ConfigError

_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # a token of RFC 9110
_REFERENCE: Final = re.compile(r"\$(?:(?P<dollar>\$)|(?P<name>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\}|)")
_OF_THE_CONNECTION: Final = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "te"}
    | {"upgrade", "expect", "trailer", "keep-alive", "accept-encoding"}
)
_OF_A_KEY: Final = frozenset({"authorization", "api-key", "x-api-key", "x-goog-api-key"})
_LONG: Final = 16  # letters from which a value that is given as it is may be a secret
_SHORT: Final = 8  # the same where the name says so
_OF_A_SECRET: Final = re.compile(r"key|token|secret|auth|sig|pass|credential", re.IGNORECASE)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EndpointHeaders:
    """What is sent besides the key; its values are in no repr.

    ``query``: names and values in their order. ``secrets``: what no stored reply or message may hold.
    """

    headers: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)
    query: tuple[tuple[str, str], ...] = dataclasses.field(default=(), repr=False)
    secrets: tuple[Secret, ...] = ()

    @property
    def holds_key(self) -> bool:
        """Whether one of the headers is where services look for a key."""
        return any(name.lower() in _OF_A_KEY for name in self.headers)

    @property
    def holds_authorization(self) -> bool:
        """Whether one of the headers is the one that a key is sent in."""
        return any(name.lower() == "authorization" for name in self.headers)


def endpoint_headers(headers: Sequence[str], query: Sequence[str]) -> EndpointHeaders:
    """The values with the environment's in place of ``$VARIABLE``.

    Raises:
        ConfigError: one cannot be sent, or its variable is not set; no message holds a value.
    """
    check_headers(headers, query)
    secrets: list[Secret] = []
    sent = {name: _resolved(f"--header {name}", value, secrets) for name, value in map(_header, headers)}
    named = tuple((name, _resolved(f"--query {name}", value, secrets)) for name, value in map(_pair, query))
    for name, value in sent.items():
        if not value.isascii() or not value.isprintable():
            raise ConfigError(f"--header {name} holds a line break or a letter that no header can have")
    return EndpointHeaders(headers=sent, query=named, secrets=tuple(secrets))


def check_headers(headers: Iterable[str], query: Iterable[str]) -> None:
    """Raise ConfigError for what is not a header or parameter, or is given twice."""
    names: set[str] = set()
    for name, value in map(_header, headers):
        if not _NAME.fullmatch(name):
            raise ConfigError("--header: the name holds a blank or an invalid letter; write 'NAME: VALUE'")
        if name.lower() in _OF_THE_CONNECTION:
            raise ConfigError(f"--header {name} is set by the connection itself; remove it")
        if name.lower() in names:
            raise ConfigError(f"--header {name} is given twice; remove one")
        names.add(name.lower())
        _check_references(f"--header {name}", value)
    for name, value in map(_pair, query):
        _check_references(f"--query {name}", value)


def without_reference(headers: Iterable[str], query: Iterable[str]) -> str | None:
    """The first whose value is given as it is, as an option with its name; such a value is not stored."""
    given = [(f"--header '{name}: ", "'", value) for name, value in map(_header, headers)]
    given += [(f"--query '{name}=", "'", value) for name, value in map(_pair, query)]
    for begin, end, value in given:
        if not any(match["name"] or match["braced"] for match in _REFERENCE.finditer(value)):
            return f"{begin}$VARIABLE{end}"
    return None


def variables_in(headers: Iterable[str], query: Iterable[str]) -> set[str]:
    """The names of the environment's variables that they refer to."""
    values = (value for _, value in (*map(_header, headers), *map(_pair, query)))
    found = (match for value in values for match in _REFERENCE.finditer(value))
    return {match["name"] or match["braced"] for match in found if match["name"] or match["braced"]}


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not value.strip():
        raise ConfigError("--header needs a name and a value: write --header 'NAME: $VARIABLE'")
    return name.strip(), value.strip()


def _pair(text: str) -> tuple[str, str]:
    name, mark, value = text.partition("=")
    if not mark or not name.strip():
        raise ConfigError("--query needs a name and a value: write --query 'NAME=$VARIABLE'")
    return name.strip(), value


def _check_references(option: str, value: str) -> None:
    if any(match[0] == "$" for match in _REFERENCE.finditer(value)):
        raise ConfigError(f"{option} holds a $ without the name of a variable; write $$ for a dollar sign")


def _resolved(option: str, value: str, secrets: list[Secret]) -> str:
    def found(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name = match["name"] or match["braced"]
        text = os.environ.get(name, "").strip()
        if not text:
            raise ConfigError(f"{option}: the environment variable {name} is not set")
        secrets.append(Secret(text))
        secrets.extend(Secret(part) for part in text.split() if part != text)
        return text

    resolved = _REFERENCE.sub(found, value)
    least = _SHORT if _OF_A_SECRET.search(option) else _LONG
    parts = (part for part in resolved.split() if len(part) >= least and not part.isalpha())
    secrets.extend(map(Secret, parts))
    return resolved
