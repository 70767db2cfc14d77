"""Saved filters of a dataset: queries by name, stored in its history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson
import regex

from cutline.dataset.history import History
from cutline.dataset.query.parser import parse
from cutline.errors import ConfigError
from cutline.formatting import printable

MOST: Final = 200
_LONGEST: Final = 10_000  # characters
_NAME: Final = "/filters"
_VALID: Final = regex.compile(r"[\p{L}\p{N}_-][\p{L}\p{N}_. -]{0,59}")


def read_filters(history: History) -> dict[str, str]:
    """Queries, sorted by name. Raises as the history."""
    content = history.value(_NAME)
    return orjson.loads(content) if content is not None else {}


def write_filter(history: History, name: str, query: str | None) -> dict[str, str]:
    """Save a query under a name, replacing another one, or remove it with None; returns all.

    Raises:
        ConfigError: the name is invalid, there are too many, or the query cannot be parsed (QueryError).
        KeyError: there is no filter of this name to remove.
    """
    filters = read_filters(history)
    name = name.strip()
    if query is None:
        del filters[name]
    else:
        check_name(name, "a filter")
        if not query.strip() or len(query) > _LONGEST:
            raise ConfigError("a saved filter needs a query")
        filters[name] = query.strip()
        _check(filters, query.strip())
        if len(filters) > MOST:
            raise ConfigError(f"there are {MOST} saved filters already: remove one")
    kept = dict(sorted(filters.items()))
    history.store({_NAME: orjson.dumps(kept) if kept else None})
    return kept


def check_name(name: str, what: str) -> str:
    """The stripped name; ConfigError: it is invalid for ``what``, such as a filter."""
    name = name.strip()
    if not _VALID.fullmatch(name):
        raise ConfigError(
            f'"{printable(name)}" cannot name {what}: names have up to 60 letters, digits, blanks and -_.'
        )
    return name


def _check(filters: Mapping[str, str], query: str) -> None:
    parse(query, filters)
