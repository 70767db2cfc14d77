"""Prompts and pictures to the tensors a model takes."""

from __future__ import annotations

import dataclasses
import functools
import io
from typing import TYPE_CHECKING, Any, Final

from cutline.captioners.transformers.family import Family
from cutline.captioners.transformers.model_loader import Loaded
from cutline.captioners.transformers.settings import Generation
from cutline.captioners.transformers.video_shim import chat_template
from cutline.errors import RunStopped, SampleError
from cutline.prompts import Prompt, library_prompts, load_prompt

if TYPE_CHECKING:
    from PIL import Image

LEAST_ROOM: Final = 32  # tokens of an answer


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """An upright RGB picture, what is asked about it and how, and a number that is the picture's own."""

    image: Image.Image
    prompt: Prompt
    seed: int = 0
    generation: Generation = dataclasses.field(default_factory=Generation)

    @property
    def text(self) -> str:
        """The prompt as one string, for models without a chat."""
        wish = self.prompt.schema_instruction()
        parts = (self.prompt.system, *(part.text for part in self.prompt.parts()), wish)
        return "\n".join(part for part in parts if part)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What ``generate`` takes. ``skip``: how many tokens of its output are the prompt again.

    ``room``: the most tokens of an answer.
    """

    tensors: Any
    skip: int
    room: int
    tokens: list[int]
    """Of each prompt, without padding; those of the picture are among them where the model counts them."""


def check_prompt(family: Family, prompt: Prompt, *, chat: bool) -> None:
    """Refuse a prompt that the model cannot follow.

    Raises:
        RunStopped: it asks for what no picture of this model can give.
    """
    if prompt.example is not None and not chat:
        raise RunStopped(
            f"{family.name} takes one picture: a prompt with a worked example needs a chat model"
        )
    words = refusal(family, prompt)
    if words:
        raise RunStopped(f"{family.name} {words}")


def refusal(family: Family, prompt: Prompt) -> str:
    """Why a prompt means nothing to a family, and what does; empty where it can be asked."""
    asked = " ".join(part.text for part in prompt.parts()).strip()
    if family.tasks and asked not in family.tasks:
        return f"knows tasks, not questions: --prompt can be {', '.join(map(repr, family.tasks))}"
    if family.instructable:
        return ""
    if prompt.system or prompt.schema is not None:
        return "follows no instructions: leave the system prompt and the schema out, or ask a chat model"
    known = _library_texts().get(prompt.prefix)
    if known is not None:
        begin = " or give the beginning of a caption, such as 'a photo of'" if family.completes else ""
        return f"follows no instructions such as the prompt {known}: leave --prompt out{begin}"
    return ""


@functools.cache
def _library_texts() -> dict[str, str]:
    """The library's prompts by their words: a name may be given to any prompt, or to a step."""
    return {load_prompt(name).prefix: name for name in library_prompts()}


def inputs_for(loaded: Loaded, family: Family, questions: list[Question], max_tokens: int) -> Inputs:
    """Tokens and pixels of a batch, on the model's device and in its numbers.

    ``max_tokens`` of an answer that the user asked for; 0 gives the family's own, or what room there is.

    Raises:
        SampleError: ``prompt-too-long``, with the figures.
    """
    tensors = _chat(loaded, questions) if loaded.chat else _plain(loaded, family, questions)
    ids = tensors.get("input_ids")
    mask = tensors.get("attention_mask")
    tokens = [0] * len(questions) if ids is None else [ids.shape[1]] * len(questions)
    if ids is not None and mask is not None and mask.shape == ids.shape:
        tokens = mask.sum(dim=1).tolist()
    room = _room(loaded, family, max(tokens, default=0), max_tokens)
    whole = loaded.model.config.is_encoder_decoder or family.returns_texts or ids is None
    dtype = loaded.model.dtype
    tensors = tensors.to(loaded.device)
    for name, value in tensors.items():
        if value.is_floating_point():
            tensors[name] = value.to(dtype)
    return Inputs(tensors=tensors, skip=0 if whole else ids.shape[1], room=room, tokens=tokens)


def _room(loaded: Loaded, family: Family, tokens: int, wanted: int) -> int:
    """The most tokens of an answer, after a prompt of so many."""
    if loaded.limit is None or loaded.model.config.is_encoder_decoder:
        return wanted or family.max_tokens
    left = loaded.limit - tokens
    if left >= (wanted or min(family.max_tokens, LEAST_ROOM)):
        return wanted or min(family.max_tokens, left)
    answer = f" and {wanted:,} of answer" if wanted else ""
    lower = ", or lower --max-tokens" if wanted else ""
    raise SampleError(
        "prompt-too-long",
        f"{tokens:,} tokens of prompt{answer} are more than fit the {loaded.limit:,} of {family.name}: "
        f"shorten the prompt{lower}",
    )


def _chat(loaded: Loaded, questions: list[Question]) -> Any:
    return chat_template(loaded.processor)(
        [_messages(question, _picture_marks(loaded.processor)) for question in questions],
        tokenize=True,
        return_dict=True,
        add_generation_prompt=True,
        processor_kwargs={"padding": True, "return_tensors": "pt"},
    )


def _picture_marks(processor: Any) -> tuple[str, ...]:
    """What stands for a picture in the model's own texts; prompts copied from its page have it too."""
    found = (getattr(processor, name, None) for name in ("image_token", "boi_token"))
    return tuple(str(mark) for mark in found if mark)


def _without(marks: tuple[str, ...], text: str) -> str:
    """A text that stands for no picture: the one that is asked about has its place without it."""
    for mark in marks:
        if mark in text:
            text = text.replace(mark, "").strip()
    return text


def _messages(question: Question, marks: tuple[str, ...]) -> list[dict[str, Any]]:
    prompt = question.prompt
    content: list[dict[str, Any]] = []
    for part in prompt.parts():
        if part.kind == "target":
            content.append({"type": "image", "image": question.image})
        elif part.example is not None:
            content.append({"type": "image", "image": _opened(part.example.image)})
        else:
            content.append({"type": "text", "text": _without(marks, part.text)})
    if wish := prompt.schema_instruction():
        content.append({"type": "text", "text": wish})
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if prompt.system:
        system = {"type": "text", "text": _without(marks, prompt.system)}
        messages.insert(0, {"role": "system", "content": [system]})
    return messages


def _opened(data: bytes) -> Image.Image:
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")


def _plain(loaded: Loaded, family: Family, questions: list[Question]) -> Any:
    """For models that take a text beside the picture, or none at all."""
    images = [question.image for question in questions]
    marks = _picture_marks(loaded.processor)
    texts = [_without(marks, question.text) for question in questions]
    if not any(texts):
        made = loaded.processor(images=images, return_tensors="pt")
        made.pop("input_ids", None)  # of an empty text: the model begins by itself
        made.pop("attention_mask", None)
        return made
    if family.image_token:
        token = getattr(loaded.processor, "image_token", "<image>")
        texts = [f"{token}{text}" for text in texts]
    if family.ends_texts:
        return _unended(loaded, images, texts)
    return loaded.processor(images=images, text=texts, padding=True, return_tensors="pt")


def _unended(loaded: Loaded, images: list[Image.Image], texts: list[str]) -> Any:
    """The caption goes on where the prompt ends, so the separator that the tokenizer adds is left out."""
    import torch

    made = loaded.processor(images=images, return_tensors="pt")
    tokenizer = loaded.tokenizer
    rows = [[tokenizer.cls_token_id, *tokenizer(text, add_special_tokens=False).input_ids] for text in texts]
    made["input_ids"] = torch.tensor(rows)  # of one length: texts of a batch are equal
    made["attention_mask"] = torch.ones_like(made["input_ids"])
    return made
