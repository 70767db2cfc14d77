"""Captions as lists of tags: edited in place, so that separators, blanks and a final full stop stay."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

import regex

from cutline.prompts.affixes import join_texts

_SEPARATOR: Final = regex.compile(r"([,\uff0c\u3001\n])")
_WEIGHT: Final = regex.compile(r"\d\.\Z")


@dataclasses.dataclass(slots=True)
class _Item:
    """A tag with the blanks around it, and the separator behind it; empty behind the last."""

    before: str
    text: str
    after: str
    separator: str


def tags_of(caption: str) -> list[str]:
    """The tags of a caption in their order: its parts between commas and line breaks, without blanks."""
    return [item.text for item in _parse(caption)[0] if item.text]


def add_tag(caption: str, tag: str, *, first: bool = False) -> str:
    """With a tag at the end, or at the beginning, unless it is there."""
    name = _same(tag)
    if name in caption.casefold() and name in map(_same, tags_of(caption)):
        return caption
    items, stop = _parse(caption) if caption.endswith(".") and not first else ([], "")
    if first or not stop:
        return join_texts(tag, caption) if first else join_texts(caption, tag)
    return join_texts(_text(items, ""), tag) + stop


def remove_tags(caption: str, tags: Sequence[str]) -> str:
    """Without these tags."""
    names = set(map(_same, tags))
    if not _may_have(caption, names):
        return caption
    return _keep(caption, lambda item: _same(item.text) not in names)


def rename_tags(caption: str, tags: Sequence[str], new: str) -> str:
    """With these tags as one: the first has the name ``new``, the others go."""
    names = set(map(_same, tags))
    if not _may_have(caption, names):
        return caption
    items, stop = _parse(caption)
    if not any(_same(item.text) in names for item in items):
        return caption
    is_there = any(_same(item.text) == _same(new) and _same(new) not in names for item in items)
    kept: list[_Item] = []
    for item in items:
        if _same(item.text) in names:
            if is_there:
                continue
            is_there, item.text = True, new
        kept.append(item)
    return _rejoin(items, kept, stop)


def sort_tags(caption: str, order: Callable[[str], object] | None = None) -> str:
    """With the tags in the order of ``order``, else of the alphabet; separators and blanks stay in place."""
    items, stop = _parse(caption)
    filled = [item for item in items if item.text]
    texts = sorted((item.text for item in filled), key=order or _same)  # type: ignore[arg-type]
    for item, text in zip(filled, texts, strict=True):
        item.text = text
    return _text(items, stop)


def dedupe_tags(caption: str) -> str:
    """With each tag once, where it comes first; case makes no difference."""
    parts = [_same(part) for part in _SEPARATOR.split(caption.rstrip("."))[::2]]
    if len(set(parts)) == len(parts):
        return caption
    seen: set[str] = set()

    def is_new(item: _Item) -> bool:
        name = _same(item.text)
        known = name in seen
        seen.add(name)
        return not known

    return _keep(caption, is_new)


def _may_have(caption: str, names: set[str]) -> bool:
    text = caption.casefold()
    return any(name in text for name in names)


def _keep(caption: str, keeps: Callable[[_Item], bool]) -> str:
    items, stop = _parse(caption)
    kept = [item for item in items if not item.text or keeps(item)]
    return caption if len(kept) == len(items) else _rejoin(items, kept, stop)


def _rejoin(items: list[_Item], kept: list[_Item], stop: str) -> str:
    """The text of the items that are kept; the first and last take the blanks at the ends of the text."""
    if not kept:
        return ""
    kept[0].before = items[0].before
    kept[-1].after, kept[-1].separator = items[-1].after, items[-1].separator
    return _text(kept, stop)


def _text(items: list[_Item], stop: str) -> str:
    return "".join(item.before + item.text + item.after + item.separator for item in items) + stop


def _parse(caption: str) -> tuple[list[_Item], str]:
    """The items of a caption, and the full stop at the end of a list of several."""
    stop = ""
    is_sentence = caption.endswith(".") and not caption.endswith("..") and not _WEIGHT.search(caption)
    if is_sentence and _SEPARATOR.search(caption):
        caption, stop = caption[:-1], "."
    parts = _SEPARATOR.split(caption)
    return [_item(*pair) for pair in zip(parts[::2], [*parts[1::2], ""], strict=True)], stop


def _item(text: str, separator: str) -> _Item:
    inner = text.strip()
    start = text.index(inner)
    return _Item(before=text[:start], text=inner, after=text[start + len(inner) :], separator=separator)


def _same(tag: str) -> str:
    return tag.strip().casefold()
