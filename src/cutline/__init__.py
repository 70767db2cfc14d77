"""Captions image datasets with any vision-language model, losing nothing."""

__version__ = "0.1.0"
