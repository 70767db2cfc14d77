"""Plug-ins from files, and captioners made of the classes that they register."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from cutline import registry
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.plugins.enrichment import plugin_builtins
from cutline.captioners.plugins.guard import bind, guarded_import
from cutline.captioners.plugins.isolation import PluginCode, describe_error
from cutline.captioners.plugins.module_finder import FolderFinder
from cutline.captioners.plugins.turns import Turns
from cutline.errors import ConfigError
from cutline.files import not_there

if TYPE_CHECKING:
    from cutline.interfaces import Captioner

Model = TypeVar("Model", bound=type)

OPTIONS = (
    *("max_tokens", "temperature", "top_p", "seed", "extra", "schema_dialect"),
    *("max_side", "max_bytes", "jpeg_quality", "device", "dtype", "batch_size", "quantize"),
)
"""Names of the options that a class can take as arguments."""

MAX_AT_ONCE = 1_024
"""Calls at once, and pictures of a batch, that a class can allow: each takes a thread, or memory."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PARAMETERS = {
    "infer": ("prompt", "image", "image_name"),
    "infer_batch": ("prompts", "images", "image_names"),
    "caption": ("picture", "prompt"),
}


def register_model(name: str) -> Callable[[Model], Model]:
    """Register a class under a name for ``--model`` and ``model=``. The class itself is returned unchanged.

    It has an ordinary method ``infer(prompt, image, image_name)``, or an asynchronous
    ``caption(picture, prompt)``. See docs/extending.md.

    Raises:
        ConfigError: the name is invalid or taken, or the class has no such method.
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
            raise ConfigError(
                f"@register_model({name!r}) must decorate a class: write `class Mine:` with "
                "`def infer(self, prompt, image, image_name)` around the function"
            )
        registry.register("captioners", name, PluginModel(model, name))
        return model

    return decorate


class PluginModel:
    """Builds captioners that call a class's ``infer``, ``infer_batch`` or ``caption``.

    Raises:
        ConfigError: the class does not have the methods.
    """

    def __init__(self, cls: type, name: str) -> None:
        _check_methods(cls, name)
        self._cls = self.__wrapped__ = cls  # for registry.load
        self._name = name
        self.__module__, self.__qualname__ = cls.__module__, cls.__qualname__
        self._parameters = inspect.signature(cls).parameters
        self._file = _source_file(cls)
        self._turns = Turns()

    @property
    def __signature__(self) -> inspect.Signature:
        """The supported options: the class's own, and those that are applied for it."""
        names = {"timeout", "concurrency", *self._own_options()}
        if not self._has("caption"):
            names.add("max_side")
        if self._has("infer_batch"):
            names.add("batch_size")
        keyword = inspect.Parameter.KEYWORD_ONLY
        first = inspect.Parameter("argument", inspect.Parameter.POSITIONAL_ONLY, default="")
        return inspect.Signature([first, *(inspect.Parameter(name, keyword) for name in sorted(names))])

    def __call__(
        self, argument: str = "", *, timeout: float, concurrency: int | None = None, **options: Any
    ) -> Captioner:
        """The captioner; the class is instantiated by its ``open``, or by the first call.

        ``argument`` is what follows the colon of the model's name. ``concurrency`` is the number of
        simultaneous calls that the user requests; the class limits it by ``threads`` or ``slots``.

        Raises:
            ConfigError: the class cannot be instantiated with these.
        """
        label = f"{self._name}:{argument}" if argument else self._name
        code = PluginCode(name=label, file=self._file, timeout=timeout)
        start = self._factory(argument, options)
        if self._has("caption"):
            from cutline.captioners.plugins.async_model import AsyncModel

            return AsyncModel(start, code, turns=self._turns, slots=self._at_once(concurrency))
        from cutline.captioners.plugins.sync_model import SyncModel

        batch = self._has("infer_batch")
        return SyncModel(
            start,
            code,
            turns=self._turns,
            threads=1 if batch else self._at_once(concurrency),
            batch_size=options.get("batch_size", self._number("batch_size") or "auto") if batch else None,
            max_side=options.get("max_side", 1024),
        )

    def _at_once(self, requested: int | None) -> int:
        limit = self._number("threads", "slots")
        most = MAX_AT_ONCE if limit is None else limit
        return min(requested or limit or 1, most)

    def _has(self, method: str) -> bool:
        return callable(getattr(self._cls, method, None))

    def _number(self, *names: str) -> int | None:
        """The class attribute with one of these names."""
        for name in names:
            value = getattr(self._cls, name, None)
            if value is None:
                continue
            if type(value) is not int or not 1 <= value <= MAX_AT_ONCE:
                raise ConfigError(
                    f"{self._name}: {name} must be a number from 1 up to {MAX_AT_ONCE:,}, "
                    "written in the class"
                )
            return value
        return None

    def _own_options(self) -> set[str]:
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in self._parameters.values()):
            return set(OPTIONS)
        return set(OPTIONS) & set(self._parameters)

    def _factory(self, argument: str, options: dict[str, Any]) -> Callable[[], object]:
        """Instantiates the class with the options that it takes; raises ConfigError if it cannot work."""
        cls, name, own = self._cls, self._name, self._own_options()
        given = {option: value for option, value in options.items() if option in own}
        arguments = [argument] if argument else []
        no_argument = f"{name} takes no argument after a colon: remove ':{argument}'"
        if argument and next(iter(self._parameters), "") in OPTIONS:  # its first parameter is an option
            raise ConfigError(no_argument)
        try:
            inspect.signature(cls).bind(*arguments, **given)
        except TypeError as error:
            if argument:
                raise ConfigError(no_argument) from None
            raise ConfigError(f"{name} cannot be made without arguments: {error}") from None

        def start() -> object:
            model = cls(*arguments, **given)
            _refuse_instance_attributes(model, name)
            return model

        return start


def _refuse_instance_attributes(model: object, name: str) -> None:
    """Raises ConfigError for numbers set in ``__init__`` that were read from the class before."""
    for attribute in ("threads", "slots", "batch_size"):
        value = getattr(model, "__dict__", {}).get(attribute)
        if type(value) is int and value != getattr(type(model), attribute, None):
            raise ConfigError(
                f"{name} sets {attribute} in __init__, when it is too late: "
                f"write `{attribute} = {value}` in the class"
            )


def _source_file(cls: type) -> str | None:
    try:
        return inspect.getsourcefile(cls)
    except (TypeError, OSError):  # defined interactively
        return None


def _check_methods(cls: type, name: str) -> None:
    """Raises ConfigError for a class without the methods; names what it needs."""
    found = [method for method in _PARAMETERS if callable(getattr(cls, method, None))]
    if not found:
        raise ConfigError(
            f"{name} ({cls.__qualname__}) needs a method infer(self, prompt, image, image_name), "
            "or async caption(self, picture, prompt)"
        )
    if "caption" in found and len(found) > 1:
        raise ConfigError(f"{name} ({cls.__qualname__}) has caption and {found[0]}: keep one of them")
    for method in found:
        _check_method(cls, name, method)


def _check_method(cls: type, name: str, method: str) -> None:
    function, parameters = getattr(cls, method), _PARAMETERS[method]
    if inspect.iscoroutinefunction(function) != (method == "caption"):
        kind = "be asynchronous (async def)" if method == "caption" else "not be asynchronous"
        raise ConfigError(f"{name}: {method} of {cls.__qualname__} must {kind}")
    signature = inspect.signature(function)
    is_bound = not inspect.isfunction(inspect.getattr_static(cls, method))
    itself = () if is_bound else (None,)
    try:
        if method == "caption":
            signature.bind(*itself, *parameters)
        else:
            signature.bind(*itself, **dict.fromkeys(parameters))
    except TypeError:
        raise ConfigError(
            f"{name}: {method} of {cls.__qualname__} must take ({', '.join(('self', *parameters))})"
        ) from None


def load_plugin(file: str) -> None:
    """Import a file, once in this process, which registers the models in it.

    Modules beside it can be imported by it, where no installed one has their name.

    Raises:
        ConfigError: it does not exist, is not Python, or fails; names the file and the line.
    """
    path = Path(file).expanduser()
    if path.suffix != ".py":
        raise ConfigError(f"--plugin takes a Python file (.py), not {file}")
    if not path.is_file():
        why = f"{file} is not a regular file: write it to one" if path.exists() else not_there(file)
        raise ConfigError(f"the plug-in {why}")
    path = path.resolve()
    digest = hashlib.blake2b(str(path).encode(errors="surrogateescape"), digest_size=6).hexdigest()
    name = f"cutline_plugin_{digest}_{path.stem}"
    if name in sys.modules:
        return
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    found = plugin_builtins(register_model)
    vars(module)["__builtins__"] = found

    def prepare(helper: str, names: dict[str, Any]) -> None:
        names["__builtins__"] = found
        bind(helper, names)

    FolderFinder(path.parent, prepare).install()
    sys.modules[name] = module
    try:
        with guarded_import(str(path), vars(module)):
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, KeyboardInterrupt):
            raise
        raise ConfigError(f"the plug-in {file} cannot be used: {describe_error(error, str(path))}") from error
