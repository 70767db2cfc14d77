"""Models from plug-ins: registration, loading from files, and isolation of their failures."""

from cutline.captioners.plugins.models import load_plugins, register_model

__all__ = ["load_plugins", "register_model"]
