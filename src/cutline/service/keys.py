"""The keys that clients may send, from the settings and a file that may change; and those of webhooks."""

from __future__ import annotations

import base64
import hmac
import logging
import re
import time
from pathlib import Path
from typing import Final

from cutline.credentials import Secret
from cutline.errors import ConfigError
from cutline.setting_files import read_text

_log = logging.getLogger("cutline.service")

CHECK_SECONDS: Final = 1.0  # between looks at the file
_LINE: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})\s*[:=]\s*(\S.*)")


class Keys:
    """Compares what a client sends with all keys, in a time that does not depend on it.

    A file has one ``name: key`` a line; a name may have several keys, the old and the new one. Raises
    ConfigError when the file cannot be used; one that is damaged later changes nothing, and is logged.
    """

    def __init__(self, key: str | None, file: Path | None) -> None:
        self._own = [("default", key.encode())] if key is not None else []
        self._file, self._stamp = file, (0, 0)
        self._looked = 0.0
        self._named: list[tuple[str, bytes]] = []
        if file is not None:
            self._named = read_keys(file)
            self._stamp = _stamp(file)

    @property
    def are_needed(self) -> bool:
        return bool(self._own) or self._file is not None

    def name_of(self, given: bytes) -> str | None:
        """The name of that key; None if it is not accepted."""
        self._refresh()
        found = None
        for name, key in (*self._own, *self._named):
            if hmac.compare_digest(given, key):
                found = name
        return found

    def _refresh(self) -> None:
        now = time.monotonic()
        if self._file is None or now - self._looked < CHECK_SECONDS:
            return
        self._looked = now
        stamp = _stamp(self._file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            named = read_keys(self._file)
        except ConfigError as error:
            _log.error("keys not read again cause=%s", error)
            return
        self._named = named
        _log.info("keys read again names=%s", ",".join(dict.fromkeys(name for name, _ in named)))


def read_keys(file: Path) -> list[tuple[str, bytes]]:
    """Names and keys of a file; raises ConfigError, which holds no key."""
    lines = read_text(file, "file of --api-keys-file").splitlines()
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ConfigError(f"--api-keys-file {file}, line {number}: write `name: key`")
        Secret(match[2]).check()
        found.append((match[1], match[2].encode()))
    if not found:
        raise ConfigError(f"--api-keys-file {file} holds no key: write `name: key`, one a line")
    return found


def signing_keys(secret: str) -> tuple[bytes, ...]:
    """The keys that sign webhooks with that secret; raises ConfigError.

    After ``whsec_`` the key is base64. Any other secret is a key itself; libraries of Standard Webhooks
    take it for base64 too, so it has a second key as they read it.
    """
    is_encoded = secret.startswith("whsec_")
    encoded = secret.removeprefix("whsec_")
    padded = encoded.rstrip("=") + "=" * (-len(encoded.rstrip("=")) % 4) if is_encoded else encoded + "=="
    try:
        decoded = base64.b64decode(padded, validate=is_encoded)
    except ValueError:
        decoded = b""
    if is_encoded and not decoded:
        raise ConfigError("--webhook-secret begins with whsec_ but is not base64 after it")
    return tuple(key for key in (b"" if is_encoded else secret.encode(), decoded) if key)


def _stamp(file: Path) -> tuple[int, int]:
    try:
        stat = file.stat()
    except OSError:
        return 0, 0
    return stat.st_mtime_ns, stat.st_size
