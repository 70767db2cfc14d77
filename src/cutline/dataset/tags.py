"""Captions as lists of tags, edited in place: separators, blanks and a final full stop stay."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Callable, Sequence
from typing import Any, Final

import regex

from cutline.prompts.affixes import join_texts

SEPARATORS: Final = "[,\uff0c\u3001\n]"
"""A pattern of what stands between tags, for Arrow too."""

_SEPARATOR: Final = regex.compile(f"({SEPARATORS})")
_WEIGHT: Final = regex.compile(r"\d\.\Z")


@dataclasses.dataclass(frozen=True, slots=True)
class _Tags:
    """A caption in parts: tags with the blanks around them, and the separator after each, empty at the end.

    ``stop`` is the full stop at the end of a list of several.
    """

    parts: list[str]
    separators: list[str]
    stop: str = ""

    def names(self) -> list[str]:
        """The parts in normal form, for comparison."""
        return [part.strip() for part in _folded("\n".join(self.parts)).split("\n")]

    def text(self) -> str:
        if self.separators.count(",") == len(self.parts) - 1:
            return ",".join(self.parts) + self.stop
        pairs = zip(self.parts, self.separators, strict=True)
        return "".join([part + separator for part, separator in pairs]) + self.stop


def tags_of(caption: str) -> list[str]:
    """The tags of a caption in their order: its parts between commas and line breaks, without blanks."""
    return [tag for part in _split(caption).parts if (tag := part.strip())]


def add_tag(caption: str, tag: str, *, first: bool = False) -> str:
    """Add a tag at the end, or at the beginning, unless it exists."""
    name = _same(tag)
    if name in _folded(caption) and name and name in _split(caption).names():
        return caption
    found = _split(caption) if caption.endswith(".") and not first else None
    if found is None or not found.stop:
        return join_texts(tag, caption) if first else join_texts(caption, tag)
    return join_texts(dataclasses.replace(found, stop="").text(), tag) + found.stop


def remove_tags(caption: str, tags: Sequence[str]) -> str:
    """Remove these tags."""
    names = set(map(_same, tags)) - {""}
    if not _may_have(caption, names):
        return caption
    found = _split(caption)
    return _keep(caption, found, [place for place, name in enumerate(found.names()) if name not in names])


def rename_tags(caption: str, tags: Sequence[str], new: str) -> str:
    """Merge these tags: the first is renamed to ``new``, the others are removed. A blank name removes all."""
    if not new.strip():
        return remove_tags(caption, tags)
    names = set(map(_same, tags))
    if not _may_have(caption, names):
        return caption
    found = _split(caption)
    there = found.names()
    places = [place for place, name in enumerate(there) if name in names]
    if not places:
        return caption
    is_there = _same(new) not in names and _same(new) in there
    if not is_there:
        place = places.pop(0)
        found.parts[place] = _put(found.parts[place], new)
    if not places:
        return found.text()
    gone = set(places)
    return _keep(caption, found, [place for place in range(len(there)) if place not in gone])


def sort_tags(caption: str, order: Callable[[str], object] | None = None) -> str:
    """Sort the tags by ``order``, then alphabetically; separators and blanks stay in place."""
    if order is None and (regular := _sort_regular(caption)) is not None:
        return regular
    found = _split(caption)
    texts = [part.strip() for part in found.parts]
    keys: list[Any] = found.names() if order is None else [order(text) for text in texts]
    filled = [place for place, text in enumerate(texts) if text]
    moved = sorted(filled, key=keys.__getitem__)
    if moved == filled:
        return caption
    for place, origin in zip(filled, moved, strict=True):
        if place != origin:
            found.parts[place] = _put(found.parts[place], texts[origin])
    return found.text()


def _sort_regular(caption: str) -> str | None:
    """A fast path for tags separated by a comma and a blank; None for other lists."""
    text = caption.removesuffix(".")
    parts = text.split(", ")
    if len(parts) - 1 != text.count(",") or [part.strip() for part in parts] != parts or not all(parts):
        return None
    has_stop = text != caption
    is_odd = "\n" in text or (not text.isascii() and ("\uff0c" in text or "\u3001" in text))
    if is_odd or (has_stop and (len(parts) == 1 or _has_no_stop(caption))):
        return None
    parts.sort(key=None if text.casefold() == text else str.casefold)
    return ", ".join(parts) + "." * has_stop


def dedupe_tags(caption: str) -> str:
    """Remove repeated tags after the first, ignoring case."""
    found = _split(caption)
    names = found.names()
    if len(set(names)) == len(names):
        return caption
    first: dict[str, int] = {}
    kept = [place for place, name in enumerate(names) if not name or first.setdefault(name, place) == place]
    return _keep(caption, found, kept)


def _may_have(caption: str, names: set[str]) -> bool:
    text = _folded(caption)
    return any(name in text for name in names)


def _keep(caption: str, tags: _Tags, places: list[int]) -> str:
    """The text of these parts; the first and last take the blanks at the ends of the text."""
    if len(places) == len(tags.parts):
        return caption
    if not places:
        return ""
    if "\n" in tags.separators:
        tags = _within_lines(tags, places)
    kept = [tags.parts[place] for place in places]
    separators = [tags.separators[place] for place in places]
    if places[0] != 0:
        kept[0] = _start(tags.parts[0]) + (kept[0].lstrip() or kept[0])
    if places[-1] != len(tags.parts) - 1:
        kept[-1] = _start(kept[-1]) + kept[-1].strip() + _end(tags.parts[-1])
        separators[-1] = ""
    return _Tags(kept, separators, tags.stop).text()


def _within_lines(tags: _Tags, places: list[int]) -> _Tags:
    """With line breaks and indents of parts that go at the kept ones beside them: no lines are joined."""
    parts, separators = tags.parts.copy(), tags.separators.copy()
    kept, last = set(places), -1
    for place, separator in enumerate(tags.separators):
        is_first = last < 0 or separators[last] == "\n"  # in its line
        if place in kept:
            last = place
        elif separator == "\n" and not is_first:
            separators[last] = separator
            parts[last] = _start(parts[last]) + parts[last].strip() + _end(parts[place])
        elif separator not in {"", "\n"} and is_first:
            parts[place + 1] = _start(parts[place]) + parts[place + 1].lstrip()
    return _Tags(parts, separators, tags.stop)


def _split(caption: str) -> _Tags:
    stop = ""
    if caption.endswith(".") and not _has_no_stop(caption) and _SEPARATOR.search(caption):
        caption, stop = caption[:-1], "."
    if "\n" not in caption and "\uff0c" not in caption and "\u3001" not in caption:
        parts = caption.split(",")
        return _Tags(parts, [","] * (len(parts) - 1) + [""], stop)
    parts = _SEPARATOR.split(caption)
    return _Tags(parts[::2], [*parts[1::2], ""], stop)


def _has_no_stop(caption: str) -> bool:
    """Whether the final full stop ends a list, not a sentence."""
    return caption.endswith("..") or bool(_WEIGHT.search(caption))


def _put(part: str, text: str) -> str:
    """Replace the text between the blanks of a part."""
    return _start(part) + text + _end(part)


def _start(part: str) -> str:
    return part[: len(part) - len(part.lstrip())] if part.strip() else ""


def _end(part: str) -> str:
    return part[len(part.rstrip()) :]


def _same(tag: str) -> str:
    return _folded(tag.strip())


def _folded(text: str) -> str:
    """In one case and one Unicode form."""
    return text.casefold() if text.isascii() else unicodedata.normalize("NFC", text.casefold())
