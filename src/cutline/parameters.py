"""Parameters as one text, ``max_tokens=512, temperature=0.30``, checked against what a model takes."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cutline.errors import ConfigError
from cutline.formatting import did_you_mean, excerpt

USUAL = ("max_tokens", "temperature", "top_p", "seed")
"""The names of ``COMMON``."""
_NAME = re.compile(r"\s*([A-Za-z_][\w.-]*)\s*=\s*")
_END = re.compile(r"\s*(?:,|\Z)")
_DECODER = json.JSONDecoder()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One parameter's type and range.

    ``least`` and ``most`` are inclusive, ``above`` is exclusive; ``words`` are the allowed texts.
    """

    name: str
    kind: type = float
    least: float = -math.inf
    above: float = -math.inf
    most: float = math.inf
    words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        """The allowed values, for messages."""
        if self.words:
            return f"one of {', '.join(self.words)}"
        texts = {bool: "true or false", str: "a text", list: 'a text or a list such as ["a", "b"]'}
        if self.kind in texts:
            return texts[self.kind]
        what = "a whole number" if self.kind is int else "a number"
        most = f"{self.most:g}" if self.most < math.inf else ""
        if self.above > -math.inf:
            return f"{what} above {self.above:g}{most and f' and at most {most}'}"
        if self.least == -math.inf:
            return what
        return f"{what} from {self.least:g} to {most}" if most else f"{what} from {self.least:g} up"

    @property
    def constraints(self) -> dict[str, Any]:
        """The range as pydantic's ``Field`` takes it; whole numbers have 64 bits."""
        bounds = {"ge": self.least, "gt": self.above, "le": self.most}
        found: dict[str, Any] = {name: bound for name, bound in bounds.items() if math.isfinite(bound)}
        if self.kind is int and not found:
            found = {"ge": -(2**63), "lt": 2**63}
        return found

    def fits(self, value: object) -> bool:
        """Whether the value is allowed."""
        if self.kind is bool:
            return isinstance(value, bool)
        if self.kind is str:
            return isinstance(value, str) and (not self.words or value in self.words)
        if self.kind is list:
            return isinstance(value, str) or (
                isinstance(value, list) and bool(value) and all(isinstance(part, str) for part in value)
            )
        if isinstance(value, bool) or not isinstance(value, int if self.kind is int else int | float):
            return False
        if abs(value) >= 2**63:  # infinity too
            return False
        return self.least <= value <= self.most and value > self.above


MAX_TOKENS = Parameter(name="max_tokens", kind=int, least=1)
TEMPERATURE = Parameter(name="temperature", least=0, most=2)
TOP_P = Parameter(name="top_p", above=0, most=1)
SEED = Parameter(name="seed", kind=int)
COMMON = (MAX_TOKENS, TEMPERATURE, TOP_P, SEED)
"""The parameters that have the same name for every model; each has an option of its own."""
PENALTIES = tuple(Parameter(name=f"{what}_penalty", least=-2, most=2) for what in ("frequency", "presence"))
STOP = Parameter(name="stop", kind=list)


def parse(text: str) -> dict[str, Any]:
    """The parameters by name; values are JSON where they are JSON, else words.

    Raises:
        ConfigError: it is not of the form ``name=value, name=value``, or names one twice.
    """
    found: dict[str, Any] = {}
    place, end = 0, len(text.rstrip().removesuffix(","))
    while place < end or not found:
        name = _NAME.match(text, place, end)
        if name is None:
            raise _unreadable(text, text[place:end])
        value, place = _value(text, name.end(), end)
        if value == "":
            raise _unreadable(text, name[0])
        if name[1] in found:
            raise ConfigError(f"--parameters names {name[1]} twice: keep one of them")
        found[name[1]] = value
    return found


def _value(text: str, place: int, end: int) -> tuple[Any, int]:
    """One value, and where the next parameter begins."""
    try:
        value, after = _DECODER.raw_decode(text[:end], place)
        comma = _END.match(text, after, end)
    except ValueError:
        comma = None
    if comma is None:  # no JSON, or only its beginning
        word, _, _ = text[place:end].partition(",")
        return {"True": True, "False": False}.get(word.strip(), word.strip()), place + len(word) + 1
    return value, comma.end()


def _unreadable(text: str, part: str) -> ConfigError:
    return ConfigError(
        f"--parameters {_shown(text)}: {_shown(part.strip())} is not a parameter: write them as "
        "max_tokens=512, temperature=0.30"
    )


def parse_unique(text: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    """The parsed parameters, none of which is also among ``options``.

    Raises:
        ConfigError: as ``parse``; or a parameter is set twice.
    """
    found = parse(text) if text is not None and text.strip() else {}
    extra = options.get("extra") or {}
    for name in found:
        option = f"--{name.replace('_', '-')}" if name in USUAL else f"--extra.{name}"
        if name in (options if name in USUAL else extra):
            raise ConfigError(f"{name} is in --parameters, and there is {option} too: keep one of them")
    return found


def check(
    who: str, found: Mapping[str, Any], allowed: Iterable[Parameter], *, option: str = "--parameters: "
) -> None:
    """Check parameters against those that a model takes; messages begin with ``option``.

    Raises:
        ConfigError: names what is allowed.
    """
    known = {parameter.name: parameter for parameter in allowed}
    for name, value in found.items():
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise ConfigError(f"{option}{who} takes no {name}{did_you_mean(name, known)}; {takes}")
        if not known[name].fits(value):
            shown = name.replace("_", "-") if option == "--" else name
            raise ConfigError(f"{option}{shown} must be {known[name].allowed} for {who}, not {_shown(value)}")


def check_common(values: Mapping[str, Any]) -> None:
    """Refuse options of COMMON that no model accepts; None stands for one that is not set.

    Raises:
        ConfigError: names the option and its range.
    """
    for parameter in COMMON:
        value, option = values.get(parameter.name), f"--{parameter.name.replace('_', '-')}"
        is_off = parameter is MAX_TOKENS and value == 0  # no limit but the endpoint's own
        if value is not None and not is_off and not parameter.fits(value):
            zero = ", or 0 for the endpoint's own limit" if parameter is MAX_TOKENS else ""
            raise ConfigError(f"{option} must be {parameter.allowed}{zero}, not {value}")


def _shown(value: object) -> str:
    return excerpt(repr(value) if isinstance(value, str) else json.dumps(value), 60)
