"""What a replica of a model does with a batch: groups of what is asked alike, and memory that may end."""

from __future__ import annotations

import gc
from typing import Any, Final

from cutline.batcher import OutOfMemory
from cutline.captioners.transformers import generation as text_generation
from cutline.captioners.transformers.family import Family
from cutline.captioners.transformers.generation import Answer
from cutline.captioners.transformers.inputs import Question, check_prompt
from cutline.captioners.transformers.model_loader import Loaded
from cutline.captioners.transformers.settings import Generation

KEPT_CONFIGS: Final = 32


def runner(loaded: Loaded, family: Family, generation: Generation) -> Any:
    """What runs a batch on one replica, here or in a process of its own.

    Raises:
        ConfigError: ``generation``, which most questions will be asked with, cannot be used.
    """
    import torch

    configs = [(generation, text_generation.generation_config(loaded, generation))]

    def config_of(wanted: Generation) -> Any:
        known = next((config for one, config in configs if one == wanted), None)
        if known is None:
            known = text_generation.generation_config(loaded, wanted)
            configs.append((wanted, known))
            del configs[1:-KEPT_CONFIGS]
        return known

    def ask(group: list[Question]) -> list[Answer]:
        how = group[0].generation
        return text_generation.answer(loaded, family, group, how, config_of(how))

    def run(questions: list[Question]) -> list[Answer]:
        for question in questions:
            check_prompt(family, question.prompt, chat=loaded.chat)
        try:
            return _in_groups(questions, chat=loaded.chat, ask=ask)
        except (torch.OutOfMemoryError, MemoryError):
            pass
        except RuntimeError as error:
            # torch has no type of its own for main memory that is used up, only this text.
            if "allocate memory" not in str(error):
                raise
        # Outside of the handlers, whose traceback holds on to the tensors.
        gc.collect()
        if loaded.device.startswith("cuda"):
            torch.cuda.empty_cache()
        raise OutOfMemory

    return run


def _in_groups(questions: list[Question], *, chat: bool, ask: Any) -> list[Answer]:
    """Only what is asked in the same way goes into one batch, and without a chat only texts of one length."""
    groups: list[tuple[Any, list[int]]] = []
    for place, question in enumerate(questions):
        way = (question.generation, None if chat else question.text)
        places = next((places for known, places in groups if known == way), None)
        if places is None:
            groups.append((way, [place]))
        else:
            places.append(place)
    answers: dict[int, Answer] = {}
    for _, places in groups:
        answers.update(zip(places, ask([questions[place] for place in places]), strict=True))
    return [answers[place] for place in range(len(questions))]
