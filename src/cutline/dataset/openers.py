"""Phrases with which models begin captions, and which say nothing of the picture."""

from __future__ import annotations

from typing import Final

import regex

_NOUN: Final = (
    r"(?:(?:color|colour|black[- ]and[- ]white|digital|close-up|high[- ]resolution)\s+)?"
    r"(?:image|photo|photograph|picture|photographic image|illustration|screenshot|scene|shot|view)"
)
_VERB: Final = (
    r"(?:shows|showing|depicts|depicting|features|featuring|displays|displaying|presents|presenting|portrays"
    r"|portraying|captures|capturing|contains|containing|is\s+of|illustrates|showcases|showcasing|shows\s+us"
    r"|appears\s+to\s+(?:show|depict|be))"
)
_SEEN: Final = r"(?:(?:we|you|one)\s+can\s+see|we\s+see|there\s+(?:is|are)|can\s+be\s+seen)"
_OPENER: Final = regex.compile(
    rf"\A\s*(?:(?:sure|certainly|of\s+course|okay)[!,.]?\s+)?(?:here(?:'s|\s+is)\s+(?:a|the)\s+(?:\w+\s+)?"
    rf"(?:caption|description)[^:\n]{{0,60}}:\s*"
    rf"|(?:the|this|that)\s+{_NOUN}\s+{_VERB}\s+"
    rf"|an?\s+{_NOUN}\s+(?:{_VERB}|of|that\s+shows)\s+"
    rf"|in\s+(?:the|this)\s+{_NOUN},?\s+{_SEEN}\s+"
    rf"|{_NOUN}\s+of\s+)",
    regex.IGNORECASE,
)


def without_opener(caption: str) -> str:
    """The caption without its opener, in the case that it had; itself where nothing would be left."""
    found = _OPENER.match(caption)
    if found is None or not caption[found.end() :].strip():
        return caption
    rest = caption[found.end() :]
    begins = caption.lstrip()[:1]
    return rest[0].upper() + rest[1:] if begins.isupper() else rest
