"""The tags of a dataset with their counts, for completion."""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from cutline.dataset.tags import SEPARATORS
from cutline.dataset.text_column import TextColumn

_LONGEST: Final = 60  # characters; what is longer is a sentence
_STOP: Final = rf"(?s)^(.*{SEPARATORS}.*[^.\d])\.$"  # at the end of a list of several


class TagCounts:
    """The count of each tag in the captions, by block; a block is counted again after edits."""

    def __init__(self, captions: TextColumn) -> None:
        self._captions = captions
        self._counted: pa.ChunkedArray | None = None
        self._table = pa.table({})

    def matching(self, text: str, limit: int) -> list[tuple[str, int]]:
        """The tags that contain ``text``, in any case, the most frequent and then the shortest first."""
        table = self._all()
        if text:
            found = pc.match_substring(pc.utf8_lower(table["tag"]), text.lower())
            table = table.filter(found)
        best = table.slice(0, limit)
        return list(zip(best["tag"].to_pylist(), best["count"].to_pylist(), strict=True))

    def _all(self) -> pa.Table:
        captions = self._captions.array()
        if self._counted is not captions:
            blocks = self._captions.derive("tags", _count)
            tags, counts = blocks.flatten()
            table = pa.table({"tag": tags, "n": counts}).group_by("tag").aggregate([("n", "sum")])
            table = table.rename_columns({"tag": "tag", "n_sum": "count"})
            table = table.append_column("size", pc.utf8_length(table["tag"]))  # sentences are no tags
            self._table = table.sort_by(
                [("count", "descending"), ("size", "ascending"), ("tag", "ascending")]
            )
            self._counted = captions
        return self._table


def _count(captions: pa.Array) -> pa.Array:
    texts = pc.replace_substring_regex(pc.drop_null(captions), pattern=_STOP, replacement=r"\1")
    parts = pc.list_flatten(pc.split_pattern_regex(texts, SEPARATORS))
    tags = pc.utf8_trim_whitespace(parts)
    sizes = pc.utf8_length(tags)
    return pc.value_counts(tags.filter(pc.and_(pc.greater(sizes, 0), pc.less_equal(sizes, _LONGEST))))
