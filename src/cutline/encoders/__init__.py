"""Embeddings of pictures and texts."""

from typing import Final

DEFAULT_CLIP: Final = "openai/clip-vit-large-patch14"
