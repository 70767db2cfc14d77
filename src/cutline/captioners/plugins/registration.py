"""``@register_model``: a name for a class of the user's own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import TypeVar

from cutline import registry
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.plugins.models import OwnModel
from cutline.errors import ConfigError

Model = TypeVar("Model", bound=type)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def register_model(name: str) -> Callable[[Model], Model]:
    """Give a class a name that ``--model`` and ``model=`` understand.

    The class has an ordinary method ``infer(prompt, image, image_name)``, or an asynchronous one,
    ``caption(picture, prompt)``. It stays as it is. See docs/extending.md.

    Raises:
        ConfigError: the name is taken or cannot be one, or the class has no such method.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot be a model's name: use letters, digits, '.', '_' and '-', "
            'as in @register_model("my_model")'
        )
    if name in PRESETS:
        raise ConfigError(f"{name!r} is the name of a service: choose another for your model")

    def decorate(model: Model) -> Model:
        if not inspect.isclass(model):
            raise ConfigError(f"@register_model({name!r}) belongs above a class")
        registry.register("captioners", name, OwnModel(model, name))
        return model

    return decorate
