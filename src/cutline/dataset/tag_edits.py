"""Edits of comma-separated tags."""

from __future__ import annotations

import dataclasses
from typing import Literal

import pyarrow as pa

from cutline.dataset import tags
from cutline.dataset.text_arrays import each_text


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AddTag:
    """Add a tag to every list of tags without it; at its end, or with ``first`` at its beginning."""

    tag: str
    first: bool = False
    kind: Literal["add-tag"] = "add-tag"

    @property
    def summary(self) -> str:
        return f"add tag {self.tag!r}"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, lambda text: tags.add_tag(text, self.tag, first=self.first))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTag:
    """Remove tags."""

    tags: tuple[str, ...]
    kind: Literal["remove-tag"] = "remove-tag"

    @property
    def summary(self) -> str:
        return f"remove {_tags(self.tags)}"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, lambda text: tags.remove_tags(text, self.tags))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RenameTag:
    """Rename tags; several are merged."""

    tags: tuple[str, ...]
    new: str
    kind: Literal["rename-tag"] = "rename-tag"

    @property
    def summary(self) -> str:
        return f"{'merge' if len(self.tags) > 1 else 'rename'} {_tags(self.tags)} to {self.new!r}"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, lambda text: tags.rename_tags(text, self.tags, self.new))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SortTags:
    """Sort the tags of every caption alphabetically."""

    kind: Literal["sort-tags"] = "sort-tags"
    summary: Literal["sort tags"] = "sort tags"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, tags.sort_tags)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DedupeTags:
    """Remove repeated tags of each caption."""

    kind: Literal["dedupe-tags"] = "dedupe-tags"
    summary: Literal["remove repeated tags"] = "remove repeated tags"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, tags.dedupe_tags)


def _tags(names: tuple[str, ...]) -> str:
    return f"tag{'s' if len(names) > 1 else ''} {', '.join(map(repr, names))}"
