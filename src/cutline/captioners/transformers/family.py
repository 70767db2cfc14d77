"""What the captioner of local models needs to know of a family, and which of them a model belongs to."""

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
    """One published model: where it is, its size in gigabytes (10⁹ bytes), its licence."""

    repo: str
    gigabytes: float
    licence: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Family:
    """Models that are asked in the same way.

    ``sizes``: the published models by what stands after the colon, the default first. ``types``: the
    ``model_type`` of their config, see ``kind_of``. ``among``: the families whose models can be asked
    by this name too. ``prompt``: what is asked when the user asks nothing, None for "Describe this
    image in detail." ``tasks``: the only prompts it was trained on, if it was not on any text.
    ``completes``: a prompt is the beginning of the caption and stays in it. ``instructable``: it does as
    it is told, instead of taking that for words of the caption. ``max_tokens``: of an answer, unless
    the user says.
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
    """A text says where the picture is, by the processor's token for it."""
    ends_texts: bool = False
    """The tokenizer puts a mark of the end behind a text, which would end the caption there."""
    returns_texts: bool = False
    """What ``generate`` gives back begins with the prompt, and is taken whole."""
    marks: bool = False
    """Special tokens say something, such as where things are; they stay in the raw reply."""

    def repository(self, name: str) -> str:
        """Where the weights are: a repository's name or a folder.

        Raises:
            ConfigError: ``name`` is no size of this family, no folder and no repository.
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
            ConfigError: it is a model of another family.
        """
        kind = kind_of(config)
        if self.types and kind not in self.types:
            said = config.get("model_type", "nothing that says so")
            raise ConfigError(f"{folder} is no {self.name} but {said}: use --model hf:{folder}")
        return next((family for family in self.among if kind in family.types), self)

    @property
    def default_prompt(self) -> Prompt:
        return Prompt() if self.prompt is None else Prompt(prefix=self.prompt)

    def clean(self, text: str) -> str:
        """The model's words without the marks that only machines read."""
        return _TAGS.sub("", _PATCHES.sub("", text)).strip() if "<" in text else text.strip()


def kind_of(config: dict[str, Any]) -> str:
    """The ``model_type`` that a model's config names; ``blip-2 t5`` for BLIP-2 that speaks by a T5."""
    kind = config.get("model_type")
    text = config.get("text_config") or {}
    return "blip-2 t5" if kind == "blip-2" and text.get("model_type") == "t5" else str(kind)
