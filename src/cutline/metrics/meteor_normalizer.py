"""Words as METEOR 1.5 takes them: its ``-norm``, which separates what tokenizers leave together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_LETTERS: Final = (
    "A-Za-z\u0160\u017d\u0161\u017e\u0178\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017e\u0400-\u04ff\u0500-\u0527"
    "\ua640-\ua66e\ua67e-\ua697\u1d00-\u1d7f"
)
_PLAIN: Final = re.compile(r"[a-z0-9 ]*")
_STEPS: Final = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (rf"([^0-9{_LETTERS}\s.'`,\-\u2018\u2019])", r" \1 "),
        (r"\.(\.+)", lambda found: f" {'.' * (len(found[1]) + 1)} "),
        (r"([^0-9]),([^0-9])", r"\1 , \2"),
        (r"([0-9]),([^0-9])", r"\1 , \2"),
        (r"([^0-9]),([0-9])", r"\1 , \2"),
        ("[`\u2018\u2019]", "'"),
        ("[\u201c\u201d]|''", '"'),
        ("\u2013|--", "-"),
        (rf"([0-9{_LETTERS}.])-([0-9{_LETTERS}])", r"\1 \2"),
        (rf"([^{_LETTERS}])'([^{_LETTERS}])", r"\1 ' \2"),
        (rf"([^{_LETTERS}0-9])'([{_LETTERS}])", r"\1 ' \2"),
        (rf"([{_LETTERS}])'([^{_LETTERS}])", r"\1 ' \2"),
        (rf"([{_LETTERS}])'([{_LETTERS}])", r"\1 '\2"),
        (r"([0-9])'(s)", r"\1 '\2"),
    )
)
_HAS_LETTER: Final = re.compile(f"[{_LETTERS}]")


def meteor_words(tokens: str, abbreviations: Mapping[str, bool]) -> list[str]:
    """The words of tokens with blanks between them, in lower case.

    ``abbreviations`` keep their full stop, those that are True before numbers only.

    Source: Denkowski and Lavie, "Meteor Universal: Language Specific Translation Evaluation for Any Target
    Language", WMT 2014.
    """
    if _PLAIN.fullmatch(tokens):
        return tokens.split()
    text = f" {tokens} "
    for pattern, replacement in _STEPS:
        text = pattern.sub(replacement, text)
    words = text.split()
    result: list[str] = []
    for place, word in enumerate(words):
        if len(word) < 2 or not word.endswith(".") or word.strip(".") == "":
            result.append(word)
            continue
        bare = word[:-1]
        following = words[place + 1] if place + 1 < len(words) else ""
        if "." in bare and _HAS_LETTER.search(bare):
            result.append(word.replace(".", ""))
        elif _keeps_stop(following, before_numbers=abbreviations.get(bare)):
            result.append(word)
        else:
            result += [bare, "."]
    return [word.lower() for word in result if word]


def _keeps_stop(following: str, *, before_numbers: bool | None) -> bool:
    """Whether a word keeps its full stop before another; ``before_numbers`` is None for no abbreviation."""
    if "a" <= following[:1] <= "z" or before_numbers is False:
        return True
    return before_numbers is not None and "0" <= following[:1] <= "9"
