"""Articles, lists, capitals, and choices among wordings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Chooser:
    """Picks among equivalent wordings by a number derived from the picture, hence deterministically."""

    def __init__(self, flavour: int) -> None:
        self._left = flavour

    def pick(self, wordings: str) -> str:
        """One of the wordings between vertical bars."""
        choices = wordings.split("|")
        self._left, index = divmod(self._left, len(choices))
        if self._left < 1_000:
            # Mix again, so that the number is never exhausted.
            self._left = (self._left + index + 1) * 2_654_435_761 % (1 << 48)
        return choices[index]


def word_below(value: float, words: Mapping[float, str]) -> str:
    """The word of the first limit above ``value``."""
    return next(word for limit, word in words.items() if value < limit)


def with_article(phrase: str) -> str:
    """``phrase`` after "a" or "an", by its first sound."""
    vowel = phrase[0].lower() in "aeiou" and not phrase.startswith(("one", "uni", "use"))
    return f"{'an' if vowel else 'a'} {phrase}"


def join(items: Sequence[str]) -> str:
    """Joined as "a", "a and b" or "a, b and c", with a serial comma where an item contains "and"."""
    if len(items) < 2:
        return "".join(items)
    comma = "," if any(" and " in item or " to " in item for item in items) else ""
    return f"{', '.join(items[:-1])}{comma} and {items[-1]}"


def sentence(phrase: str) -> str:
    """With a capital at the start and a full stop at the end."""
    return f"{phrase[0].upper()}{phrase[1:].rstrip('.')}."
