"""Finds replies in which a model declines; the forms are those of ``reply_forms.toml``, in its languages."""

from __future__ import annotations

import functools
import re

from cutline.errors import ReplyError
from cutline.formatting import excerpt
from cutline.prompts import reply_forms

_APOSTROPHES = str.maketrans("\u2019\u2018\u02bc`", "''''")
_LATIN_END = "\u0250"
_REFUSAL_LENGTH = 300  # a longer text may decline one thing and describe the rest
_ASSISTANT_LENGTH = 600
USUAL_STARTS = ("a ", "an ")
"""Of English captions, and of no refusal: these need neither the table nor its patterns."""


def refuse_refusal(text: str) -> None:
    """Raise ReplyError ``refused`` where a model declines in ``text``."""
    if is_refusal(text):
        raise ReplyError("refused", f"the model declined: {excerpt(text)}")


def is_refusal(text: str) -> bool:
    """Whether a model declines in ``text``, in one of the languages of the table, and does nothing else."""
    if len(text) > _ASSISTANT_LENGTH:
        return False
    latin = text.isascii()  # as most captions are: half of the languages need no look, and no pattern
    plain = text.lower()
    plain = (plain.replace("`", "'") if latin else plain.translate(_APOSTROPHES)).lstrip("*_# \t\n")
    if latin and plain.startswith(USUAL_STARTS):
        return False
    match = _forms(latin=latin).match(plain)
    if match is None or (len(text) > _REFUSAL_LENGTH and match.lastgroup != "assistant"):
        return False
    return _however().search(plain) is None


@functools.cache
def _forms(*, latin: bool) -> re.Pattern[str]:
    """How models decline; with ``latin`` only in languages that are written in Latin letters."""
    forms = [
        form for form in reply_forms.table()["refusal"] if not latin or form["examples"][0][0] < _LATIN_END
    ]
    between = reply_forms.table()["marks"]["separator"]
    apology = rf"(?:(?:{reply_forms.any_of(form['apology'] for form in forms)}){between})?"
    assistant = reply_forms.any_of(form["assistant"] for form in forms)
    declined = (rf"(?:(?:{form['apology']}){between})?(?:{_one(form['unable'])})" for form in forms)
    return re.compile(rf"(?P<assistant>{apology}(?:{assistant}))|{'|'.join(declined)}")


@functools.cache
def _however() -> re.Pattern[str]:
    return re.compile(reply_forms.any_of(form["however"] for form in reply_forms.table()["refusal"]))


def _one(value: str | list[str]) -> str:
    return value if isinstance(value, str) else reply_forms.any_of(value)
