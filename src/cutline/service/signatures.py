"""How webhooks are signed: as standardwebhooks.com says, by HMAC-SHA256 over id, time and body."""

from __future__ import annotations

import base64
import hashlib
import hmac

from cutline.errors import ConfigError


def key_of(secret: str) -> bytes:
    """The signing key: the secret itself, or what ``whsec_…`` holds as base64.

    Raises:
        ConfigError: that is no base64.
    """
    if not secret.startswith("whsec_"):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        raise ConfigError("--webhook-secret begins with whsec_ but no base64 follows") from None


def signature(key: bytes, message: str, timestamp: int, body: bytes) -> str:
    signed = f"{message}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
