"""What tokens cost."""

from __future__ import annotations

import dataclasses
import importlib.resources
import math
import tomllib
from pathlib import Path

from cutline.errors import ConfigError
from cutline.records import JSON, Usage

_FREE = frozenset({"pixels", "fake", "nim", "ollama", "vllm"})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float

    def of(self, usage: Usage) -> float:
        return (usage.prompt_tokens * self.input + usage.completion_tokens * self.output) / 1e6


def price_of(captioner: str, prices_file: str | None = None) -> Price | None:
    """The price of ``provider:model``; None when no table names it. The user's file comes first.

    Raises:
        ConfigError: the file cannot be read, is not of the table's form, or does not name the model.
    """
    provider, _, model = captioner.partition(":")
    text = importlib.resources.files("cutline.engine").joinpath("prices.toml").read_text("utf-8")
    tables = [tomllib.loads(text)] if prices_file is None else [_read(prices_file), tomllib.loads(text)]
    for table in tables:
        price = _find(table, provider, model)
        if price is not None:
            return price
    if provider in _FREE:
        return Price(input=0.0, output=0.0)
    if prices_file is not None:
        wanted = f'[{provider}."{model}"] with input and output'
        raise ConfigError(f"{prices_file} has no price for {captioner}: it needs {wanted}")
    return None


def _find(table: JSON, provider: str, model: str) -> Price | None:
    models = table.get(provider, {})
    entry = models.get(model, models.get("*"))
    return None if entry is None else Price(input=float(entry["input"]), output=float(entry["output"]))


def _read(path: str) -> JSON:
    """A price file, every entry checked."""
    try:
        table = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the price file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the price file {path} is not TOML: {error}") from None
    for provider, models in table.items():
        for model, entry in models.items() if isinstance(models, dict) else [("?", None)]:
            if not _is_price(entry):
                raise ConfigError(
                    f'{path}: [{provider}."{model}"] must hold input and output, '
                    "both in dollars per million tokens and not negative"
                )
    return table


def _is_price(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"input", "output"}:
        return False
    return all(isinstance(value, int | float) and 0 <= value < math.inf for value in entry.values())
