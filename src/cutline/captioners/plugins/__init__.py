"""Models from plug-ins: registration, loading from files, and isolation of their failures."""

from __future__ import annotations

from collections.abc import Iterable


def load_plugins(files: Iterable[str]) -> None:
    """Import each file, once in this process, which registers the models in it.

    Raises:
        ConfigError: a file does not exist, is not Python, or fails; names the file and the line.
    """
    for file in files:
        from cutline.captioners.plugins.models import load_plugin

        load_plugin(file)
