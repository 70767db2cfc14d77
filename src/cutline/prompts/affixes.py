"""Trigger word, prefix, suffix, and joining with the text that was there before."""

from __future__ import annotations

import unicodedata
from typing import Literal, TypeAlias

Policy: TypeAlias = Literal["overwrite", "append", "prepend"]


def finish_caption(
    text: str,
    *,
    trigger: str = "",
    prefix: str = "",
    suffix: str = "",
    existing: str | None = None,
    policy: Policy = "overwrite",
) -> str:
    """The final text: ``trigger, existing prefix text suffix``, each where it is set.

    A blank is put between prefix, text and suffix unless one is there or punctuation makes it wrong.
    ``append`` and ``prepend`` join with the existing text by a blank behind a sentence, by a comma
    behind anything else, such as tags. A text that already starts with the trigger word keeps it once.
    """
    body = _spaced(_spaced(prefix, text.strip()), suffix)
    before = (existing or "").strip()
    if before and policy == "append":
        body = _joined(before, body)
    elif before and policy == "prepend":
        body = _joined(body, before)
    return _triggered(trigger.strip().rstrip(",").rstrip(), body)


def _spaced(left: str, right: str) -> str:
    if not left or not right or left[-1].isspace() or right[0].isspace():
        return left + right
    return left + right if _opens(left[-1]) or _closes(right[0]) else f"{left} {right}"


def _joined(left: str, right: str) -> str:
    left, right = left.rstrip(), right.lstrip()
    if not left or not right:
        return left or right
    return f"{left} {right}" if _closes(left[-1]) or left.endswith(('"', "'")) else f"{left}, {right}"


def _triggered(trigger: str, body: str) -> str:
    if not trigger or body == trigger or body.startswith((f"{trigger},", f"{trigger} ")):
        return body
    return f"{trigger}, {body}" if body else trigger


def _closes(char: str) -> bool:
    """Whether no blank belongs before ``char``: closing brackets and marks, full width ones too."""
    return (
        unicodedata.category(char) in {"Pe", "Pf"} or unicodedata.normalize("NFKC", char)[0] in ".,;:!?%。、"
    )


def _opens(char: str) -> bool:
    """Whether no blank belongs behind ``char``."""
    wide_mark = not char.isascii() and char != "…" and unicodedata.normalize("NFKC", char) in ".,;:!?。、"
    return unicodedata.category(char) in {"Ps", "Pi"} or char in "#@" or wide_mark
