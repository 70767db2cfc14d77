"""Messages between this program and its tensor-parallel workers: JSON and raw pixels over pipes.

A message is the lengths of its two parts, then the parts: JSON, and bytes that the JSON describes.
Decoding cannot run code.
"""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import orjson
from PIL import Image

from cutline.captioners.transformers.generation import GeneratedText
from cutline.captioners.transformers.inputs import GenerationRequest
from cutline.captioners.transformers.settings import Generation
from cutline.prompts import Example, Part, Prompt, Turn
from cutline.records import JSON

_LENGTHS: Final = struct.Struct(">IQ")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    header: JSON
    body: Sequence[bytes] = ()

    def write(self, stream: BinaryIO) -> None:
        """Raises OSError when the pipe is closed."""
        text = orjson.dumps(self.header)
        stream.write(_LENGTHS.pack(len(text), sum(map(len, self.body))))
        stream.write(text)
        stream.writelines(self.body)
        stream.flush()

    @classmethod
    def read(cls, stream: BinaryIO) -> Message | None:
        """The next message; None at the end of the stream."""
        lengths = stream.read(_LENGTHS.size)
        if len(lengths) < _LENGTHS.size:
            return None
        size, rest = _LENGTHS.unpack(lengths)
        text, body = stream.read(size), stream.read(rest)
        return cls(header=orjson.loads(text), body=(body,)) if len(body) == rest else None


def encode_requests(requests: Sequence[GenerationRequest]) -> Message:
    """A batch; a prompt shared by several pictures is sent once."""
    prompts: dict[int, Prompt] = {id(request.prompt): request.prompt for request in requests}
    numbers = {key: number for number, key in enumerate(prompts)}
    examples = [one.image for prompt in prompts.values() for one in _examples(prompt)]
    generations = {id(request.generation): request.generation for request in requests}
    generation_numbers = {key: number for number, key in enumerate(generations)}
    items = [
        {
            "prompt": numbers[id(request.prompt)],
            "generation": generation_numbers[id(request.generation)],
            "size": request.image.size,
            "seed": request.seed,
        }
        for request in requests
    ]
    header = {
        "prompts": [_prompt_to_json(prompt) for prompt in prompts.values()],
        "generations": [dataclasses.asdict(generation) for generation in generations.values()],
        "requests": items,
    }
    return Message(header=header, body=(*examples, *(request.image.tobytes() for request in requests)))


def decode_requests(message: Message) -> list[GenerationRequest]:
    data = memoryview(b"".join(message.body))
    start = 0

    def take(size: int) -> bytes:
        nonlocal start
        start += size
        return bytes(data[start - size : start])

    prompts = [_prompt_from_json(values, take) for values in message.header["prompts"]]
    generations = [Generation(**values) for values in message.header["generations"]]
    requests = []
    for values in message.header["requests"]:
        width, height = values["size"]
        image = Image.frombytes("RGB", (width, height), take(3 * width * height))
        requests.append(
            GenerationRequest(
                image=image,
                prompt=prompts[values["prompt"]],
                seed=values["seed"],
                generation=generations[values["generation"]],
            )
        )
    return requests


def encode_results(results: Sequence[GeneratedText]) -> Message:
    return Message(header={"status": "done", "results": [dataclasses.asdict(answer) for answer in results]})


def decode_results(message: Message) -> list[GeneratedText]:
    return [GeneratedText(**values) for values in message.header["results"]]


def _prompt_to_json(prompt: Prompt) -> JSON:
    """The parts of a prompt that the model needs."""
    values: JSON = {
        name: getattr(prompt, name) for name in ("name", "system", "prefix", "suffix", "schema", "id")
    }
    if prompt.example is not None:
        values["example"] = _example_to_json(prompt.example)
    values["turns"] = [
        [turn.role, [[part.kind, part.text, _example_to_json(part.example)] for part in turn.parts]]
        for turn in prompt.turns
    ]
    return values


def _examples(prompt: Prompt) -> list[Example]:
    """Those whose bytes follow a prompt, in their order."""
    own = [prompt.example] if prompt.example is not None else []
    return own + (prompt.examples if prompt.turns else [])


def _example_to_json(example: Example | None) -> JSON | None:
    if example is None:
        return None
    names = ("mime", "explanation", "digest")
    return {**{name: getattr(example, name) for name in names}, "size": len(example.image)}


def _prompt_from_json(values: JSON, take: Any) -> Prompt:
    def example_of(found: JSON | None) -> Example | None:
        return None if found is None else Example(image=take(found.pop("size")), **found)

    example = example_of(values.pop("example", None))
    turns = tuple(
        Turn(
            role=role,
            parts=tuple(Part(kind=kind, text=text, example=example_of(found)) for kind, text, found in parts),
        )
        for role, parts in values.pop("turns")
    )
    return Prompt(**values, example=example, turns=turns)
