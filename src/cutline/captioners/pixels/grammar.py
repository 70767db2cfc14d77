"""The little English that every sentence needs: articles, lists, capitals, and a choice of words."""

from __future__ import annotations

from collections.abc import Sequence


class Chooser:
    """Picks among equal wordings by a number made of the picture, so that a picture keeps its words."""

    def __init__(self, flavour: int) -> None:
        self._left = flavour

    def pick(self, *wordings: str) -> str:
        self._left, index = divmod(self._left, len(wordings))
        if self._left < 1_000:
            # Spread what is left again, so that the number never runs out of choices.
            self._left = (self._left + index + 1) * 2_654_435_761 % (1 << 48)
        return wordings[index]


def with_article(words: str) -> str:
    """``words`` after "a" or "an", by the sound it begins with."""
    vowel = words[0].lower() in "aeiou" and not words.startswith(("one", "uni", "use"))
    return f"{'an' if vowel else 'a'} {words}"


def join(items: Sequence[str]) -> str:
    """Joined as "a", "a and b" or "a, b and c", with one more comma where an item has its own "and"."""
    if len(items) < 2:
        return "".join(items)
    comma = "," if any(" and " in item or " to " in item for item in items) else ""
    return f"{', '.join(items[:-1])}{comma} and {items[-1]}"


def sentence(words: str) -> str:
    """With a capital at the start and a full stop at the end."""
    return f"{words[0].upper()}{words[1:].rstrip('.')}."
