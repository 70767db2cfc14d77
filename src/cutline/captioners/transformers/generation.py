"""Text generation for one batch: sampling, and decoding of tokens."""

from __future__ import annotations

import copy
import dataclasses
import gc
import time
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from cutline.batcher import OutOfMemory
from cutline.captioners.transformers.family import Family
from cutline.captioners.transformers.inputs import GenerationRequest, check_prompt, prepare_inputs
from cutline.captioners.transformers.model_loader import LoadedModel
from cutline.captioners.transformers.settings import SAMPLING_EXTRAS, Generation
from cutline.errors import ConfigError

MAX_CONFIGS: Final = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedText:
    """The text for one picture; ``raw`` includes the special tokens that ``text`` is stripped of.

    ``seconds``: the duration of its batch.
    """

    text: str
    raw: str
    prompt_tokens: int
    tokens: int
    ended: bool
    """False when the text was truncated at the maximum of tokens."""
    seconds: float = 0.0


RunBatch: TypeAlias = Callable[[list[GenerationRequest]], list[GeneratedText]]


def batch_runner(loaded: LoadedModel, family: Family, generation: Generation) -> RunBatch:
    """Runs batches on one replica, in this process or in a worker.

    Raises:
        ConfigError: ``generation``, which most requests have, is invalid.
    """
    import torch

    configs = [(generation, generation_config(loaded, generation))]

    def config_of(requested: Generation) -> Any:
        known = next((config for one, config in configs if one == requested), None)
        if known is None:
            known = generation_config(loaded, requested)
            configs.append((requested, known))
            del configs[1:-MAX_CONFIGS]
        return known

    def run_group(group: list[GenerationRequest]) -> list[GeneratedText]:
        return generate(loaded, family, group, config_of(group[0].generation))

    def run(requests: list[GenerationRequest]) -> list[GeneratedText]:
        for request in requests:
            check_prompt(family, request.prompt, chat=loaded.chat)
        try:
            return _run_grouped(requests, chat=loaded.chat, run=run_group)
        except (torch.OutOfMemoryError, MemoryError):
            pass
        except RuntimeError as error:
            # torch has no exception type for exhausted main memory, only this message.
            if "allocate memory" not in str(error):
                raise
        # Outside the handlers, whose traceback holds the tensors.
        gc.collect()
        if loaded.device.startswith("cuda"):
            torch.cuda.empty_cache()
        raise OutOfMemory

    return run


def _run_grouped(requests: list[GenerationRequest], *, chat: bool, run: RunBatch) -> list[GeneratedText]:
    """Run requests of equal parameters together; without a chat template, of equal text too."""
    groups: dict[str, list[int]] = {}
    for index, request in enumerate(requests):
        groups.setdefault(repr((request.generation, chat or request.text)), []).append(index)
    results: dict[int, GeneratedText] = {}
    for indices in groups.values():
        results.update(zip(indices, run([requests[index] for index in indices]), strict=True))
    return [results[index] for index in range(len(requests))]


def generation_config(loaded: LoadedModel, generation: Generation) -> Any:
    """The model's own settings with the user's; greedy, as ``sampling_processors`` does the sampling.

    Raises:
        ConfigError: transformers has no such setting, or two of them contradict each other.
    """
    config = copy.deepcopy(loaded.model.generation_config)
    config.do_sample, config.temperature, config.top_p, config.top_k = False, None, None, None
    config.max_length = config.max_new_tokens = None  # given with each batch
    for name, value in generation.extra.items():
        if name.startswith("_") or callable(getattr(config, name, max)):
            raise ConfigError(f"--extra.{name} is not a setting of transformers' GenerationConfig")
        if name not in SAMPLING_EXTRAS:
            setattr(config, name, value)
    if loaded.model.config.model_type == "blip":
        # Where its own ``generate`` ends, whatever its generation config has (the published ones differ).
        config.eos_token_id = loaded.model.config.text_config.sep_token_id
    if generation.temperature and (config.num_beams or 1) > 1:
        raise ConfigError("--temperature and --extra.num_beams exclude each other: remove one of them")
    if config.pad_token_id is None:
        config.pad_token_id = loaded.tokenizer.pad_token_id
    try:
        config.validate(strict=True)
    except ValueError as error:
        raise ConfigError(f"--extra is invalid: {' '.join(str(error).split())[:300]}") from None
    return config


def generate(
    loaded: LoadedModel, family: Family, requests: list[GenerationRequest], config: Any
) -> list[GeneratedText]:
    """One text for each request, in their order; all requests have equal parameters. Blocks.

    Raises:
        SampleError: the prompt is too long.
        Exception: whatever torch raises, such as its out-of-memory errors.
    """
    import torch

    generation = requests[0].generation
    start = time.perf_counter()
    inputs = prepare_inputs(loaded, family, requests, generation.max_tokens)
    processors = sampling_processors(generation, [request.seed for request in requests], loaded.device)
    initial = _InitialLength()
    with torch.inference_mode():
        output = loaded.model.generate(
            **inputs.tensors,
            generation_config=config,
            max_new_tokens=inputs.max_new_tokens,
            min_new_tokens=min(config.min_new_tokens or 0, inputs.max_new_tokens),
            logits_processor=processors,
            stopping_criteria=[initial],
        )
    given = max(0, initial.length - inputs.prompt_length)
    rows = output[:, inputs.prompt_length :].tolist()
    seconds = time.perf_counter() - start
    return [
        dataclasses.replace(
            _decode(loaded, family, request, row, given, config), prompt_tokens=tokens, seconds=seconds
        )
        for request, row, tokens in zip(requests, rows, inputs.tokens, strict=True)
    ]


class _InitialLength:
    """Records the number of tokens before generation: the start token, and the prompt for some models.

    transformers calls it as a stopping criterion after each token; it never stops generation.
    """

    def __init__(self) -> None:
        self.length = 0

    def __call__(self, input_ids: Any, scores: Any, **more: Any) -> Any:  # noqa: ARG002 - called so
        self.length = self.length or input_ids.shape[1] - 1
        return input_ids.new_zeros(input_ids.shape[0], dtype=bool)


def _decode(
    loaded: LoadedModel, family: Family, request: GenerationRequest, row: list[int], given: int, config: Any
) -> GeneratedText:
    """Tokens to text, without what follows the end token, the echo of the prompt and special tokens.

    The first ``given`` tokens of ``row`` were not generated.
    """
    ends = config.eos_token_id
    ends = set(ends if isinstance(ends, list) else [ends])
    # The first token of a decoder may be its end token too (BART starts with it).
    kept = [index for index, token in enumerate(row) if token not in ends and token != config.pad_token_id]
    last = kept[-1] + 1 if kept else 0
    raw = loaded.tokenizer.decode(row[:last], skip_special_tokens=not family.marks).strip()
    if family.marks:
        # Start, end and padding tokens; other special ones are kept.
        own = loaded.tokenizer
        for mark in filter(None, (own.bos_token, own.eos_token, own.pad_token, own.unk_token)):
            raw = raw.replace(mark, "")
        raw = raw.strip()
    prompt = request.text
    text = family.clean(raw)
    if family.completes:
        beginning = family.clean(prompt)
        if beginning and not text.lower().startswith(beginning.lower()):
            text = f"{beginning} {text}"
    elif prompt and text.startswith(prompt):
        text = text[len(prompt) :].strip()
    return GeneratedText(
        text=text, raw=raw, prompt_tokens=0, tokens=max(0, last - given), ended=last < len(row)
    )


def sampling_processors(generation: Generation, seeds: list[int], device: str) -> Any:
    """Logits processors that sample, depending on the seed and the picture alone; None for greedy decoding.

    Gumbel noise is added to the scores, after which the highest one is an exact sample (Gumbel 1954;
    Maddison et al. 2014, "A* Sampling"). Each row has its own generator, so that the other pictures of
    the batch have no influence.
    """
    if not generation.temperature:
        return None
    import torch
    from transformers import (
        LogitsProcessor,
        LogitsProcessorList,
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    rows = [
        torch.Generator().manual_seed((generation.seed * 0x9E3779B97F4A7C15 + seed) % 2**63) for seed in seeds
    ]

    class GumbelNoise(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002 - called by transformers
            noise = torch.stack([torch.rand(scores.shape[-1], generator=row) for row in rows])
            gumbel = -torch.log(-torch.log(noise.clamp(1e-20, 1 - 1e-7)))
            return scores.float() + gumbel.to(device)

    processors = LogitsProcessorList([TemperatureLogitsWarper(generation.temperature)])
    # In the order of ``generate``.
    if "top_k" in generation.extra:
        processors.append(TopKLogitsWarper(generation.extra["top_k"]))
    if generation.top_p < 1:
        processors.append(TopPLogitsWarper(generation.top_p))
    if "min_p" in generation.extra:
        processors.append(MinPLogitsWarper(generation.extra["min_p"]))
    processors.append(GumbelNoise())
    return processors
