"""API keys and passwords that cannot be printed by accident."""

from __future__ import annotations

import os
import re
from pathlib import Path

from cutline.errors import ConfigError
from cutline.files import not_there
from cutline.named_files import read_named

_MOST_BYTES = 10_000
_SHORTEST = 8  # letters from which a key cannot be mistaken for a word
_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD")


def without_credentials(url: str) -> str:
    """The URL as it may be shown: no user, no password, no query."""
    scheme, mark, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    return f"{scheme}{mark}{place.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


def bare_address(text: str) -> str:
    """What may not be a URL as messages may show it: without all that is before its last ``@``."""
    scheme, mark, rest = text.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def without_keys(text: str) -> str:
    """``text`` without the keys in this process's environment, which a foreign message may repeat."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and name.upper().endswith(_SECRET_NAMES):
            text = text.replace(value, "…")
    return text


def given_key(key: str | None, file: str | Path | None = None, *, option: str = "--api-key") -> Secret | None:
    """The key from ``key`` or ``file``; None for neither, and for an empty one.

    ``option`` is the option's name in messages.

    Raises:
        ConfigError: both were given; or the file cannot be read, or holds no key.
    """
    if file is None:
        return Secret(key) if key else None
    if key is not None:
        raise ConfigError(f"{option} and {option}-file exclude each other: give one of them")
    try:
        text = read_named(Path(file), _MOST_BYTES).decode("utf-8", "replace").strip()
    except FileNotFoundError:
        raise ConfigError(f"cannot read the key: {not_there(file)}") from None
    except OSError as error:
        raise ConfigError(f"cannot read the key in {file}: {error.strerror}") from None
    if not text:
        raise ConfigError(f"{file} is empty: it must hold the key and nothing else")
    secret = Secret(text)
    secret.check()
    return secret


class Secret:
    """A key. Its repr, str, format and pickle never show it; only ``reveal`` does."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def check(self) -> None:
        """Raises ConfigError for a key that could not be sent and would break the request."""
        if not self._value.isascii() or not self._value.isprintable() or " " in self._value:
            raise ConfigError("the key holds a blank, a line break or an invalid letter: copy it again")

    def redact(self, text: str) -> str:
        """``text`` without the key, for messages that an endpoint wrote.

        A short key is removed only as a whole word.
        """
        if len(self._value) >= _SHORTEST:
            return text.replace(self._value, "…")
        return re.sub(rf"(?<!\w){re.escape(self._value)}(?!\w)", "…", text) if self._value else text

    def redact_bytes(self, content: bytes) -> bytes:
        """``content`` without the key, for replies that are stored; a short key is left in."""
        value = self._value.encode()
        if len(value) < _SHORTEST or value not in content:
            return content
        return content.replace(value, "…".encode())

    def __repr__(self) -> str:
        return "Secret(…)"

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled; pass the name of its environment variable instead")


class Secrets:
    """All that is secret about the requests to an endpoint."""

    __slots__ = ("_secrets",)

    def __init__(self, *secrets: Secret | None) -> None:
        # The longest first: another may be a part of it.
        known = (secret for secret in secrets if secret is not None)
        self._secrets = sorted(known, key=lambda secret: -len(secret.reveal()))

    def redact(self, text: str) -> str:
        """``text`` without any of them, as ``Secret.redact``."""
        for secret in self._secrets:
            text = secret.redact(text)
        return text

    def redact_bytes(self, content: bytes) -> bytes:
        """``content`` without any of them, as ``Secret.redact_bytes``."""
        for secret in self._secrets:
            content = secret.redact_bytes(content)
        return content

    def __repr__(self) -> str:
        return "Secrets(…)"
