"""The process that shares a model, in one of which batches of more than two pictures use up the memory."""

from __future__ import annotations

import os

import torch

from cutline.captioners.transformers import generation
from cutline.captioners.transformers.tensor_parallel import worker

answer = generation.answer


def answer_or_fail(loaded, family, questions, generation, config):
    if len(questions) > 2 and os.environ["RANK"] == "1":
        raise torch.OutOfMemoryError
    return answer(loaded, family, questions, generation, config)


generation.answer = answer_or_fail
worker.main()
