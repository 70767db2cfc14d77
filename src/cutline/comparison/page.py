"""A comparison as one HTML file: no script, nothing loaded, readable anywhere.

Every text goes through ``markup.tag``, which escapes it; the policy in the head forbids the rest.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import importlib.resources
from typing import Final

from cutline.comparison.cards import picture_card
from cutline.comparison.markup import Markup, escape, join, tag
from cutline.comparison.results import Comparison, Entrant
from cutline.comparison.summary_table import standings
from cutline.formatting import plural

POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
_LETTERS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def as_html(comparison: Comparison, *, blind: bool, made: dt.datetime) -> str:
    """The whole page. ``blind`` calls the contestants A, B … and keeps names and figures behind a click."""
    names = [entrant.name for entrant in comparison.entrants]
    labels = [_letter(place) for place in range(len(names))] if blind else names
    title = f"{len(names)} captioners, {plural(len(comparison.pictures), 'picture')}"
    table = standings(comparison, labels=labels if blind else None)
    cards = (
        picture_card(shown, comparison.entrants, labels, number=number, blind=blind)
        for number, shown in enumerate(comparison.pictures, 1)
    )
    body = tag(
        "body",
        tag("header", tag("h1", title), tag("p", _about(comparison, made), class_="about")),
        tag(
            "main",
            tag("details", tag("summary", "Who is who, and the figures"), table) if blind else table,
            _choices(comparison, labels[0]),
            *cards,
        ),
        tag("footer", "Made by cutline compare. Everything is in this file; it loads nothing."),
    )
    return f'<!DOCTYPE html>\n<html lang="en">{_head(title)}{body}</html>\n'


def _head(title: str) -> Markup:
    style = importlib.resources.files("cutline.comparison").joinpath("page.css").read_text("utf-8")
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        Markup(f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="referrer", content="no-referrer"),
        tag("title", title),
        tag("style", Markup(style)),
    )


def _about(comparison: Comparison, made: dt.datetime) -> Markup:
    shown, total = len(comparison.pictures), comparison.total
    parts: list[str] = []
    if comparison.input:
        where = tag("bdi", comparison.input)
        first = f"the first {shown:,} of {total:,} in " if total is not None and total > shown else "all of "
        parts.append(join(first, where))
    date = tag("time", f"{made:%d %B %Y, %H:%M}".lstrip("0"), datetime=made.isoformat(timespec="seconds"))
    parts.append(date)
    return join(*(join(part, " · " if place < len(parts) - 1 else None) for place, part in enumerate(parts)))


def _choices(comparison: Comparison, first: str) -> Markup:
    """What can be switched on this page, without a script."""
    gaps = sum(
        any(entrant.answer(shown.key).problem for entrant in comparison.entrants)
        for shown in comparison.pictures
    )
    highlight = _choice(
        "plain", join("Mark words that ", tag("bdi", first), " does not have there"), checked=True
    )
    only = _choice("gaps", f"Only pictures without some caption ({gaps:,})") if gaps else None
    return tag("div", highlight, only, class_="bar-of-choices")


def _choice(name: str, label: str, *, checked: bool = False) -> Markup:
    return tag("label", tag("input", type="checkbox", id=name, checked=checked), tag("span", label))


def _letter(place: int) -> str:
    return _LETTERS[place] if place < len(_LETTERS) else f"{_LETTERS[place % 26]}{place // 26}"


def blinded(comparison: Comparison) -> Comparison:
    """The same with the contestants in an order that does not tell who they are, always the same one."""
    together = "\n".join(entrant.name for entrant in comparison.entrants)

    def place(entrant: Entrant) -> bytes:
        return hashlib.blake2b(f"{entrant.name}\n{together}".encode()).digest()

    return dataclasses.replace(comparison, entrants=tuple(sorted(comparison.entrants, key=place)))
