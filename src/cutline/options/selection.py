"""Options of filters, rules and checks: which pictures get a caption, and which captions are kept."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from cutline.errors import ConfigError
from cutline.options.strict import StrictOptions
from cutline.stages import Room, StageSpec


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions(StrictOptions):
    """Which pictures get a caption, and which captions are kept."""

    min_similarity: float | None = None
    """Drop sentences whose similarity with the picture, by CLIP, is below this, such as 0.20."""
    similarity_model: str | None = None
    """CLIP or SigLIP for --min-similarity: name or folder. [default: openai/clip-vit-large-patch14]"""
    check: tuple[str, ...] = ()
    """Check of captions, such as `words=5..120`, `repetition` or `opener:repair`. Several by repetition."""
    check_retries: int | None = None
    """Number of further requests for a caption that a check with `:retry` refuses. [default: 2]"""
    retry_prompt: str | None = None
    """Prompt of these retries, as for --prompt; without it the temperature is changed."""
    filter: tuple[str, ...] = ()
    """Filter of pictures, such as `size=256`: size or a plug-in's; several by repetition."""

    @property
    def has_checks(self) -> bool:
        return bool(self.check) or self.min_similarity is not None

    def specs(self) -> dict[Room, list[StageSpec]]:
        """The filters and checks, each in the order in which they run.

        Raises:
            ConfigError: one is not written as it must be, or is there twice.
        """
        checks = []
        if self.min_similarity is not None:
            options = {"minimum": self.min_similarity}
            model = {"model": self.similarity_model} if self.similarity_model is not None else {}
            checks.append(StageSpec(room="checks", name="similarity", options={**options, **model}))
        elif self.similarity_model is not None:
            raise ConfigError("--similarity-model has no effect alone: add --min-similarity, such as 0.20")
        specs: dict[Room, list[StageSpec]] = {
            "filters": [StageSpec.parse("filters", text) for text in self.filter],
            "checks": [*checks, *(StageSpec.parse("checks", text) for text in self.check)],
        }
        for room, found in specs.items():
            names = [spec.name for spec in found]
            if twice := next((name for name in names if names.count(name) > 1), None):
                raise ConfigError(f"--{room[:-1]} {twice} is given twice: give all its options at once")
        return specs

    def of_all_captions(self) -> list[str]:
        """The options given that compare the captions of all pictures."""
        return [f"--check {one.name}" for one in self.specs()["checks"] if one.name == "same"]

    def validate(self) -> None:
        """Raises ConfigError for an invalid filter or check, as far as is known without plug-ins."""
        minimum = self.min_similarity
        if minimum is not None and not -1 <= minimum <= 1:  # so that nan is refused too
            raise ConfigError(f"--min-similarity must be between -1 and 1, not {minimum}")
        if self.check_retries is not None and self.check_retries < 1:
            raise ConfigError(f"--check-retries must be greater than 0, not {self.check_retries}")
        self.specs()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilterOptions(StrictOptions):
    """Which pictures get a caption, by measures of all of them."""

    keep: tuple[str, ...] = ()
    """Keep only pictures within a limit, such as 'side>=256' or 'sharpness>=p2'. Several by repetition."""
    dedup: Literal["exact", "near"] | None = None
    """Of duplicates keep one: those with the same bytes, or near ones too (resized, re-encoded, cropped)."""
    classifier: str | None = None
    """Image classifier for rules such as 'class.watermark<=0.5': name on the hub or folder."""
    aesthetic_model: str | None = None
    """CLIP for 'aesthetic>=5': name or folder. [default: openai/clip-vit-large-patch14]"""
    aesthetic_head: str | None = None
    """Weights of that score: .safetensors file or hub name. [default: ttj/sac-logos-ava1-l14-linearMSE]"""

    def of_all_pictures(self) -> list[str]:
        """The options given that compare all pictures."""
        percentiles = (rule for rule in self.keep if re.search(r"=\s*p[\d.]+$", rule.strip()))
        return [*(["--dedup"] if self.dedup else []), *(f"--keep {rule}" for rule in percentiles)]

    def check(self) -> None:
        """Raises ConfigError for a model that no rule uses."""
        for option, value, measure in (
            ("--classifier", self.classifier, "class."),
            ("--aesthetic-model", self.aesthetic_model, "aesthetic"),
            ("--aesthetic-head", self.aesthetic_head, "aesthetic"),
        ):
            if value is not None and not any(rule.strip().startswith(measure) for rule in self.keep):
                example = "class.LABEL<=0.5" if measure == "class." else "aesthetic>=5"
                raise ConfigError(f"{option} has no effect alone: add a rule, such as --keep '{example}'")
