"""Responses that a page gets when a test wants it to; for tests of what is done before a response comes."""

from __future__ import annotations

import contextlib
import re
from typing import Any

from playwright.sync_api import Error

from processes import wait_until


class Held:
    """Requests that have got their response from the server, which the page has not."""

    def __init__(self, page: Any, pattern: str, method: str = "") -> None:
        self._page = page
        self._waiting: list[tuple[Any, Any]] = []
        self._method = method
        self._holds = True
        page.route(re.compile(pattern), self._hold)

    def _hold(self, route: Any) -> None:
        if not self._holds or (self._method and route.request.method != self._method):
            route.fallback()
            return
        with contextlib.suppress(Error):  # the page may be closed meanwhile
            response = route.fetch()
            if self._holds:
                self._waiting.append((route, response))
            else:
                route.fulfill(response=response)

    def wait(self, count: int = 1) -> None:
        wait_until(lambda: self._page.evaluate("1") and len(self._waiting) >= count)

    def release(self) -> None:
        """Let the page have all responses, and those of later requests at once."""
        self._holds = False
        for route, response in self._waiting:
            route.fulfill(response=response)
