"""Bulk edits: functions of captions, each with a name and a sentence for the history."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc


class Edit(Protocol):
    """A change of captions. ``kind`` is its name in the history, ``summary`` says what it does."""

    @property
    def kind(self) -> str: ...

    @property
    def summary(self) -> str: ...

    def apply(self, texts: pa.Array) -> pa.Array:
        """The new captions, of the same length; null, a missing caption, stays null."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """Put ``text`` before every caption."""

    text: str
    kind = "prefix"

    @property
    def summary(self) -> str:
        return f"put {self.text!r} before each caption"

    def apply(self, texts: pa.Array) -> pa.Array:
        return pc.binary_join_element_wise(pa.scalar(self.text), texts, "")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    """Replace ``old`` by ``new`` wherever it occurs."""

    old: str
    new: str
    kind = "replace"

    @property
    def summary(self) -> str:
        return f"replace {self.old!r} by {self.new!r}"

    def apply(self, texts: pa.Array) -> pa.Array:
        return pc.replace_substring(texts, self.old, self.new)
