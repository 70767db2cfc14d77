"""A chat about pictures, of which one is captioned and the others are shown."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from cutline.prompts import Example, Part, Prompt, Turn
from cutline.prompts.prompt import TARGET
from cutline.records import Sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ChatTurn:
    """A message: its texts, and the numbers of its pictures, in the order in which they were sent."""

    role: Literal["user", "assistant"]
    parts: tuple[str | int, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The parsed content of a chat.

    ``sample`` is the last picture, ``pictures`` are those before it; numbers count both. ``turns`` is empty
    for one message about one picture. ``text`` is the prompt for models that take one message, and
    ``explanation`` what follows the first of two pictures of a single message, which is an example then.
    """

    sample: Sample
    text: str
    pictures: tuple[Sample, ...] = ()
    turns: tuple[ChatTurn, ...] = ()
    explanation: str | None = None

    def prompt(self, prompt: Prompt, shown: Sequence[Example]) -> Prompt:
        """``prompt`` with the conversation; ``shown`` are its other pictures."""
        if not self.turns:
            return prompt
        example = None
        if self.explanation is not None:
            example = dataclasses.replace(shown[0], explanation=self.explanation)
        turns = tuple(
            Turn(role=turn.role, parts=tuple(_part(one, shown) for one in turn.parts)) for turn in self.turns
        )
        return dataclasses.replace(prompt, example=example, turns=turns, id="")


def _part(part: str | int, shown: Sequence[Example]) -> Part:
    if isinstance(part, str):
        return Part(kind="text", text=part)
    return TARGET if part == len(shown) else Part(kind="example", example=shown[part])
