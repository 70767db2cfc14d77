"""A prompt: its parts in the order they are sent, and the caption from the reply."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from cutline.errors import ConfigError, ReplyError
from cutline.prompts import replies, variables
from cutline.prompts.refusals import refuse_refusal
from cutline.records import JSON


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A worked example: an encoded picture and the explanation that belongs to it.

    ``digest`` stands for the picture in the prompt's id; without one it is that of ``image``.
    """

    image: bytes
    mime: str
    explanation: str
    digest: str = ""

    def __post_init__(self) -> None:
        if not self.digest:
            object.__setattr__(self, "digest", digest_of(self.image))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One piece of the user's message: a text, the example's picture, or where the sample's picture goes."""

    kind: Literal["text", "example", "target"]
    text: str = ""
    example: Example | None = None


TARGET = Part(kind="target")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A message of a conversation; pictures of other messages and samples are examples."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Text and example of a request, and how to find the caption in the reply.

    ``regex`` or ``schema``, not both, select the caption; ``verbatim`` marks a transcription, from which no
    openers are removed. ``turns`` is a whole conversation, for models that take one: it holds the sample's
    picture once, and the other texts are what other models get. ``id`` is ``name@hash`` of the template; a
    rendered prompt keeps its template's id.

    Raises:
        ConfigError: the regex or the schema is not valid, or both are given.
    """

    name: str = "default"
    system: str = ""
    prefix: str = "Describe this image in detail."
    suffix: str = ""
    example: Example | None = None
    regex: str | None = None
    schema: JSON | None = None
    verbatim: bool = False
    turns: tuple[Turn, ...] = ()
    id: str = ""
    variables: tuple[str, ...] = dataclasses.field(init=False, repr=False, compare=False)
    """Names of the variables in system, prefix and suffix, each once, in order."""
    _braces: bool = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._check()
        texts = (self.system, self.prefix, self.suffix)
        object.__setattr__(self, "variables", variables.find(*texts))
        object.__setattr__(self, "_braces", variables.any_in(*texts))
        if not self.id:
            object.__setattr__(self, "id", f"{self.name}@{self._digest()}")

    def parts(self) -> list[Part]:
        """The user's message in the order it is sent; the system text is apart, in ``system``.

        With a suffix or an example: prefix · example picture · explanation · suffix · the picture
        last, because such prompts lead up to it. A plain question follows its picture instead, as
        most vision models are trained. Adjacent texts are meant as paragraphs: where a dialect
        takes one string, join the parts by a line break.
        """
        if self.example is None and not self.suffix:
            return [TARGET, *_texts(self.prefix)]
        shown = []
        if self.example is not None:
            shown = [Part(kind="example", example=self.example), *_texts(self.example.explanation)]
        return [*_texts(self.prefix), *shown, *_texts(self.suffix), TARGET]

    def messages(self) -> tuple[Turn, ...]:
        """The conversation, or the user's message where there is none."""
        return self.turns or (Turn(role="user", parts=tuple(self.parts())),)

    @property
    def examples(self) -> list[Example]:
        """The pictures beside the sample's, in the order in which they are sent."""
        parts = (part for turn in self.messages() for part in turn.parts)
        return [part.example for part in parts if part.example is not None]

    @property
    def is_one_message(self) -> bool:
        """Whether ``parts`` has every picture, so that a model without conversations gets them all."""
        return not self.turns or len(self.examples) == (self.example is not None)

    def to_json(self) -> JSON:
        """What is sent, with ``<picture>`` for pictures, and what selects the caption; nothing empty."""
        names = {"target": "<picture>", "example": "<example picture>"}
        values: JSON = {
            "system": self.system,
            "user": [part.text if part.kind == "text" else names[part.kind] for part in self.parts()],
            "regex": self.regex,
            "schema": self.schema,
        }
        return {name: value for name, value in values.items() if value}

    def render(self, values: Mapping[str, Any]) -> Prompt:
        """The prompt with its ``{name}`` variables filled in; itself when there are none.

        Raises:
            SampleError: ``prompt-variable``, when ``values`` has none of that name or an empty one.
        """
        if not self._braces:
            return self
        rendered = dataclasses.replace(
            self,
            system=variables.substitute(self.system, values),
            prefix=variables.substitute(self.prefix, values),
            suffix=variables.substitute(self.suffix, values),
        )
        object.__setattr__(rendered, "variables", ())  # braces that came with a value are text
        object.__setattr__(rendered, "_braces", False)
        return rendered

    def with_language(self, language: str) -> Prompt:
        """The same prompt for a reply in ``language`` ("German"), under a new id.

        Raises:
            ConfigError: ``language`` is not the name of one.
        """
        language = language.strip()
        if not language or len(language) > 40 or not all(c.isalpha() or c in " -()'." for c in language):
            raise ConfigError(f"{language[:60]!r} is not a language: write its name, such as German")
        instruction = f"Write your answer in {language}."
        if self.schema is not None:
            instruction = (
                f"Write every text value in {language}; keep the names of the JSON fields as they are."
            )
        return dataclasses.replace(self, prefix=f"{self.prefix}\n\n{instruction}".lstrip(), id="")

    def schema_instruction(self) -> str:
        """A request for JSON of the prompt's schema, for endpoints that cannot enforce it."""
        if self.schema is None:
            return ""
        shape = json.dumps(self.schema, ensure_ascii=False)
        return (
            "Answer with one JSON object and nothing else: no code fence, no comment before or after it. "
            f"It must be valid against this JSON Schema:\n{shape}"
        )

    def extract(self, text: str) -> tuple[str, JSON | None]:
        """The caption within a model's reply, and the fields of a structured one.

        Raises:
            ReplyError: ``regex-miss``, ``regex-timeout``, ``schema-miss``, ``empty``, ``loop``,
                ``refused`` or ``role-markers``.
        """
        if self.schema is None and self.regex is None:
            return replies.clean_reply(text, verbatim=self.verbatim), None
        try:
            caption, fields = self._selected(text)
        except ReplyError as error:
            if error.kind in {"schema-miss", "regex-miss"} and not self.verbatim:
                refuse_refusal(replies.without_reasoning(text).strip())
            raise
        if not self.verbatim:
            refuse_refusal(caption.strip())
        return replies.check_caption(caption, verbatim=self.verbatim), fields

    def _selected(self, text: str) -> tuple[str, JSON | None]:
        """What regex or schema select in the reply; raises as ``extract``."""
        if self.schema is not None:
            from cutline.prompts import structured

            return structured.extract(replies.without_reasoning(text), self.schema)
        assert self.regex is not None
        from cutline.prompts import patterns

        if "think" not in self.regex and "reason" not in self.regex:  # else it wants to see them
            text = replies.without_reasoning(text)
        return patterns.extract(text, self.regex), None

    def _check(self) -> None:
        if self.regex is not None and self.schema is not None:
            raise ConfigError(f"prompt {self.name!r} has a regex and a schema: keep one of them")
        if self.regex is not None:
            from cutline.prompts import patterns

            patterns.compiled(self.regex)
        if self.schema is not None:
            from cutline.prompts import structured

            structured.check_schema(self.schema)

    def _digest(self) -> str:
        example = (self.example.digest, self.example.explanation) if self.example else None
        values: list[Any] = [
            self.system,
            self.prefix,
            self.suffix,
            example,
            self.regex,
            self.schema,
            self.verbatim,
        ]
        if self.turns:
            values.append([[turn.role, *map(_part_id, turn.parts)] for turn in self.turns])
        return digest_of(json.dumps(values).encode(), size=4)


def digest_of(data: bytes, *, size: int = 16) -> str:
    return hashlib.blake2b(data, digest_size=size).hexdigest()


def _part_id(part: Part) -> list[str]:
    return [part.kind, part.text, part.example.digest if part.example is not None else ""]


def _texts(text: str) -> list[Part]:
    return [Part(kind="text", text=text)] if text else []
