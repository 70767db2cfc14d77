"""Which encoding texts without a mark have: UTF-16 by its zero bytes, legacy ones by chardet and priors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

# Encodings that people's texts are in, as chardet calls them, and as Python does.
_LEGACY: Final = {
    "GB18030": "gb18030",
    "Big5": "cp950",
    "CP932": "cp932",
    "EUC-JP": "euc_jp",
    "CP949": "cp949",
    "Windows-1250": "cp1250",
    "Windows-1251": "cp1251",
    "Windows-1252": "cp1252",
    "Windows-1253": "cp1253",
    "Windows-1254": "cp1254",
    "Windows-1255": "cp1255",
    "Windows-1256": "cp1256",
    "KOI8-R": "koi8_r",
    "TIS-620": "tis_620",
}
_LATIN: Final = frozenset({"cp1250", "cp1252", "cp1254"})
_NOT_LATIN: Final = frozenset({"cp1251", "cp1253", "cp1255", "cp1256", "koi8_r", "tis_620"})
_MIXED_WORD: Final = re.compile(r"[A-Za-z][^\W\d_A-Za-z]|[^\W\d_A-Za-z][A-Za-z]")
_OTHER_SCRIPT: Final = re.compile(rb"[\x80-\xff]{4}")
_WITHIN_WORD: Final = re.compile(r"[a-z][^\x00-\x7f][a-z]")
_BESIDE_LETTER: Final = re.compile(r"[a-z][^\x00-\x7f]|[^\x00-\x7f][a-z]")
_ICELANDIC: Final = re.compile("[ðýþÐÝÞ]")
_ODD: Final = re.compile(
    "[\u02b0-\u02ff\u2500-\u259f\ue000-\uf8ff]|[\u00a4\u00a6\u00ac\u00b1-\u00b3\u00b6\u00b9\u00bc\u00be][a-z]"
)
_CONTROL: Final = re.compile(r"[\0-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffe\uffff]")
_ZEROS: Final = 5  # bytes of which one is zero, at least, in UTF-16 with Latin letters
_EAST_ASIAN: Final = "[\\s -~\u2010-\u2026\u3000-\u30ff\u3400-\u9fff\uac00-\ud7a3\uff00-\uffef]{6,}"
_MIN_CONFIDENCE: Final = 0.02
_MAX_RIVAL: Final = 0.85  # the second best's confidence, as a share of the best's
_WESTERN: Final = 1.3  # how much likelier than its neighbours Western European is, other things equal
_RARE: Final = 0.4  # of Icelandic, and of EUC-JP, in which no system writes texts any more
_UNLIKELY: Final = 0.1  # of the best's confidence
_MIN_EVIDENCE: Final = 6  # bytes beyond ASCII, unless ASCII letters surround them


def detect(texts: Iterable[bytes]) -> str | None:
    """The Python codec in which all ``texts`` are, which have neither a mark nor valid UTF-8; None if unsure.

    All of them decode strictly, and encode to the same bytes again.
    """
    found = [text for text in texts if text]
    if not found:
        return None
    for encoding in _unicode_candidates(found):
        if all(_is_unicode(text, encoding) for text in found):
            return encoding
    if any(b"\0" in text for text in found):
        return None
    return _legacy(b"\n".join(found)) or _unmarked_east_asian(found)


def contradicts(text: bytes, encoding: str) -> str | None:
    """The codec of another script that one text clearly has, among others in ``encoding``; mostly None.

    Those of Latin letters decode almost anything, so what other texts have shows little about this one.
    """
    if encoding not in _LATIN or not _OTHER_SCRIPT.search(text):
        return None
    if sum(byte >= 0x80 for byte in text) < 2 * _MIN_EVIDENCE:
        return None
    scores, encodings = _scores(text)
    best = _best(scores)
    if best is None or encodings[best] in _LATIN:
        return None
    other = decodes(text, encoding)
    is_clear = other is None or scores.get(other, 0.0) < _UNLIKELY * scores[best]
    return encodings[best] if is_clear else None


def decodes(text: bytes, encoding: str) -> str | None:
    """The text, where it decodes strictly and encodes to the same bytes again."""
    try:
        decoded = text.decode(encoding)
        return decoded if decoded.encode(encoding) == text else None
    except UnicodeError:
        return None


def _unicode_candidates(texts: list[bytes]) -> tuple[str, ...]:
    return ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be") if all(b"\0" in one for one in texts) else ()


def _is_unicode(text: bytes, encoding: str) -> bool:
    """Whether the zero bytes are those of ASCII characters in UTF-16 or UTF-32.

    A few in a text that is UTF-8 otherwise are damage, and no second bytes.
    """
    if text.count(0) * _ZEROS < len(text) and decodes(text, "utf-8") is not None:
        return False
    decoded = decodes(text, encoding)
    return decoded is not None and not _CONTROL.search(decoded) and any(char.isascii() for char in decoded)


def _unmarked_east_asian(texts: list[bytes]) -> str | None:
    for encoding in ("utf-16-le", "utf-16-be"):
        decoded = [decodes(text, encoding) for text in texts]
        if all(one is not None and re.fullmatch(_EAST_ASIAN, one) for one in decoded):
            return encoding
    return None


def _legacy(data: bytes) -> str | None:
    evidence = sum(byte >= 0x80 for byte in data)
    if evidence < _MIN_EVIDENCE and not re.search(rb"[A-Za-z]{2}", data):
        return None
    scores, encodings = _scores(data)
    best = _best(scores)
    return None if best is None else encodings[best]


def _scores(data: bytes) -> tuple[dict[str, float], dict[str, str]]:
    """How likely each decoded text is, and its encoding."""
    import chardet

    scores: dict[str, float] = {}  # by the decoded text: encodings that share one are not rivals
    encodings: dict[str, str] = {}
    for one in chardet.detect_all(data, ignore_threshold=True, include_encodings=list(_LEGACY)):
        encoding = _LEGACY.get(str(one["encoding"]))
        text = decodes(data, encoding) if encoding else None
        if encoding is None or text is None or not _is_plausible(text, encoding):
            continue
        scores[text] = scores.get(text, 0.0) + one["confidence"] * _prior(text, encoding)
        if encoding == "cp1252" or text not in encodings:
            encodings[text] = encoding
    return scores, encodings


def _best(scores: Mapping[str, float]) -> str | None:
    """The text that is likely, and much more so than the others; None if unsure."""
    best, second = (*sorted(scores, key=lambda text: -scores[text]), "", "")[:2]
    score = scores.get(best, 0.0)
    sure = score >= _MIN_CONFIDENCE and scores.get(second, 0.0) <= _MAX_RIVAL * score
    return best if sure else None


def _prior(text: str, encoding: str) -> float:
    """How much likelier an encoding is than its confidence says, as far as people's texts go."""
    if encoding == "cp1252":
        icelandic = 7 * len(_ICELANDIC.findall(text)) > sum(not char.isascii() for char in text)
        return _RARE if icelandic else _WESTERN  # they are Turkish letters in cp1254
    return _RARE if encoding == "euc_jp" else 1.0


def _is_plausible(text: str, encoding: str) -> bool:
    """No control characters, lone accents and boxes; no word of Latin letters and those of another script."""
    if _CONTROL.search(text) or _ODD.search(text):
        return False
    if encoding in _NOT_LATIN:
        return not _MIXED_WORD.search(text)
    few = sum(not char.isascii() for char in text) < _MIN_EVIDENCE // 2
    return encoding in _LATIN or not (_BESIDE_LETTER if few else _WITHIN_WORD).search(text)
