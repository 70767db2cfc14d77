"""Captions with the words of artists, styles and media that a CLIP finds like the picture.

After pharmapsychotic's CLIP Interrogator, https://github.com/pharmapsychotic/clip-interrogator (MIT).
"""

from cutline.captioners.interrogator.captioner import Interrogator

__all__ = ["Interrogator"]
