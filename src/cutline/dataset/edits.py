"""Bulk edits: pure functions of captions, each with a name and a summary for the history."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import regex
from pydantic import Field

from cutline.dataset.regex_search import compile_pattern, contains_text, map_all, replace_ascii
from cutline.dataset.sentences import REMOVED, trimmed, with_capitals, without_removed
from cutline.dataset.tag_edits import AddTag, DedupeTags, RemoveTag, RenameTag, SortTags
from cutline.dataset.text_arrays import each_text, put_texts
from cutline.errors import ConfigError
from cutline.formatting import quoted
from cutline.prompts.affixes import finish_caption
from cutline.text.openers import without_opener
from cutline.text.words import spellings, whole_words


class Edit(Protocol):
    """A change of captions. ``kind`` is its name in the history, ``summary`` describes it."""

    @property
    def kind(self) -> str: ...

    @property
    def summary(self) -> str: ...

    def apply(self, texts: pa.Array) -> pa.Array:
        """The new captions, as many as ``texts``; null, a missing caption, stays null.

        ConfigError: a pattern is not valid, or takes too long.
        """
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prefix:
    """Put ``text`` before every caption, separated by a blank unless punctuation forbids it."""

    text: str
    kind: Literal["prefix"] = "prefix"

    @property
    def summary(self) -> str:
        return f"prefix {self.text!r}"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, lambda text: finish_caption(text, prefix=self.text))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Suffix:
    """Put ``text`` after every caption, separated by a blank unless punctuation forbids it."""

    text: str
    kind: Literal["suffix"] = "suffix"

    @property
    def summary(self) -> str:
        return f"suffix {self.text!r}"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, lambda text: finish_caption(text, suffix=self.text))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """Put a trigger word and a comma before every caption that does not begin with it."""

    text: str
    kind: Literal["trigger"] = "trigger"

    @property
    def summary(self) -> str:
        return f"trigger word {self.text!r}"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, lambda text: finish_caption(text, trigger=self.text))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Replace:
    r"""Replace every ``old`` by ``new``.

    ``word``: only as whole words. ``regex``: ``old`` is a regular expression, and ``new`` may have groups
    such as ``\1``. Without ``new``, blanks and commas around what is removed go
    too, unless it is by a regular expression.
    """

    old: Annotated[str, Field(min_length=1)]
    new: str
    word: bool = False
    regex: bool = False
    ignore_case: bool = False
    kind: Literal["replace"] = "replace"

    @property
    def summary(self) -> str:
        options = {"whole words": self.word, "any case": self.ignore_case}
        how = ", ".join(name for name, is_on in options.items() if is_on)
        change = f"{'pattern ' * self.regex}{quoted(self.old)} by {quoted(self.new)}"
        return f"replace {change}{f' ({how})' * bool(how)}"

    def apply(self, texts: pa.Array) -> pa.Array:
        if not self.old:
            raise ConfigError("the text to replace is empty")
        if not self.new and not self.regex and self.old.strip():
            marked = dataclasses.replace(self, new=REMOVED).apply(texts)
            rows = np.flatnonzero(contains_text(marked, REMOVED, ignore_case=False))
            return put_texts(marked, rows, each_text(marked.take(pa.array(rows)), without_removed))
        is_plain = not (self.word or self.regex or self.ignore_case)
        if is_plain and len(spellings(self.old)) == 1:
            return pc.replace_substring(texts, self.old, self.new)
        if not self.regex:  # only the captions that have it need the slower way
            rows = np.flatnonzero(contains_text(texts, self.old, ignore_case=self.ignore_case))
            return put_texts(texts, rows, self._replace(texts.take(pa.array(rows))))
        return self._substitute(texts)

    def _replace(self, texts: pa.Array) -> pa.Array:
        if not self.old.isascii():
            return self._substitute(texts)
        done, unsure = replace_ascii(texts, self.old, self.new, word=self.word, ignore_case=self.ignore_case)
        rows = np.flatnonzero(unsure)
        return put_texts(done, rows, self._substitute(texts.take(pa.array(rows)))) if len(rows) else done

    def _substitute(self, texts: pa.Array) -> pa.Array:
        pattern = self.old if self.regex else "|".join(map(regex.escape, spellings(self.old)))
        pattern = whole_words(pattern, None if self.regex else self.old) if self.word else pattern
        compiled = compile_pattern(pattern, ignore_case=self.ignore_case)
        new = self.new if self.regex else self.new.replace("\\", r"\\")
        try:
            compiled.sub(new, "")
        except (regex.error, IndexError, ValueError) as error:
            raise ConfigError(f"the replacement {quoted(self.new)} is not valid: {error}") from None

        def substitute(text: str, seconds: float) -> str:
            try:
                return compiled.sub(new, text, concurrent=True, timeout=seconds)
            except (regex.error, IndexError) as error:
                raise ConfigError(f"the replacement {quoted(self.new)} is not valid: {error}") from None

        return pa.array(map_all(pa.chunked_array([texts]), substitute), pa.string())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Trim:
    """Remove blanks at the ends of captions and lines, and repeated ones."""

    kind: Literal["trim"] = "trim"
    summary: Literal["trim blanks"] = "trim blanks"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, trimmed)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SentenceCase:
    """Begin every sentence with a capital letter."""

    kind: Literal["sentence-case"] = "sentence-case"
    summary: Literal["begin sentences with capitals"] = "begin sentences with capitals"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, with_capitals)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RemoveOpeners:
    """Remove phrases such as "The image shows" from the beginning of captions."""

    kind: Literal["remove-openers"] = "remove-openers"
    summary: Literal["remove boilerplate openers"] = "remove boilerplate openers"

    def apply(self, texts: pa.Array) -> pa.Array:
        return each_text(texts, lambda text: without_opener(text) or text)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """Several edits in sequence, as one."""

    edits: tuple[Edit, ...]
    kind: Literal["several"] = "several"

    @property
    def summary(self) -> str:
        return "; ".join(edit.summary for edit in self.edits)

    def apply(self, texts: pa.Array) -> pa.Array:
        for edit in self.edits:
            texts = edit.apply(texts)
        return texts


AnyEdit = Annotated[
    Prefix
    | Suffix
    | Trigger
    | Replace
    | AddTag
    | RemoveTag
    | RenameTag
    | SortTags
    | DedupeTags
    | Trim
    | SentenceCase
    | RemoveOpeners,
    Field(discriminator="kind"),
]
"""Every edit; in JSON, ``kind`` tells them apart."""


def apply_to_lines(edit: Edit, texts: pa.Array) -> pa.Array:
    """Apply the edit to each line, for files with a caption on each line; what is blank stays so."""
    lines = pc.split_pattern(texts, "\n")
    before = lines.flatten()
    flat = edit.apply(before)
    flat = pc.if_else(pc.and_not(_is_blank(before), _is_blank(flat)), before, flat)
    counts = pc.fill_null(pc.list_value_length(lines), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), flat), "\n")
    return pc.if_else(pc.is_valid(texts), joined, pa.scalar(None, pa.string()))


def _is_blank(texts: pa.Array) -> pa.Array:
    return pc.equal(pc.utf8_trim_whitespace(texts), "")
