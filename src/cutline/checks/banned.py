"""Captions with words that they must not have."""

from __future__ import annotations

import dataclasses
import hashlib
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import regex

from cutline.checks.texts import Judgement, judge_texts
from cutline.errors import ConfigError
from cutline.interfaces import Action, Check, CheckResult, Draft, Violation
from cutline.setting_files import read_text
from cutline.text.words import whole_words

_APOSTROPHES: Final = str.maketrans("\u2019\u2018\u02bc", "'''")
_EDGE: Final = regex.compile(r"\w")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BannedOptions:
    """Words and phrases that captions must not have."""

    file: str = ""
    """A UTF-8 text with one of them on each line."""
    action: Action = "fail"
    """What becomes of a caption with one."""


class Banned(Check):
    """Finds whole words, whatever their case, the form of their accents and the blanks between them."""

    name = "banned"
    Options = BannedOptions

    def __init__(self, options: BannedOptions) -> None:
        super().__init__(options)
        if not options.file:
            raise ConfigError(
                "--check banned takes a file with a word or phrase on each line: banned=words.txt"
            )
        entries = _read(Path(options.file).expanduser())
        self._patterns = _patterns(entries)
        self._digest = hashlib.blake2b("\n".join(entries).encode(), digest_size=6).hexdigest()

    @property
    def fingerprint(self) -> str:
        return f"words={self._digest}, action={self.options.action}"

    async def check(self, draft: Draft) -> CheckResult | Violation:
        return judge_texts(draft, self._judge, reason="has a banned word")

    def _judge(self, text: str) -> Judgement:
        plain = _plain(text)
        found = [match[0] for pattern in self._patterns for match in pattern.finditer(plain)]
        if not found:
            return Judgement()
        names = list(dict.fromkeys(found))
        return Judgement(note={"banned": names}, problem=f"the caption has the banned {names[0]!r}")


def _plain(text: str) -> str:
    """The text in one form of Unicode, with single blanks and straight apostrophes."""
    return " ".join(unicodedata.normalize("NFC", text).translate(_APOSTROPHES).split())


def _read(file: Path) -> list[str]:
    text = read_text(file, "file of --check banned")
    entries = list(dict.fromkeys(filter(None, map(_plain, text.splitlines()))))
    if not entries:
        raise ConfigError(f"{file} holds no banned word: write one on each line")
    return entries


def _patterns(entries: Sequence[str]) -> list[regex.Pattern[str]]:
    """Patterns of whole words: one for all entries that begin and end alike, with a letter or without."""
    groups: dict[tuple[str, str], list[str]] = {}
    for entry in entries:
        frame = whole_words("|", entry).split("(?:|)")
        groups.setdefault((frame[0], frame[-1]), []).append(entry)
    flags = regex.IGNORECASE | regex.FULLCASE
    return [
        regex.compile(rf"{left}\L<entries>{right}", flags, entries=frozenset(group))
        for (left, right), group in groups.items()
    ]
