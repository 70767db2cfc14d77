"""What a class of the user's own has to be, and how it is put to work."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from cutline.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cutline.interfaces import Captioner

OPTIONS = (
    *("max_tokens", "temperature", "top_p", "seed", "extra", "schema_dialect"),
    *("max_side", "max_bytes", "jpeg_quality", "device", "dtype", "batch_size", "quantize"),
)
"""What a class can take as arguments of its own, by these names."""

_ASKED = {
    "infer": ("prompt", "image", "image_name"),
    "infer_batch": ("prompts", "images", "image_names"),
    "caption": ("picture", "prompt"),
}


class OwnModel:
    """Makes the captioner that asks a class through its ``infer``, ``infer_batch`` or ``caption``.

    Raises:
        ConfigError: the class could not be asked.
    """

    def __init__(self, made: type, name: str) -> None:
        _check_shape(made, name)
        self.made = made
        self.name = name
        self.__module__, self.__qualname__ = made.__module__, made.__qualname__
        self._own = inspect.signature(made).parameters
        self._file = _file_of(made)

    @property
    def __signature__(self) -> inspect.Signature:
        """With the options that it has a use for: the class's own, and what is done for it."""
        names = {"timeout", "concurrency", *self._of_the_class()}
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
        """What asks the class; it is made itself when the first picture is about to come.

        ``argument`` is what stands behind the colon of its name. ``concurrency`` is how many calls the
        user wants at once; a class says by ``threads`` how many it can bear.

        Raises:
            ConfigError: the class cannot be used like this.
        """
        label = f"{self.name}:{argument}" if argument else self.name
        start = self._starter(argument, options)
        if self._has("caption"):
            from cutline.captioners.plugins.async_model import WaitingModel

            slots = self._at_once(concurrency)
            return WaitingModel(start, name=label, file=self._file, slots=slots, timeout=timeout)
        from cutline.captioners.plugins.sync_model import ThreadedModel

        batch = self._has("infer_batch")
        return ThreadedModel(
            start,
            name=label,
            file=self._file,
            threads=1 if batch else self._at_once(concurrency),
            batch_size=options.get("batch_size", self._number("batch_size") or "auto") if batch else None,
            max_side=options.get("max_side", 1024),
            timeout=timeout,
        )

    def _at_once(self, wanted: int | None) -> int:
        borne = self._number("threads", "slots")
        return min(wanted or borne, borne) if borne is not None else wanted or 1

    def _has(self, method: str) -> bool:
        return callable(getattr(self.made, method, None))

    def _number(self, *names: str) -> int | None:
        """The attribute of the class with one of these names."""
        for name in names:
            value = getattr(self.made, name, None)
            if value is None:
                continue
            if type(value) is not int or value < 1:
                raise ConfigError(f"{self.name}: {name} must be a number from 1 up, written in the class")
            return value
        return None

    def _of_the_class(self) -> set[str]:
        """The options that the class takes itself."""
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in self._own.values()):
            return set(OPTIONS)
        return set(OPTIONS) & set(self._own)

    def _starter(self, argument: str, options: dict[str, Any]) -> Callable[[], object]:
        """Calls the class with what it takes, once that is known to be possible."""
        taken = self._of_the_class()
        given = {name: value for name, value in options.items() if name in taken}
        arguments = [argument] if argument else []
        if argument and next(iter(self._own), "") in OPTIONS:  # which has an option of its own
            raise ConfigError(f"{self.name} takes nothing behind a colon: leave ':{argument}' out")
        try:
            inspect.signature(self.made).bind(*arguments, **given)
        except TypeError as error:
            if argument:
                raise ConfigError(
                    f"{self.name} takes nothing behind a colon: leave ':{argument}' out"
                ) from None
            raise ConfigError(f"{self.name} cannot be made without arguments: {error}") from None
        made, name = self.made, self.name

        def start() -> object:
            model = made(*arguments, **given)
            _refuse_late(model, name)
            return model

        return start


def _refuse_late(model: object, name: str) -> None:
    """Raises ConfigError for numbers that were wanted before there was an object."""
    for attribute in ("threads", "slots", "batch_size"):
        value = getattr(model, "__dict__", {}).get(attribute)
        if type(value) is int and value != getattr(type(model), attribute, None):
            raise ConfigError(
                f"{name} sets {attribute} in __init__, when it is too late: "
                f"write `{attribute} = {value}` in the class"
            )


def _file_of(made: type) -> str | None:
    try:
        return inspect.getsourcefile(made)
    except (TypeError, OSError):  # typed in
        return None


def _check_shape(made: type, name: str) -> None:
    """Refuse a class that could not be asked.

    Raises:
        ConfigError: names what it needs.
    """
    found = [method for method in _ASKED if callable(getattr(made, method, None))]
    if not found:
        raise ConfigError(
            f"{name} ({made.__qualname__}) needs a method infer(self, prompt, image, image_name), "
            "or async caption(self, picture, prompt)"
        )
    if "caption" in found and len(found) > 1:
        raise ConfigError(f"{name} ({made.__qualname__}) has caption and {found[0]}: keep one of them")
    for method in found:
        _check_method(made, name, method)


def _check_method(made: type, name: str, method: str) -> None:
    function, wanted = getattr(made, method), _ASKED[method]
    if inspect.iscoroutinefunction(function) != (method == "caption"):
        kind = "be asynchronous (async def)" if method == "caption" else "not be asynchronous"
        raise ConfigError(f"{name}: {method} of {made.__qualname__} must {kind}")
    own = inspect.signature(function)
    bound_already = not inspect.isfunction(inspect.getattr_static(made, method))
    itself = () if bound_already else (None,)
    try:
        if method == "caption":
            own.bind(*itself, *wanted)
        else:
            own.bind(*itself, **dict.fromkeys(wanted))
    except TypeError:
        raise ConfigError(
            f"{name}: {method} of {made.__qualname__} must take ({', '.join(('self', *wanted))})"
        ) from None
