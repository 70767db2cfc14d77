"""The messages of a chat as one prompt: a model here takes one request about one picture.

Pictures of one message come in its order: the last one is captioned, one before it is its example.
A follow-up without a picture is about the last one sent, and its prompt holds what was written since.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from cutline.imaging import sniff_format
from cutline.locations.stored import InlineBytes
from cutline.prompts import Example
from cutline.records import Sample
from cutline.service.errors import ServiceError
from cutline.service.pictures import Pictures

MAX_PICTURES: Final = 2
_EXAMPLE_FORMATS: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp", "GIF": "image/gif"}
_SPEAKERS: Final = {"user": "User", "assistant": "Assistant", "tool": "Tool", "function": "Tool"}


class Message(BaseModel):
    """``content`` is a text, or a list of parts of type ``text`` and ``image_url``."""

    model_config = ConfigDict(extra="allow", frozen=True)

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[dict[str, Any]] | None = None

    @property
    def parts(self) -> list[dict[str, Any]]:
        if isinstance(self.content, list):
            return self.content
        return [{"type": "text", "text": self.content or ""}]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The picture, the text about it, and the example's picture with the text after it, if there is one."""

    sample: Sample
    text: str
    example: Example | None = None


def conversation(messages: list[Message], pictures: Pictures) -> Conversation:
    """What a chat comes to; raises ServiceError 400, naming the message."""
    last = _last(messages, lambda message: message.role == "user")
    if last is None:
        raise invalid_value("there is no user message", "messages")
    with_picture = _last(
        messages[: last + 1], lambda message: message.role == "user" and bool(_links(message))
    )
    where = f"messages[{last if with_picture is None else with_picture}].content"
    links = [] if with_picture is None else _links(messages[with_picture])
    if with_picture is None or len(links) > MAX_PICTURES:
        text_of(messages[last].parts, where)  # a part of another type is the better cause
        count = "no picture" if not links else f"{len(links)} pictures"
        raise invalid_value(
            f"the messages have {count}: send one, or an example and one, as parts of type image_url", where
        )
    message = messages[with_picture]
    sample = _sample(link(message.parts[links[-1]], where), pictures, where)
    if with_picture < last:
        if len(links) > 1:
            raise invalid_value("a follow-up cannot be about two pictures: send the picture again", where)
        return Conversation(sample=sample, text=_transcript(messages, with_picture, last))
    if len(links) == 1:
        return Conversation(sample=sample, text=text_of(message.parts, where))
    before, after = message.parts[: links[0]], message.parts[links[0] + 1 :]
    shown = _example(link(message.parts[links[0]], where), text_of(after, where), pictures, where)
    return Conversation(sample=sample, text=text_of(before, where), example=shown)


def text_of(parts: list[dict[str, Any]], where: str) -> str:
    """The texts of these parts, a line each; raises ServiceError 400 for parts of another type."""
    texts = []
    for part in parts:
        kind = part.get("type")
        if kind == "text" and isinstance(part.get("text"), str):
            texts.append(part["text"])
        elif kind != "image_url":
            raise invalid_value(
                f"parts of type {str(kind)[:100]!r} are not supported: use text and image_url", where
            )
    return "\n".join(texts).strip()


def link(part: dict[str, Any], where: str) -> str:
    """The URL of an ``image_url`` part, which is an object or the URL itself."""
    image = part.get("image_url")
    url = image.get("url") if isinstance(image, dict) else image
    if not isinstance(url, str) or not url.strip():
        raise invalid_value("image_url needs a url", where)
    return url.strip()


def invalid_value(message: str, param: str) -> ServiceError:
    return ServiceError(400, message, kind="invalid_value", param=param)


def _last(messages: list[Message], fits: Any) -> int | None:
    return next((index for index in reversed(range(len(messages))) if fits(messages[index])), None)


def _links(message: Message) -> list[int]:
    return [index for index, part in enumerate(message.parts) if part.get("type") == "image_url"]


def _transcript(messages: list[Message], first: int, last: int) -> str:
    """The messages since the picture, for a model that takes one request."""
    lines = []
    for index in range(first, last + 1):
        message = messages[index]
        text = text_of(message.parts, f"messages[{index}].content") if message.role in _SPEAKERS else ""
        if text:
            lines.append(f"{_SPEAKERS[message.role]}: {text}")
    if not lines or not messages[last].content:
        raise invalid_value("the last user message is empty", f"messages[{last}].content")
    return "\n\n".join((*lines, "Reply to the last message."))


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


def _example(url: str, text: str, pictures: Pictures, where: str) -> Example:
    location = _sample(url, pictures, where).location
    if not isinstance(location, InlineBytes):
        raise invalid_value("of two pictures the first must be a data: URL", where)
    mime = _EXAMPLE_FORMATS.get(sniff_format(location.data) or "")
    if mime is None:
        raise invalid_value("the first picture must be a JPEG, PNG, WebP or GIF", where)
    return Example(image=location.data, mime=mime, explanation=text)
