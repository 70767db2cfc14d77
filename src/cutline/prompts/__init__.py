"""Prompts, and the way from a model's reply to a caption."""

from __future__ import annotations

from cutline.prompts.affixes import Policy, finish_caption
from cutline.prompts.files import library_prompts, load_schema
from cutline.prompts.loader import is_prompt_file, load_prompt, load_prompts, parse_prompt_option
from cutline.prompts.prompt import Example, Part, Prompt, Turn
from cutline.prompts.replies import check_caption, clean_reply, first_sentences
from cutline.prompts.variables import look_up, sample_variables

__all__ = [
    "Example",
    "Part",
    "Policy",
    "Prompt",
    "Turn",
    "check_caption",
    "clean_reply",
    "finish_caption",
    "first_sentences",
    "is_prompt_file",
    "library_prompts",
    "load_prompt",
    "load_prompts",
    "load_schema",
    "look_up",
    "parse_prompt_option",
    "sample_variables",
]
