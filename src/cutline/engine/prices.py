"""What tokens cost."""

from __future__ import annotations

import dataclasses
import importlib.resources
import math
import tomllib
from collections.abc import Iterable
from pathlib import Path

from cutline.captioners.hosted.presets import PRESETS
from cutline.errors import ConfigError
from cutline.records import JSON, Usage
from cutline.registry import BUILT_IN
from cutline.setting_files import read_toml

BATCH = " (batch)"
"""Suffix of a captioner's name: called through its batch API."""
_FREE = frozenset({*BUILT_IN["captioners"], *(preset.name for preset in PRESETS.values() if preset.is_here)})
"""What runs on this machine."""
_CAPTION_MODEL = "caption="
"""Precedes, in the name of an interrogator, the model that it calls, which is what costs."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens; ``batch`` is the share of it that a batch costs, where that is known."""

    input: float
    output: float
    batch: float | None = None

    def of(self, usage: Usage) -> float:
        return (usage.prompt_tokens * self.input + usage.completion_tokens * self.output) / 1e6


class Spending:
    """Tokens by the name of the captioner that used them."""

    def __init__(self) -> None:
        self.by_captioner: dict[str, Usage] = {}

    @property
    def usage(self) -> Usage:
        """Of all captioners together."""
        return sum(self.by_captioner.values(), Usage())

    def add(self, captioner: str, usage: Usage) -> None:
        if usage.total:
            self.by_captioner[captioner] = self.by_captioner.get(captioner, Usage()) + usage


class Prices:
    """The prices of several captioners; raises ConfigError as ``price_of`` for one in ``needed``."""

    def __init__(self, needed: Iterable[str], prices_file: str | None = None) -> None:
        self._file = prices_file
        self._known = {name: price_of(name, prices_file) for name in needed}

    def without(self, spending: Spending | None = None) -> list[str]:
        """The captioners without a price, of this run and of earlier ones."""
        names = [*self._known, *(spending.by_captioner if spending else ())]
        return [name for name in dict.fromkeys(names) if self._price(name) is None]

    def of(self, spending: Spending) -> float | None:
        """US dollars; None when a price is not known."""
        if self.without(spending):
            return None
        items = spending.by_captioner.items()
        return sum(price.of(usage) for name, usage in items if (price := self._price(name)) is not None)

    def in_batches(self, spending: Spending) -> float | None:
        """US dollars for the same through batch APIs; None when a price is not known."""
        total = 0.0
        for name, usage in spending.by_captioner.items():
            price = self._price(name)
            if price is None or price.batch is None:
                return None
            total += price.of(usage) * price.batch
        return total

    def _price(self, name: str) -> Price | None:
        if name not in self._known:  # of an earlier run; a new price file need not have its model
            try:
                self._known[name] = price_of(name, self._file)
            except ConfigError:
                self._known[name] = None
        return self._known[name]


def price_of(captioner: str, prices_file: str | None = None) -> Price | None:
    """The price of ``provider:model``, with or without the suffix BATCH; None when no table has it.

    The user's file comes first; a batch share that it lacks is taken from the built-in table.
    Raises ConfigError for a file that cannot be read, is malformed or does not have the model.
    """
    price = _listed(captioner.removesuffix(BATCH), prices_file)
    if price is None or not captioner.endswith(BATCH):
        return price
    share = 1.0 if price.batch is None else price.batch
    return Price(input=price.input * share, output=price.output * share)


def _listed(captioner: str, prices_file: str | None) -> Price | None:
    provider, _, model = captioner.partition(":")
    if provider == "interrogator" and _CAPTION_MODEL in model:
        return _listed(model.partition(_CAPTION_MODEL)[2], prices_file)
    text = importlib.resources.files("cutline.engine").joinpath("prices.toml").read_text("utf-8")
    tables = [tomllib.loads(text)] if prices_file is None else [_read(prices_file), tomllib.loads(text)]
    found = [price for table in tables if (price := _find(table, provider, model)) is not None]
    if found:
        share = next((price.batch for price in found if price.batch is not None), None)
        return dataclasses.replace(found[0], batch=share)
    if provider in _FREE:
        return Price(input=0.0, output=0.0)
    if prices_file is not None:
        wanted = f'[{provider}."{model}"] with input and output'
        raise ConfigError(f"{prices_file} has no price for {captioner}; add {wanted}")
    return None


def _find(table: JSON, provider: str, model: str) -> Price | None:
    models = table.get(provider, {})
    entry = models.get(model, models.get("*"))
    return None if entry is None else Price(**{name: float(value) for name, value in entry.items()})


def _read(path: str) -> JSON:
    """A price file, every entry checked."""
    table = read_toml(Path(path), "price file")
    for provider, models in table.items():
        for model, entry in models.items() if isinstance(models, dict) else [("?", None)]:
            if not _is_price(entry):
                raise ConfigError(
                    f'{path}: [{provider}."{model}"] must hold input and output, '
                    "both in dollars per million tokens and not negative; and may hold batch, "
                    "the share of that which a batch costs, such as 0.5"
                )
    return table


def _is_price(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) - {"batch"} != {"input", "output"}:
        return False
    return all(isinstance(value, int | float) and 0 <= value < math.inf for value in entry.values())
