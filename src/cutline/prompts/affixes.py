"""Trigger word, prefix, suffix, and joining with the text that was there before."""

# ruff: noqa: RUF001 - full-width punctuation is meant

from __future__ import annotations

import re
import unicodedata
from typing import Final, Literal, TypeAlias

_COMMAS: Final = ",，、"
_SEPARATORS: Final = _COMMAS + ";:|/；："
_TERMINATORS: Final = ".!?…。！？．｡।؟۔։።"
_ENDS: Final = _COMMAS + ".;:!?。；：！？"
_CLOSERS: Final = "\"'`*)]}»”’›」』）】》〉］｝"
_WIDE: Final = "，、；：。！？．｡」』）】》〉］｝"
_LONGEST_EMOTICON: Final = 4
_COMMA: Final = re.compile(f"[{_COMMAS}]")

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
    ``append`` and ``prepend`` join with the existing text as ``join_texts`` does. A text that already starts
    with the trigger word keeps it once.
    """
    body = _spaced(_spaced(prefix, text.strip()), suffix)
    before = (existing or "").strip()
    if before and policy == "append":
        body = join_texts(before, body)
    elif before and policy == "prepend":
        body = join_texts(body, before)
    return _triggered(trigger.strip().rstrip(",").rstrip(), body)


def _spaced(left: str, right: str) -> str:
    if not left or not right or left[-1].isspace() or right[0].isspace():
        return left + right
    return left + right if _opens(left[-1]) or _closes(right[0]) else f"{left} {right}"


def join_texts(left: str, right: str) -> str:
    """Two captions as one: what separates them depends on what ``left`` is.

    A blank follows a sentence, also one that ends in quotes or brackets, and a mark that separates already.
    Tags, phrases, emoticons and weights such as ``(tag:1.2)`` get the separator of their own list, else a
    comma. Chinese and Japanese text has its own marks, without blanks.
    """
    left, right = left.rstrip(), right.lstrip()
    if not left or not right:
        return left or right
    if right[0] in _COMMAS and not _is_emoticon(right.split(maxsplit=1)[0]):
        return left.rstrip(_COMMAS) + right
    if left[-1] in _SEPARATORS and not _is_emoticon(_last_item(left)):
        return left + right if left[-1] in _WIDE else f"{left} {right}"
    if _is_sentence(left):
        return left + right if left[-1] in _WIDE else f"{left} {right}"
    return left + _separator(left, right) + right


def _is_sentence(text: str) -> bool:
    inner = text.rstrip(_CLOSERS)
    if not inner or inner[-1] not in _TERMINATORS:
        return False
    tags = _COMMA.split(text)
    return len(tags) == 1 or any(char.isalnum() for char in tags[-1])  # in a list "..." and "!?" are tags


def _is_emoticon(item: str) -> bool:
    return len(item) > 1 and not any(char.isalnum() for char in item[:-1]) and len(item) <= _LONGEST_EMOTICON


def _last_item(text: str) -> str:
    return _COMMA.split(text.rstrip(_COMMAS))[-1].split(" ")[-1]


def _separator(left: str, right: str) -> str:
    """The mark that the lists in the texts use; else the comma of the language."""
    for text in (left, right):
        marks = [mark for mark in ("，", "、", ",", ";") if mark in text]
        if marks:
            mark = max(marks, key=text.count)
            return mark if mark in _WIDE else f"{mark} "
    if _is_han(left[-1]) and _is_han(right[0]):
        return "、" if any("\u3040" <= char <= "\u30ff" for char in left + right) else "，"
    return ", "


def _is_han(char: str) -> bool:
    return "\u3040" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff"


def _triggered(trigger: str, body: str) -> str:
    follows = body[len(trigger) : len(trigger) + 1]
    if not trigger or (body.startswith(trigger) and (not follows or follows.isspace() or follows in _ENDS)):
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
