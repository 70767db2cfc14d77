"""Families of local models: their weights, their prompts and how their outputs are cleaned."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any, Final

from cutline.errors import ConfigError
from cutline.prompts import Prompt

_TAGS: Final = re.compile(
    r"</?(?:grounding|image|phrase|object|delimiter_of_multi_objects|patch_index_\d+|loc_?\d+|s|p)>"
)
_PATCHES: Final = re.compile(r"<object>.*?</object>", re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """One published model: repository, size in gigabytes (10⁹ bytes), licence."""

    repo: str
    gigabytes: float
    licence: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """Models with the same prompts and outputs.

    ``sizes``: the published models by the name after the colon, the default first. ``types``: the
    ``model_type`` of their config, see ``model_kind``. ``among``: other families whose models this name
    accepts. ``prompt``: the default, None for "Describe this image in detail." ``tasks``: the only
    supported prompts, if any text is not. ``completes``: a prompt is the beginning of the caption and is
    kept in it. ``instructable``: it follows instructions, rather than continuing their text.
    ``max_tokens``: the default maximum of an output.
    """

    name: str
    sizes: dict[str, Weights]
    types: tuple[str, ...]
    among: tuple[Family, ...] = ()
    prompt: str | None = None
    tasks: tuple[str, ...] = ()
    completes: bool = False
    instructable: bool = True
    max_tokens: int = 512
    about: str = ""
    image_token: bool = False
    """The text needs the processor's image token."""
    ends_texts: bool = False
    """The tokenizer appends an end token to a text, which would end the caption there."""
    returns_texts: bool = False
    """The output of ``generate`` starts with the prompt, which is kept."""
    marks: bool = False
    """Special tokens carry information, such as positions; they are kept in the raw reply."""

    def repository(self, name: str) -> str:
        """The repository or folder of the weights.

        Raises:
            ConfigError: ``name`` is not a size of this family, a folder or a repository.
        """
        if not name:
            if not self.sizes:
                raise ConfigError(
                    f"{self.name} needs a model: --model {self.name}:OWNER/NAME or {self.name}:FOLDER"
                )
            return next(iter(self.sizes.values())).repo
        known = self.sizes.get(name.lower())
        if known is not None:
            return known.repo
        if "/" not in name and "\\" not in name and self.sizes:
            sizes = ", ".join(f"{self.name}:{size}" for size in self.sizes)
            raise ConfigError(
                f"there is no {self.name}:{name}; there are {sizes}, or name a folder as ./{name}"
            )
        return name

    def of(self, config: dict[str, Any], folder: Path) -> Family:
        """The family of the model in ``folder`` by its config: this one, or one of ``among``.

        Raises:
            ConfigError: it is of another family.
        """
        kind = model_kind(config)
        if self.types and kind not in self.types:
            found = config.get("model_type", "unknown")
            raise ConfigError(f"{folder} is not a {self.name} model (type {found}): use --model hf:{folder}")
        return next((family for family in self.among if kind in family.types), self)

    @property
    def default_prompt(self) -> Prompt:
        return Prompt() if self.prompt is None else Prompt(prefix=self.prompt)

    def clean(self, text: str) -> str:
        """The text without markup."""
        return _TAGS.sub("", _PATCHES.sub("", text)).strip() if "<" in text else text.strip()


def model_kind(config: dict[str, Any]) -> str:
    """The ``model_type`` of a model's config; ``blip-2 t5`` for BLIP-2 with a T5."""
    kind = config.get("model_type")
    text = config.get("text_config") or {}
    return "blip-2 t5" if kind == "blip-2" and text.get("model_type") == "t5" else str(kind)
