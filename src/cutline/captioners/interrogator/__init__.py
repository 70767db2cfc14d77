"""Captions with the names of artists, styles and media that CLIP finds similar to the picture.

After pharmapsychotic's CLIP Interrogator, https://github.com/pharmapsychotic/clip-interrogator (MIT).
"""

from cutline.captioners.interrogator.captioner import Interrogator

__all__ = ["Interrogator"]
