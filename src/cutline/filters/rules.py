"""Rules about measures of pictures: ``sharpness>=0.75``, ``aspect<=3``, ``sharpness>=p2``."""

from __future__ import annotations

import dataclasses
import itertools
import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from cutline.errors import ConfigError
from cutline.formatting import number
from cutline.interfaces import Measure

_FORM: Final = re.compile(r"\s*([A-Za-z][\w.:/ -]*?)\s*(>=|<=|==|=>|=<|[≥≤=><])\s*([^\s=<>]\S*)\s*")
_PERCENTILE: Final = re.compile(r"p(\d+(?:\.\d+)?)", re.ASCII)
_EXAMPLE: Final = "such as 'side>=256' or 'sharpness>=p2'"
_HOLDS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq,
}  # fmt: skip
_MEANT: Final = {"=>": ">=", "=<": "<=", "≥": ">=", "≤": "<="}
_FAILS: Final = {">=": "<", "<=": ">", ">": "≤", "<": "≥", "==": "≠"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition that pictures must meet to be kept.

    ``limit`` is a number; with ``percent``, the share of the input that is rejected at the worse end.
    ``text`` is the limit as the user wrote it.
    """

    name: str
    comparison: str
    text: str
    limit: float = math.nan
    percent: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NAME OP VALUE``; raises ConfigError."""
        found = _FORM.fullmatch(text)
        if found is None:
            quotes = ": put it in quotes, as > and < are the shell's" if text.strip().isidentifier() else ""
            raise ConfigError(f"--keep takes NAME>=VALUE or NAME<=VALUE, {_EXAMPLE}, not {text!r}{quotes}")
        name, comparison, value = found.groups()
        if comparison in _MEANT:
            raise ConfigError(f"--keep {text}: write {name}{_MEANT[comparison]}{value}")
        if comparison == "=":
            raise ConfigError(f"--keep {text}: write {name}=={value}, or >= or <= for a limit")
        if percentile := _PERCENTILE.fullmatch(value):
            percent = float(percentile[1])
            if not 0 < percent < 100:
                raise ConfigError(f"--keep {text}: p must be above 0 and below 100, as p2 for the worst 2 %")
            if comparison == "==":
                raise ConfigError(f"--keep {text}: a share of the input needs >= or <=, not ==")
            return cls(name=name, comparison=comparison, text=value, percent=percent)
        try:
            limit = float(value)
        except ValueError:
            limit = math.nan
        if not math.isfinite(limit):
            raise ConfigError(f"--keep {text}: {value!r} is neither a number nor a share such as p2")
        return cls(name=name, comparison=comparison, text=value, limit=limit)

    def __str__(self) -> str:
        return f"{self.name}{self.comparison}{self.text}"

    @property
    def rejects_low(self) -> bool:
        return self.comparison in {">=", ">"}

    def holds(self, value: float) -> bool:
        return _HOLDS[self.comparison](value, self.limit)

    def with_limit(self, values: NDArray[np.float64]) -> Rule:
        """The rule with the limit that rejects at most its share of ``values``; NaN are ignored.

        The limit is one of the values, which ``>=`` and ``<=`` keep.
        """
        if self.percent is None:
            return self
        known = np.sort(values[~np.isnan(values)])
        if not len(known):
            return dataclasses.replace(self, limit=-math.inf if self.rejects_low else math.inf)
        rejected = min(len(known) - 1, math.floor(len(known) * self.percent / 100 + 1e-9))
        if not self.rejects_low:
            known = known[::-1]
        if self.comparison in {">", "<"}:  # the limit itself is rejected, and all that is equal to it
            rejected = int(np.argmax(known == known[rejected])) - 1
            if rejected < 0:
                return dataclasses.replace(self, limit=-math.inf if self.rejects_low else math.inf)
        return dataclasses.replace(self, limit=float(known[rejected]))

    def rejects(self, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which values violate the rule; NaN, a missing value, does not."""
        ufunc = {
            ">=": np.less,
            "<=": np.greater,
            ">": np.less_equal,
            "<": np.greater_equal,
            "==": np.not_equal,
        }
        broken: NDArray[np.bool_] = ufunc[self.comparison](values, self.limit)
        return broken & ~np.isnan(values)

    def why(self, value: float) -> str:
        """Why a value is rejected: ``sharpness 0.31 < 0.80``."""
        limit = self.text if self.percent is None else f"{shown(self.limit)} ({self.text})"
        return f"{self.name} {_apart(value, self.limit, self.comparison)} {_FAILS[self.comparison]} {limit}"


def shown(value: float, digits: int = 3) -> str:
    """A value in the notation of rules: no separators, ``digits`` significant digits."""
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if value == round(value) or abs(value) >= 10**digits:
        return f"{value:.0f}"
    return f"{value:.{digits}g}"


def _apart(value: float, limit: float, comparison: str) -> str:
    """The value with enough digits to violate the rule as shown."""
    for digits in range(2, 17):
        text = shown(value, digits)
        if not _HOLDS[comparison](float(text), limit):
            return text
    return repr(value)


def parse_rules(texts: Sequence[str]) -> list[Rule]:
    """Parse rules; ConfigError for a misspelt or repeated one."""
    rules = [Rule.parse(text) for text in texts]
    ends: dict[tuple[str, bool, bool], Rule] = {}
    for rule in rules:
        end = (rule.name, rule.comparison == "==", rule.rejects_low)
        if end in ends:
            raise ConfigError(f"--keep {ends[end]} and --keep {rule} limit the same: give one of them")
        ends[end] = rule
    for first, second in itertools.combinations(rules, 2):
        if first.name == second.name and _exclude(first, second):
            raise ConfigError(f"--keep {first} and --keep {second} contradict each other: no picture is kept")
    return rules


def _exclude(first: Rule, second: Rule) -> bool:
    """Whether no number satisfies both rules, if their limits are known."""
    if first.percent is not None or second.percent is not None:
        return False
    if first.comparison == "==" or second.comparison == "==":
        exact, other = (first, second) if first.comparison == "==" else (second, first)
        return not other.holds(exact.limit)
    low, high = (first, second) if first.rejects_low else (second, first)
    return low.limit > high.limit or (
        low.limit == high.limit and not low.holds(low.limit) & high.holds(low.limit)
    )


def check_rule(rule: Rule, measure: Measure) -> None:
    """Raise ConfigError for a rule that keeps nothing, only the worst, or everything."""
    if rule.percent is not None:
        worse_is_low = None if None in {measure.usual, measure.bad} else measure.bad < measure.usual  # type: ignore[operator]
        if worse_is_low is not None and worse_is_low != rule.rejects_low:
            turned = ">=" if worse_is_low else "<="
            end = "low" if worse_is_low else "high"
            raise ConfigError(
                f"--keep {rule} keeps the worst only, as a {end} {rule.name} is bad: "
                f"write {rule.name}{turned}{rule.text}"
            )
        return
    ends = (measure.low, measure.high)
    nothing = (
        rule.limit < ends[0] or rule.limit > ends[1]
        if rule.comparison == "=="
        else not any(map(rule.holds, ends))
    )
    span = f"{number(measure.low)} to {number(measure.high)}"
    beyond = rule.limit < ends[0] if rule.rejects_low else rule.limit > ends[1]
    if beyond and rule.comparison != "==":
        raise ConfigError(f"--keep {rule} rejects no picture: {rule.name} is {span}")
    if nothing:
        raise ConfigError(f"--keep {rule} keeps no picture: {rule.name} is {span}")
