"""The embedded captioner: no model, no key, no download."""

from cutline.captioners.pixels.captioner import Pixels

__all__ = ["Pixels"]
