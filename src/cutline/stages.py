"""Filters and checks by the user's specification: ``NAME[=VALUE][:OPTION=VALUE,…]``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias, TypeVar

from cutline import registry
from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.interfaces import Check, Filter, Stage

Room: TypeAlias = Literal["filters", "checks"]

_BASES: dict[Room, Any] = {"filters": Filter, "checks": Check}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VALUE = ""  # key of the value that stands behind the name
_ACTION = "action"  # option that a word without a name is for

StageClass = TypeVar("StageClass", bound=type[Stage])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StageSpec:
    """A stage by its name in the registry, with its options as text or as values."""

    room: Room
    name: str
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def parse(cls, room: Room, text: str) -> Self:
        """Read ``NAME``, ``NAME=VALUE``, ``NAME:OPTION=VALUE,…`` or ``NAME=VALUE:OPTION=VALUE,…``.

        ``VALUE`` is the stage's first option, and a word alone among the options its ``action``.

        Raises:
            ConfigError: the text is not of this form.
        """
        head, _, rest = text.partition(":")
        name, has_value, value = (part.strip() for part in head.partition("="))
        if not _NAME.fullmatch(name):
            raise ConfigError(f"--{room[:-1]} takes NAME, NAME=VALUE or NAME:OPTION=VALUE, not {text!r}")
        options: dict[str, str] = {_VALUE: value} if has_value else {}
        for part in filter(None, (part.strip() for part in rest.split(","))):
            option, found, given = (piece.strip() for piece in part.partition("="))
            if not found:
                option, given = _ACTION, option
            if option in options:
                raise ConfigError(f"--{room[:-1]} {text}: {option} is given twice")
            options[option] = given
        return cls(room=room, name=name, options=options)

    def build(self, *, device: str = "auto") -> Any:
        """The stage with its options checked; ``device`` is for one that computes on it.

        Raises:
            ConfigError: there is no such stage or option, or a value cannot be used; names the option.
            MissingExtra: the stage needs an extra that is not installed.
        """
        import pydantic

        made = registry.load(self.room, self.name)
        _check_class(self.room, self.name, made)
        fields = [field.name for field in dataclasses.fields(made.Options)]
        options = {"device": device} if "device" in fields else {}
        for name, value in self.options.items():
            field = name or _first(fields)
            if field not in fields:
                known = f"its options are {', '.join(fields)}" if fields else "it has no options"
                hint = did_you_mean(name, fields)
                raise ConfigError(f"{self._place} has no option {name or 'for a value'!r}{hint}; {known}")
            options[field] = value
        if options.get(_ACTION) == "repair" and not getattr(made, "repairs", True):
            raise ConfigError(f"{self._place} cannot repair a caption; choose fail, retry, skip or note")
        try:
            return made(pydantic.TypeAdapter(made.Options).validate_python(options))
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            message = first["msg"][:1].lower() + first["msg"][1:]
            raise ConfigError(f"{self._place}: {where}: {message}") from None

    @property
    def _place(self) -> str:
        return f"--{self.room[:-1]} {self.name}"


def _first(fields: Sequence[str]) -> str:
    """The option that a value behind the name is for; empty where there is none."""
    given = [field for field in fields if field != "device"]
    return next((field for field in given if field != _ACTION), next(iter(given), ""))


def register_stage(stage: StageClass) -> StageClass:
    """Make a filter or check of a plug-in known by its ``name``; a class decorator.

    Raises:
        ConfigError: the class is neither, or its name is taken or cannot be one.
    """
    room = next((room for room, base in _BASES.items() if base in stage.__mro__), None)
    if room is None:
        raise ConfigError(f"{stage.__qualname__} is neither a cutline.Filter nor a cutline.Check")
    name = getattr(stage, "name", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{stage.__qualname__} needs a name of letters, digits, '.', '_' and '-', not {name!r}"
        )
    _check_class(room, name, stage)
    registry.register(room, name, stage)
    return stage


def _check_class(room: Room, name: str, made: Any) -> None:
    base = _BASES[room]
    if not (isinstance(made, type) and base in made.__mro__):
        raise ConfigError(f"the {room[:-1]} {name!r} is not a class derived from cutline.{base.__name__}")
    options = getattr(made, "Options", None)
    if not (isinstance(options, type) and dataclasses.is_dataclass(options)):
        raise ConfigError(f"the Options of the {room[:-1]} {name!r} are not a dataclass")
