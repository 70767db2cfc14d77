"""Prompts and pictures to model inputs."""

from __future__ import annotations

import dataclasses
import functools
import io
from typing import Any, Final

from PIL import Image

from cutline.captioners.transformers.family import Family
from cutline.captioners.transformers.model_loader import LoadedModel
from cutline.captioners.transformers.settings import Generation
from cutline.captioners.transformers.video_shim import chat_template
from cutline.errors import RunStopped, SampleError
from cutline.formatting import one_line
from cutline.imaging.shapes import refuses_shape
from cutline.prompts import Prompt, library_prompts, load_prompt

MIN_OUTPUT_TOKENS: Final = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRequest:
    """An upright RGB picture with its prompt, parameters, and a seed derived from the picture."""

    image: Image.Image
    prompt: Prompt
    seed: int = 0
    generation: Generation = dataclasses.field(default_factory=Generation)

    @property
    def text(self) -> str:
        """The prompt as one string, for models without a chat template."""
        instruction = self.prompt.schema_instruction()
        parts = (self.prompt.system, *(part.text for part in self.prompt.parts()), instruction)
        return "\n".join(part for part in parts if part)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """Arguments of ``generate``. ``prompt_length``: the tokens of its output that repeat the prompt."""

    tensors: Any
    prompt_length: int
    max_new_tokens: int
    tokens: list[int]
    """Tokens of each prompt without padding; includes those of the picture where the model counts them."""


def check_prompt(family: Family, prompt: Prompt, *, chat: bool) -> None:
    """Raises RunStopped for a prompt that the model does not support."""
    reason = unsupported_reason(family, prompt, chat=chat)
    if reason:
        raise RunStopped(f"{family.name} {reason}")


def unsupported_reason(family: Family, prompt: Prompt, *, chat: bool = True) -> str:
    """Why a family does not support a prompt, with the cure; empty if it does."""
    if prompt.examples and not chat:
        return "takes one picture: a prompt with a worked example needs a chat model"
    text = " ".join(part.text for part in prompt.parts()).strip()
    if family.tasks and text not in family.tasks:
        return f"supports tasks, not questions: --prompt can be {', '.join(map(repr, family.tasks))}"
    if family.instructable:
        return ""
    if prompt.system or prompt.schema is not None:
        return "follows no instructions: remove the system prompt and the schema, or use a chat model"
    name = _library_texts().get(prompt.prefix)
    if name is not None:
        beginning = " or give the beginning of a caption, such as 'a photo of'" if family.completes else ""
        return f"follows no instructions such as the prompt {name}: remove --prompt{beginning}"
    return ""


@functools.cache
def _library_texts() -> dict[str, str]:
    """Names of the library's prompts by their text: any prompt or step may have such a name."""
    return {load_prompt(name).prefix: name for name in library_prompts()}


def prepare_inputs(
    loaded: LoadedModel, family: Family, requests: list[GenerationRequest], max_tokens: int
) -> Inputs:
    """Tensors of a batch, on the model's device and in its dtype.

    ``max_tokens`` of an output; 0 for the family's default, or less if the context is short.

    Raises:
        SampleError: ``prompt-too-long``, with the figures; ``shape``, of one picture of the batch.
    """
    try:
        tensors = _chat_inputs(loaded, requests) if loaded.chat else _text_inputs(loaded, family, requests)
    except ValueError as error:
        if not refuses_shape(str(error)):
            raise
        sizes = ", ".join("{} x {}".format(*request.image.size) for request in requests)
        raise SampleError(
            "shape", f"{family.name} cannot take a picture of {sizes} pixels: {error}"
        ) from None
    ids = tensors.get("input_ids")
    mask = tensors.get("attention_mask")
    tokens = [0] * len(requests) if ids is None else [ids.shape[1]] * len(requests)
    if ids is not None and mask is not None and mask.shape == ids.shape:
        tokens = mask.sum(dim=1).tolist()
    max_new_tokens = _max_new_tokens(loaded, family, max(tokens, default=0), max_tokens)
    whole = loaded.model.config.is_encoder_decoder or family.returns_texts or ids is None
    dtype = loaded.model.dtype
    tensors = tensors.to(loaded.device)
    for name, value in tensors.items():
        if value.is_floating_point():
            tensors[name] = value.to(dtype)
    return Inputs(
        tensors=tensors,
        prompt_length=0 if whole else ids.shape[1],
        max_new_tokens=max_new_tokens,
        tokens=tokens,
    )


def _max_new_tokens(loaded: LoadedModel, family: Family, tokens: int, requested: int) -> int:
    """The maximum of output tokens after a prompt of this many."""
    if loaded.limit is None or loaded.model.config.is_encoder_decoder:
        return requested or family.max_tokens
    left = loaded.limit - tokens
    if left >= (requested or min(family.max_tokens, MIN_OUTPUT_TOKENS)):
        return requested or min(family.max_tokens, left)
    output = f" and {requested:,} of output" if requested else ""
    lower = ", or lower --max-tokens" if requested else ""
    raise SampleError(
        "prompt-too-long",
        f"{tokens:,} tokens of prompt{output} do not fit in the {loaded.limit:,} of {family.name}: "
        f"shorten the prompt{lower}",
    )


def _chat_inputs(loaded: LoadedModel, requests: list[GenerationRequest]) -> Any:
    from jinja2 import TemplateError  # which transformers renders its templates with

    try:
        return chat_template(loaded.processor)(
            [_messages(request, _image_marks(loaded.processor)) for request in requests],
            tokenize=True,
            return_dict=True,
            add_generation_prompt=True,
            processor_kwargs={"padding": True, "return_tensors": "pt"},
        )
    except TemplateError as error:
        message = f"the model's chat template takes no such conversation: {one_line(str(error))}"
        raise SampleError("rejected", message) from None


def _image_marks(processor: Any) -> tuple[str, ...]:
    """Image placeholders of the model, which prompts copied from its page may contain."""
    found = (getattr(processor, name, None) for name in ("image_token", "boi_token"))
    return tuple(str(mark) for mark in found if mark)


def _strip_marks(marks: tuple[str, ...], text: str) -> str:
    """Remove image placeholders: the picture is inserted without them."""
    for mark in marks:
        if mark in text:
            text = text.replace(mark, "").strip()
    return text


def _messages(request: GenerationRequest, marks: tuple[str, ...]) -> list[dict[str, Any]]:
    prompt = request.prompt
    messages: list[dict[str, Any]] = []
    for turn in prompt.messages():
        content: list[dict[str, Any]] = []
        for part in turn.parts:
            if part.kind == "target":
                content.append({"type": "image", "image": request.image})
            elif part.example is not None:
                example = Image.open(io.BytesIO(part.example.image)).convert("RGB")
                content.append({"type": "image", "image": example})
            else:
                content.append({"type": "text", "text": _strip_marks(marks, part.text)})
        messages.append({"role": turn.role, "content": content})
    if instruction := prompt.schema_instruction():
        last = next(message for message in reversed(messages) if message["role"] == "user")
        last["content"].append({"type": "text", "text": instruction})
    if prompt.system:
        system = {"type": "text", "text": _strip_marks(marks, prompt.system)}
        messages.insert(0, {"role": "system", "content": [system]})
    return messages


def _text_inputs(loaded: LoadedModel, family: Family, requests: list[GenerationRequest]) -> Any:
    """For models without a chat template: a text beside the picture, or none."""
    images = [request.image for request in requests]
    marks = _image_marks(loaded.processor)
    texts = [_strip_marks(marks, request.text) for request in requests]
    if not any(texts):
        inputs = loaded.processor(images=images, return_tensors="pt")
        inputs.pop("input_ids", None)  # of an empty text
        inputs.pop("attention_mask", None)
        return inputs
    if family.image_token:
        token = getattr(loaded.processor, "image_token", "<image>")
        texts = [f"{token}{text}" for text in texts]
    if family.ends_texts:
        return _open_ended_inputs(loaded, images, texts)
    return loaded.processor(images=images, text=texts, padding=True, return_tensors="pt")


def _open_ended_inputs(loaded: LoadedModel, images: list[Image.Image], texts: list[str]) -> Any:
    """The caption continues the prompt, so the tokenizer's separator is omitted."""
    import torch

    inputs = loaded.processor(images=images, return_tensors="pt")
    tokenizer = loaded.tokenizer
    rows = [[tokenizer.cls_token_id, *tokenizer(text, add_special_tokens=False).input_ids] for text in texts]
    inputs["input_ids"] = torch.tensor(rows)  # texts of a batch are equal
    inputs["attention_mask"] = torch.ones_like(inputs["input_ids"])
    return inputs
