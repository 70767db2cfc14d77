"""The messages of a chat completion request as a conversation about its last picture."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final, Literal

from pydantic import ConfigDict

from cutline.records import Sample
from cutline.service.conversation import ChatTurn, Conversation
from cutline.service.described_model import DescribedModel
from cutline.service.errors import ServiceError
from cutline.service.pictures import Pictures

MAX_PICTURES: Final = 50
_REPLY: Final = "Reply to the last message."
_TOOLS: Final = frozenset({"tool", "function"})


class Message(DescribedModel):
    """``content`` is a text, or a list of parts of type ``text`` and ``image_url``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    """Whose message it is."""
    content: str | list[dict[str, Any]] | None = None
    """A text, or a list of parts of type `text` and `image_url`."""

    @property
    def parts(self) -> list[dict[str, Any]]:
        if isinstance(self.content, list):
            return self.content
        return [{"type": "text", "text": self.content or ""}]


def conversation(messages: list[Message], pictures: Pictures) -> Conversation:
    """The parsed content of a chat; raises ServiceError 400, naming the message."""
    found: list[Sample] = []
    turns = _merged(_turns(messages, pictures, found))
    last = max((index for index, one in enumerate(messages) if one.role == "user"), default=None)
    if last is None:
        raise invalid_value("there is no user message", "messages")
    where = f"messages[{last}].content"
    if not found:
        raise invalid_value("the messages have no picture: send one as a part of type image_url", where)
    if not any(part.get("type") == "image_url" for part in messages[last].parts) and not text_of(
        messages[last].parts, where
    ):
        raise invalid_value("the last user message is empty", where)
    *others, sample = found
    if len(turns) > 1:
        text = _transcript(turns, len(others))
        return Conversation(sample=sample, text=text, pictures=tuple(others), turns=turns)
    parts = turns[0].parts
    if not others:
        return Conversation(sample=sample, text=_text(parts))
    place = parts.index(0)
    return Conversation(
        sample=sample,
        text=_text(parts if len(others) > 1 else parts[:place]),
        pictures=tuple(others),
        turns=turns,
        explanation=_text(parts[place:]) if len(others) == 1 else None,
    )


def text_of(parts: list[dict[str, Any]], where: str) -> str:
    """The texts of these parts, a line each; raises ServiceError 400 for parts of another type."""
    texts = []
    for part in parts:
        kind = part.get("type")
        if kind in {"text", "refusal"} and isinstance(part.get(kind), str):
            texts.append(part[kind])
        elif kind != "image_url":
            raise invalid_value(
                f"parts of type {str(kind)[:100]!r} are not supported: use text and image_url", where
            )
    return "\n".join(texts).strip()


def invalid_value(message: str, param: str) -> ServiceError:
    return ServiceError(400, message, kind="invalid_value", param=param)


def _turns(messages: list[Message], pictures: Pictures, found: list[Sample]) -> Iterator[ChatTurn]:
    """The messages but those to the model itself; their pictures are added to ``found``."""
    for index, message in enumerate(messages):
        where = f"messages[{index}].content"
        if message.role in {"system", "developer"}:
            continue
        parts: list[str | int] = []
        for part in message.parts:
            if part.get("type") != "image_url":
                if text := text_of([part], where):
                    parts.append(text)
                continue
            if message.role != "user":
                raise invalid_value("only messages of the user can hold pictures", where)
            if len(found) == MAX_PICTURES:
                raise invalid_value(f"the messages can have at most {MAX_PICTURES} pictures", where)
            parts.append(len(found))
            found.append(_sample(_link(part, where), pictures, where))
        if message.role in _TOOLS and parts:
            parts = [f"Tool: {_text(tuple(parts))}"]
        if parts:
            yield ChatTurn(role="assistant" if message.role == "assistant" else "user", parts=tuple(parts))


def _merged(turns: Iterator[ChatTurn]) -> tuple[ChatTurn, ...]:
    """Messages of one role that follow each other as one: many models' templates take no others."""
    return tuple(
        ChatTurn(role=role, parts=tuple(part for turn in group for part in turn.parts))
        for role, group in itertools.groupby(turns, key=lambda turn: turn.role)
    )


def _text(parts: tuple[str | int, ...]) -> str:
    return "\n".join(part for part in parts if isinstance(part, str))


def _transcript(turns: tuple[ChatTurn, ...], number: int) -> str:
    """What was written since the picture of that number, for a model that takes one message."""
    first = next(index for index, turn in enumerate(turns) if number in turn.parts)
    lines = [f"{turn.role.capitalize()}: {_text(turn.parts)}" for turn in turns[first:] if _text(turn.parts)]
    return lines[0].partition(": ")[2] if len(lines) == 1 else "\n\n".join((*lines, _REPLY))


def _link(part: dict[str, Any], where: str) -> str:
    """The URL of an ``image_url`` part, which is an object or the URL itself."""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url.strip():
        raise invalid_value("image_url needs a url", where)
    return url.strip()


def _sample(url: str, pictures: Pictures, where: str) -> Sample:
    scheme = url.partition(":")[0].lower()
    if scheme == "data":
        head, comma, encoded = url.partition(",")
        if not comma or not head.replace(" ", "").lower().endswith(";base64"):
            raise invalid_value("the data URL must be data:image/…;base64,…", where)
        try:
            return pictures.by_base64(encoded)
        except ServiceError as error:
            raise invalid_value(error.message, where) from None
    if scheme in {"http", "https"} and "://" in url:
        return pictures.by_url(f"{scheme}{url[len(scheme) :]}")
    raise invalid_value("the url must begin with data:, http:// or https://", where)
