"""What tokens cost."""

from __future__ import annotations

import dataclasses
import importlib.resources
import tomllib
from pathlib import Path

from cutline.errors import ConfigError
from cutline.records import Usage

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
        ConfigError: the file cannot be read or is not of the table's form.
    """
    provider, _, model = captioner.partition(":")
    built_in = tomllib.loads(
        importlib.resources.files("cutline.engine").joinpath("prices.toml").read_text("utf-8")
    )
    for table in (_read(prices_file) if prices_file else {}), built_in:
        entry = table.get(provider, {}).get(model) or table.get(provider, {}).get("*")
        if entry is not None:
            try:
                return Price(input=float(entry["input"]), output=float(entry["output"]))
            except (KeyError, TypeError, ValueError):
                where = f"[{provider}.{model!r}]"
                raise ConfigError(f"{prices_file}: {where} needs numbers named input and output") from None
    return Price(input=0.0, output=0.0) if provider in _FREE else None


def _read(path: str) -> dict[str, dict[str, dict[str, float]]]:
    try:
        return tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the price file {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"the price file {path} is not TOML: {error}") from None
