"""The prompts that come with cutline, one TOML file each in ``prompt_library``."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable


@functools.cache
def library_prompts() -> dict[str, str]:
    """What each prompt of the library is for, in one line, by name in alphabetical order."""
    return {name: str(library_entry(name)["description"]) for name in library_names()}


@functools.cache
def library_names() -> tuple[str, ...]:
    return tuple(sorted(file.name[:-5] for file in _folder().iterdir() if file.name.endswith(".toml")))


def library_entry(name: str) -> dict[str, Any]:
    """The file of one prompt, parsed; its keys are those of any prompt file."""
    return tomllib.loads((_folder() / f"{name}.toml").read_text(encoding="utf-8"))


def _folder() -> Traversable:
    return resources.files("cutline") / "prompt_library"
