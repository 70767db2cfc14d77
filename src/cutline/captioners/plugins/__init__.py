"""Models from plug-ins: registration, loading from files, and isolation of their failures."""

from __future__ import annotations

from cutline.captioners.plugins.files import load_plugins
from cutline.captioners.plugins.models import register_model

__all__ = ["load_plugins", "register_model"]
