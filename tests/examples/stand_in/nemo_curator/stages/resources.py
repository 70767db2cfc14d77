"""What a stage's worker gets."""

from dataclasses import dataclass


@dataclass
class Resources:
    cpus: float = 1.0
    gpus: float = 0.0
