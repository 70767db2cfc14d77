"""A captioner around another one, to build on: retry, limits and tracing override what they change."""

from __future__ import annotations

import copy
from collections.abc import Coroutine, Hashable, Mapping
from typing import Any, Self

from cutline.imaging import Picture
from cutline.interfaces import Captioner, Say, silent
from cutline.prompts import Prompt
from cutline.records import Reply, Slowdown


class Wrapper(Captioner):
    """Forwards everything to ``inner``."""

    def __init__(self, inner: Captioner) -> None:
        self.inner = inner
        self.name = inner.name
        self.profile = inner.profile

    def around(self, inner: Captioner) -> Self:
        """The same wrapper, with the same state, around another captioner."""
        other = copy.copy(self)
        Wrapper.__init__(other, inner)
        return other

    def adjusted(self, parameters: Mapping[str, Any]) -> Captioner:
        return self.around(self.inner.adjusted(parameters))

    async def open(self, say: Say = silent) -> None:
        await self.inner.open(say)

    # Not coroutines: each would be resumed with the innermost one, at every step of a request.
    def prepare(self, picture: Picture) -> Coroutine[Any, Any, None]:
        return self.inner.prepare(picture)

    def check_prompt(self, prompt: Prompt) -> None:
        self.inner.check_prompt(prompt)

    def caption(self, picture: Picture, prompt: Prompt) -> Coroutine[Any, Any, Reply]:
        return self.inner.caption(picture, prompt)

    def halt(self) -> None:
        self.inner.halt()

    async def aclose(self) -> None:
        await self.inner.aclose()

    @property
    def slots(self) -> int:
        return self.inner.slots

    @property
    def at_once(self) -> int:
        return self.inner.at_once

    @property
    def in_flight(self) -> int:
        return self.inner.in_flight

    @property
    def slowdown(self) -> Slowdown:
        return self.inner.slowdown

    @property
    def retries(self) -> Mapping[str, int]:
        return self.inner.retries

    @property
    def limit_key(self) -> Hashable:
        return self.inner.limit_key
