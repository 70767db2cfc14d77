"""Captioners of other packages, which need no base class: ``name``, ``caption`` and ``aclose`` suffice."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, check_members
from cutline.parameters import COMMON
from cutline.prompts import Prompt
from cutline.records import Reply

_REQUIRED = ("caption", "aclose")
_OPTIONAL = ("open", "prepare", "check_prompt", "halt")


def adapt(made: Any, provider: str) -> Captioner:
    """A captioner that has all members, around ``made`` where that lacks some.

    Raises:
        ConfigError: a required member is missing.
    """
    if not isinstance(getattr(made, "name", None), str):
        raise ConfigError(
            f"the captioner {provider!r} needs a name: write `name = {provider!r}` in its class"
        )
    check_members(f"the captioner {provider!r}", made, Captioner, *_REQUIRED)
    return made if isinstance(made, Captioner) else _Adapted(made)


class _Adapted(Captioner):
    """Looks up once which optional members ``made`` has."""

    def __init__(self, made: Any) -> None:
        self.name = made.name
        self._made = made
        self.profile = getattr(made, "profile", Profile())
        self._adjusted = getattr(made, "adjusted", None)
        if self._adjusted is not None and not self.profile.parameters:
            self.profile = dataclasses.replace(self.profile, parameters=COMMON)
        # Their own methods take the place of the defaults.
        vars(self).update({name: getattr(made, name) for name in _OPTIONAL if hasattr(made, name)})
        self._has_slots, self._has_in_flight = hasattr(made, "slots"), hasattr(made, "in_flight")

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        reply: Reply = await self._made.caption(picture, prompt)
        return reply

    async def aclose(self) -> None:
        await self._made.aclose()

    def adjusted(self, parameters: Mapping[str, Any]) -> Captioner:
        if self._adjusted is None:
            return super().adjusted(parameters)
        return adapt(self._adjusted(parameters), self.name)

    @property
    def slots(self) -> int:
        return int(self._made.slots) if self._has_slots else 1

    @property
    def in_flight(self) -> int:
        return int(self._made.in_flight) if self._has_in_flight else 0
