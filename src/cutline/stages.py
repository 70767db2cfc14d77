"""Filters and checks by the user's specification: ``NAME[=VALUE][:OPTION=VALUE,…]``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self, TypeAlias, TypeVar

from cutline import registry
from cutline.errors import ConfigError
from cutline.formatting import did_you_mean, excerpt
from cutline.interfaces import Check, Filter, Measure, Stage, check_members

Room: TypeAlias = Literal["filters", "checks"]

_BASES: dict[Room, Any] = {"filters": Filter, "checks": Check}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_MEASURE_NAME = re.compile(r"[A-Za-z][\w-]*", re.ASCII)  # as rules can name it
_VALUE = ""  # key of the value that stands behind the name
_ACTION = "action"  # option that a word without a name is for
_ACTIONS = "fail, retry, skip or note"  # of every check
_KINDS = {
    "int_": "a whole number",
    "float_": "a number",
    "finite_number": "a number",
    "bool_": "true or false",
}

StageClass = TypeVar("StageClass", bound=type[Stage] | type[Measure])


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
                raise ConfigError(f"--{room[:-1]} {text}: {option} is given twice; give it once")
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
        repairs = getattr(made, "repairs", True)
        if options.get(_ACTION) == "repair" and not repairs:
            raise ConfigError(f"{self._place} cannot repair a caption; choose {_ACTIONS}")
        try:
            return made(pydantic.TypeAdapter(made.Options).validate_python(options))
        except pydantic.ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            allowed = _allowed(first["type"], first.get("ctx", {}), repairs=repairs)
            if allowed is None:
                message = first["msg"][:1].lower() + first["msg"][1:]
                raise ConfigError(f"{self._place}: {where}: {message}") from None
            raise ConfigError(
                f"{self._place}: {where} takes {allowed}, not {excerpt(str(first['input']))!r}"
            ) from None

    @property
    def _place(self) -> str:
        return f"--{self.room[:-1]} {self.name}"


def _allowed(problem: str, context: Mapping[str, Any], *, repairs: bool) -> str | None:
    """What an option takes, by the name of pydantic's error; None where only its message says so."""
    if problem == "literal_error" and "'fail'" in context["expected"]:
        return f"repair, {_ACTIONS}" if repairs else _ACTIONS
    if problem == "literal_error":
        return str(context["expected"]).replace("'", "")
    return next((text for kind, text in _KINDS.items() if problem.startswith(kind)), None)


def _first(fields: Sequence[str]) -> str:
    """The option that a value behind the name is for; empty where there is none."""
    given = [field for field in fields if field != "device"]
    return next((field for field in given if field != _ACTION), next(iter(given), ""))


def register_stage(stage: StageClass) -> StageClass:
    """Make a filter, check or measure of a plug-in known by its ``name``; a class decorator.

    Raises:
        ConfigError: the class is none of them, or its name is taken or cannot be one.
    """
    if not isinstance(stage, type):
        raise ConfigError(
            "@register_stage must decorate a class: write `class Mine(cutline.Filter):` with `name = 'mine'` "
            "and `async def filter(self, sample, picture)` around the function"
        )
    if Measure in stage.__mro__:
        _check_measure(stage)
        registry.register("measures", stage.name, stage)
        return stage
    room = next((room for room, base in _BASES.items() if base in stage.__mro__), None)
    if room is None:
        raise ConfigError(
            f"{stage.__qualname__} is none of cutline.Filter, cutline.Check and cutline.Measure: "
            "derive it from one of them"
        )
    name = getattr(stage, "name", "")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{stage.__qualname__} needs a name of letters, digits, '.', '_' and '-', not {name!r}"
        )
    _check_class(room, name, stage)
    registry.register(room, name, stage)
    return stage


def _check_measure(measure: Any) -> None:
    """Raise ConfigError for a measure that rules cannot name, or that lacks a member."""
    name, meaning = (getattr(measure, member, "") for member in ("name", "meaning"))
    if not isinstance(name, str) or not _MEASURE_NAME.fullmatch(name):
        raise ConfigError(
            f"{measure.__qualname__} needs a name of a letter and letters, digits, '_' and '-', not {name!r}"
        )
    if not isinstance(meaning, str) or not meaning:
        raise ConfigError(f"the measure {name!r} needs a meaning: a line about what the number says")
    check_members(f"the measure {name!r}", measure, Measure, "measure")


def _check_class(room: Room, name: str, made: Any) -> None:
    base = _BASES[room]
    if not (isinstance(made, type) and base in made.__mro__):
        raise ConfigError(f"the {room[:-1]} {name!r} is not a class derived from cutline.{base.__name__}")
    options = getattr(made, "Options", None)
    if not (isinstance(options, type) and dataclasses.is_dataclass(options)):
        raise ConfigError(f"the Options of the {room[:-1]} {name!r} are not a dataclass")
    check_members(f"the {room[:-1]} {name!r}", made, base, room[:-1])
