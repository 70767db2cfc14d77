"""HTML that cannot be broken out of: text is escaped unless it was made here."""

from __future__ import annotations

import html
import re
from typing import Final

from cutline.serialization import valid_unicode

_VOID: Final = frozenset({"br", "img", "input", "meta"})
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffe\uffff]")

Value = str | int | bool | None


class Markup(str):
    """Text that is HTML already; only ``tag``, ``join`` and constants of this package make it."""

    __slots__ = ()


def escape(value: str) -> Markup:
    """``value`` as HTML text or attribute; what HTML cannot hold becomes U+FFFD."""
    if isinstance(value, Markup):
        return value
    return Markup(html.escape(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", valid_unicode(value))))


def join(*children: str | None) -> Markup:
    return Markup("".join(escape(child) for child in children if child is not None))


def tag(name: str, *children: str | None, **attributes: Value) -> Markup:
    """An element. ``class_`` stands for ``class``, ``aria_label`` for ``aria-label``.

    An attribute that is True stands alone; None and False leave it out.
    """
    parts = [f"<{name}"]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        written = key.rstrip("_").replace("_", "-")
        parts.append(f" {written}" if value is True else f' {written}="{escape(str(value))}"')
    parts.append(">")
    if name not in _VOID:
        parts.append(f"{join(*children)}</{name}>")
    return Markup("".join(parts))
