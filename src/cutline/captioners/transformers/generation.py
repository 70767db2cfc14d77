"""One batch through a model: tensors in, words out."""

from __future__ import annotations

import copy
import dataclasses
import time
from typing import Any

from cutline.captioners.transformers.family import Family
from cutline.captioners.transformers.inputs import Question, inputs_for
from cutline.captioners.transformers.model_loader import Loaded
from cutline.captioners.transformers.settings import DRAWING, Generation
from cutline.errors import ConfigError


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the model said about one picture; ``raw`` with the marks that ``text`` is freed of.

    ``seconds``: how long its batch took.
    """

    text: str
    raw: str
    prompt_tokens: int
    tokens: int
    ended: bool
    """False when the answer was cut off at the most tokens."""
    seconds: float = 0.0


def generation_config(loaded: Loaded, generation: Generation) -> Any:
    """The model's own settings with the user's; words are chosen greedily, or by ``Sampling``.

    Raises:
        ConfigError: transformers knows no such setting, or two of them contradict each other.
    """
    config = copy.deepcopy(loaded.model.generation_config)
    config.do_sample, config.temperature, config.top_p, config.top_k = False, None, None, None
    config.max_length = config.max_new_tokens = None  # given with each batch
    for name, value in generation.extra.items():
        if name.startswith("_") or callable(getattr(config, name, max)):
            raise ConfigError(f"--extra.{name} is no setting of transformers' GenerationConfig")
        if name not in DRAWING:
            setattr(config, name, value)
    if loaded.model.config.model_type == "blip":
        # What its own ``generate`` ends at, whatever its generation config says (the published ones differ).
        config.eos_token_id = loaded.model.config.text_config.sep_token_id
    if generation.temperature and (config.num_beams or 1) > 1:
        raise ConfigError("--temperature chooses words by itself: leave out --extra.num_beams")
    if config.pad_token_id is None:
        config.pad_token_id = loaded.tokenizer.pad_token_id
    try:
        config.validate(strict=True)
    except ValueError as error:
        raise ConfigError(f"--extra cannot be used: {' '.join(str(error).split())[:300]}") from None
    return config


def answer(
    loaded: Loaded, family: Family, questions: list[Question], generation: Generation, config: Any
) -> list[Answer]:
    """The model's answers, one for each question, in their order. Blocks.

    Raises:
        SampleError: the prompt is too long.
        Exception: whatever torch raises, such as its errors for memory that is used up.
    """
    import torch

    from cutline.captioners.transformers.sampler import sampling_for

    start = time.perf_counter()
    inputs = inputs_for(loaded, family, questions, generation.max_tokens)
    processors = sampling_for(generation, [question.seed for question in questions], loaded.device)
    begun = _Begun()
    with torch.inference_mode():
        output = loaded.model.generate(
            **inputs.tensors,
            generation_config=config,
            max_new_tokens=inputs.room,
            min_new_tokens=min(config.min_new_tokens or 0, inputs.room),
            logits_processor=processors,
            stopping_criteria=[begun],
        )
    given = max(0, begun.length - inputs.skip)
    rows = output[:, inputs.skip :].tolist()
    seconds = time.perf_counter() - start
    return [
        dataclasses.replace(_answer(loaded, family, question, row, tokens, given, config), seconds=seconds)
        for question, row, tokens in zip(questions, rows, inputs.tokens, strict=True)
    ]


class _Begun:
    """Notes how many tokens stood there when a model began: its start token, and the prompt for some.

    transformers calls it as a stopping criterion after each token; it never stops anything.
    """

    def __init__(self) -> None:
        self.length = 0

    def __call__(self, input_ids: Any, scores: Any, **more: Any) -> Any:  # noqa: ARG002 - called so
        self.length = self.length or input_ids.shape[1] - 1
        return input_ids.new_zeros(input_ids.shape[0], dtype=bool)


def _answer(
    loaded: Loaded,
    family: Family,
    question: Question,
    row: list[int],
    prompt_tokens: int,
    given: int,
    config: Any,
) -> Answer:
    """Back from tokens to words: without what stands after the end, the prompt's echo and the marks.

    The first ``given`` tokens of ``row`` are not the model's.
    """
    ends = config.eos_token_id
    ends = set(ends if isinstance(ends, list) else [ends])
    # The first token of a decoder may be its end token too (BART begins with it).
    said = [number for number, token in enumerate(row) if token not in ends and token != config.pad_token_id]
    last = said[-1] + 1 if said else 0
    ended = last < len(row)
    raw = loaded.tokenizer.decode(row[:last], skip_special_tokens=not family.marks).strip()
    if family.marks:
        raw = _without_frame(loaded, raw)
    asked = question.text
    text = family.clean(raw)
    if family.completes:
        beginning = family.clean(asked)
        if beginning and not text.lower().startswith(beginning.lower()):
            text = f"{beginning} {text}"
    elif asked and text.startswith(asked):
        text = text[len(asked) :].strip()
    return Answer(text=text, raw=raw, prompt_tokens=prompt_tokens, tokens=max(0, last - given), ended=ended)


def _without_frame(loaded: Loaded, text: str) -> str:
    """Without the tokens of beginning, end and padding; other special ones are wanted."""
    tokenizer = loaded.tokenizer
    for token in (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token, tokenizer.unk_token):
        if token:
            text = text.replace(token, "")
    return text.strip()
