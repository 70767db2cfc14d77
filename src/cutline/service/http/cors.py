"""Cross-origin requests of the sites that the operator allows.

https://fetch.spec.whatwg.org/#http-cors-protocol and https://wicg.github.io/private-network-access/
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

ANY: Final = "*"
_MAX_AGE: Final = "600"  # seconds that a browser keeps the answer to a preflight
_METHODS: Final = "GET, HEAD, POST, DELETE"
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~, -]{1,2000}")
_EXPOSED: Final = "Retry-After, WWW-Authenticate, X-Request-Id"


class CrossOrigin:
    """What browsers are allowed for pages of ``origins``; ``*`` stands for all, which get no credentials."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origin.lower().rstrip("/") for origin in origins)

    def allows(self, origin: str) -> bool:
        return ANY in self._origins or origin.lower() in self._origins

    def headers(self, origin: str) -> dict[str, str]:
        """The headers of every response to that origin, errors too."""
        if origin.lower() not in self._origins:
            return {"Access-Control-Allow-Origin": ANY, "Access-Control-Expose-Headers": _EXPOSED}
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Credentials": "true",
            "Access-Control-Expose-Headers": _EXPOSED,
        }

    def preflight(self, requested: Mapping[str, str]) -> dict[str, str]:
        """The further headers of the response to a preflight; it comes without the key."""
        names = requested.get("access-control-request-headers", "")
        headers = {
            "Access-Control-Allow-Methods": _METHODS,
            "Access-Control-Max-Age": _MAX_AGE,
        }
        if _HEADER_NAMES.fullmatch(names):
            headers["Access-Control-Allow-Headers"] = names
        if requested.get("access-control-request-private-network", "").lower() == "true":
            headers["Access-Control-Allow-Private-Network"] = "true"
        return headers
