"""Batches between this program and the processes that share a model, as JSON and raw pixels over pipes.

A message is the lengths of its two parts, then the parts: JSON, and bytes that the JSON describes.
Nothing that is read can run code.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import orjson
from PIL import Image

from cutline.captioners.transformers.generation import Answer
from cutline.captioners.transformers.inputs import Question
from cutline.captioners.transformers.settings import Generation
from cutline.prompts import Prompt
from cutline.prompts.prompt import Example
from cutline.records import JSON

_LENGTHS: Final = struct.Struct(">IQ")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    header: JSON
    body: Sequence[bytes] = ()

    def write(self, stream: BinaryIO) -> None:
        """Raises OSError when nobody reads."""
        text = orjson.dumps(self.header)
        stream.write(_LENGTHS.pack(len(text), sum(map(len, self.body))))
        stream.write(text)
        stream.writelines(self.body)
        stream.flush()

    @classmethod
    def read(cls, stream: BinaryIO) -> Message | None:
        """The next message; None when the other side has gone."""
        lengths = stream.read(_LENGTHS.size)
        if len(lengths) < _LENGTHS.size:
            return None
        size, rest = _LENGTHS.unpack(lengths)
        text, body = stream.read(size), stream.read(rest)
        return cls(header=orjson.loads(text), body=(body,)) if len(body) == rest else None


def from_questions(questions: Sequence[Question]) -> Message:
    """A batch; a prompt that several pictures share is sent once."""
    prompts: dict[int, Prompt] = {id(question.prompt): question.prompt for question in questions}
    numbers = {key: number for number, key in enumerate(prompts)}
    examples = [prompt.example.image for prompt in prompts.values() if prompt.example is not None]
    generations = {id(question.generation): question.generation for question in questions}
    ways = {key: number for number, key in enumerate(generations)}
    asked = [
        {
            "prompt": numbers[id(question.prompt)],
            "generation": ways[id(question.generation)],
            "size": question.image.size,
            "seed": question.seed,
        }
        for question in questions
    ]
    header = {
        "prompts": [_prompt_to_json(prompt) for prompt in prompts.values()],
        "generations": [dataclasses.asdict(generation) for generation in generations.values()],
        "questions": asked,
    }
    return Message(header=header, body=(*examples, *(question.image.tobytes() for question in questions)))


def to_questions(message: Message) -> list[Question]:
    data = memoryview(b"".join(message.body))
    start = 0

    def take(size: int) -> bytes:
        nonlocal start
        start += size
        return bytes(data[start - size : start])

    prompts = [_prompt_from_json(values, take) for values in message.header["prompts"]]
    generations = [Generation(**values) for values in message.header["generations"]]
    questions = []
    for values in message.header["questions"]:
        width, height = values["size"]
        image = Image.frombytes("RGB", (width, height), take(3 * width * height))
        questions.append(
            Question(
                image=image,
                prompt=prompts[values["prompt"]],
                seed=values["seed"],
                generation=generations[values["generation"]],
            )
        )
    return questions


def from_answers(answers: Sequence[Answer]) -> Message:
    return Message(header={"status": "done", "answers": [dataclasses.asdict(answer) for answer in answers]})


def to_answers(message: Message) -> list[Answer]:
    return [Answer(**values) for values in message.header["answers"]]


def _prompt_to_json(prompt: Prompt) -> JSON:
    """What is asked; how the answer becomes a caption stays where it was sent from."""
    values: JSON = {
        name: getattr(prompt, name) for name in ("name", "system", "prefix", "suffix", "schema", "id")
    }
    if prompt.example is not None:
        example = prompt.example
        values["example"] = {
            **{name: getattr(example, name) for name in ("mime", "explanation", "digest")},
            "size": len(example.image),
        }
    return values


def _prompt_from_json(values: JSON, take: Any) -> Prompt:
    example = values.pop("example", None)
    if example is not None:
        example = Example(image=take(example.pop("size")), **example)
    return Prompt(**values, example=example)
