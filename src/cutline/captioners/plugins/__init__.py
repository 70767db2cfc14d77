"""Models of the user's own: how they are named, found, asked, and kept from doing harm."""

from __future__ import annotations

from cutline.captioners.plugins.files import load_plugins
from cutline.captioners.plugins.registration import register_model

__all__ = ["load_plugins", "register_model"]
