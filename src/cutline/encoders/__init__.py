"""Pictures and texts as vectors, for whoever compares them."""

from typing import Final

DEFAULT_CLIP: Final = "openai/clip-vit-large-patch14"
