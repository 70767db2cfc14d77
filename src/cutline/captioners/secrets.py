"""API keys and passwords that cannot be printed by accident."""

from __future__ import annotations


def without_credentials(url: str) -> str:
    """The URL as it may be shown: no user, no password, no query."""
    scheme, mark, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{mark}{place.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


class Secret:
    """A key. Its repr, str, format and pickle never show it; only ``reveal`` does."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def redact(self, text: str) -> str:
        """``text`` without the key, for messages that an endpoint wrote."""
        return text.replace(self._value, "…") if self._value else text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled; pass the name of its environment variable instead")
