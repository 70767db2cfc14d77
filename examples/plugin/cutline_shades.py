"""A model for cutline that tells how light a picture is. It needs no weights: it shows the frame alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import ImageStat

from cutline import register_model

if TYPE_CHECKING:
    from PIL.Image import Image

    from cutline import Prompt

WORDS = ("black", "dark", "dim", "bright", "white")


@register_model("shades")
class Shades:
    """``--model shades`` uses five words for how light it is; ``--model shades:figures`` gives figures."""

    threads = 4  # calls of infer at once: it changes nothing in itself, so several do no harm

    def __init__(self, manner: str = "") -> None:
        """Called once, in each process that captions, before its first picture: load weights here."""
        if manner not in {"", "figures"}:
            raise ValueError(f"the manner is figures or nothing, not {manner!r}")
        self._figures = manner == "figures"

    def infer(self, prompt: Prompt, image: Image, image_name: str) -> str:
        """The caption of one picture, which is upright, in RGB and as small as ``--max-side`` says.

        What is raised fails this picture alone.
        """
        if image.height < 2:
            raise ValueError(f"{image_name} has no upper and lower half")
        upper = image.crop((0, 0, image.width, image.height // 2))
        whole, above = self._light(image), self._light(upper)
        where = "evenly lit"
        if abs(above - whole) > 0.05:
            where = "lighter above than below" if above > whole else "lighter below than above"
        shade = f"{whole:.0%} light" if self._figures else WORDS[min(int(whole * len(WORDS)), 4)]
        if prompt.name == "short":  # as --prompt short asks; a real model would be given prompt.prefix
            return f"A {shade} picture."
        return f"A {shade} picture of {image.width} by {image.height} pixels, {where}."

    @staticmethod
    def _light(image: Image) -> float:
        """The mean brightness, from 0 for black to 1 for white."""
        return ImageStat.Stat(image.convert("L")).mean[0] / 255
