"""The process that shares a model, in one of which batches of more than two pictures use up the memory."""

from __future__ import annotations

import os

import torch

from cutline.captioners.transformers import generation
from cutline.captioners.transformers.tensor_parallel import worker

generate = generation.generate


def generate_or_fail(loaded, family, requests, config):
    if len(requests) > 2 and os.environ["RANK"] == "1":
        raise torch.OutOfMemoryError
    return generate(loaded, family, requests, config)


generation.generate = generate_or_fail
worker.main()
