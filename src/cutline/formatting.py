"""Numbers, durations, money and foreign text as a person reads them in a terminal or a message."""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable


def plural(count: int, noun: str, several: str = "") -> str:
    """``1 caption``, ``2,000 captions``; ``several`` for an irregular plural."""
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def duration(seconds: float) -> str:
    """``9.1 s``, ``85 s``, ``2 min 05 s``, ``3 h 07 min``, ``2 d 4 h``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def money(dollars: float) -> str:
    """US dollars with cents, or with four decimals below one dollar."""
    return f"${dollars:,.2f}" if dollars >= 1 or not dollars else f"${dollars:.4f}"


def short_number(number: int) -> str:
    """A count with at most four digits: 9,999, 12.3k, 4.56M."""
    if number < 10_000:
        return f"{number:,}"
    if number < 1_000_000:
        return f"{number / 1000:.1f}k"
    return f"{number / 1e6:.2f}M"


def number(value: float, digits: int = 4) -> str:
    """A measured value: whole numbers with separators, others with some significant digits."""
    if not math.isfinite(value):
        return {math.inf: "∞", -math.inf: "-∞"}.get(value, "unknown")
    if value == round(value) or abs(value) >= 10 ** (digits - 1):
        return f"{value:,.0f}"
    return f"{value:.{digits}g}"


def ranked(counter: Counter[str], limit: int) -> list[tuple[str, int]]:
    """The largest counts; of equal ones those whose names come first, whatever was counted first."""
    return sorted(counter.items(), key=lambda item: (-item[1], item[0]))[:limit]


def most_common(counter: Counter[str]) -> str:
    """The five largest counts: ``3 fetch, 1 decode``."""
    return ", ".join(f"{count:,} {name}" for name, count in ranked(counter, 5))


def one_line(message: BaseException | str, limit: int = 300) -> str:
    """An error or a text without line breaks; of an OSError its reason, of an empty error its type."""
    reason = message.strerror if isinstance(message, OSError) else None
    text = " ".join((reason or str(message)).split())[:limit]
    return text or (type(message).__name__ if isinstance(message, BaseException) else "")


def excerpt(text: str, limit: int = 120) -> str:
    """The beginning of a text, in one line of at most ``limit`` characters."""
    line = one_line(text, limit + 1)
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def nearest(word: str, known: Iterable[str], *, most: int = 1, cutoff: float = 0.6) -> list[str]:
    """The known words that a misspelt one is probably meant for, the best first; case does not matter."""
    import difflib  # only for messages

    folded: dict[str, str] = {}
    for each in known:
        folded.setdefault(each.casefold(), each)
    meant = word.casefold()
    close = difflib.get_close_matches(meant, list(folded), n=most + 3, cutoff=cutoff)
    close.sort(
        key=lambda each: sorted(each) != sorted(meant)
    )  # letters in another order before other letters
    return [folded[each] for each in close[:most]]


def did_you_mean(word: str, known: Iterable[str], *, most: int = 1, cutoff: float = 0.6) -> str:
    """``, did you mean NAME?`` as the middle of a message; empty where no known word is near."""
    close = nearest(word, known, most=most, cutoff=cutoff)
    return f", did you mean {' or '.join(close)}?" if close else ""


# Control characters, breaks of lines and paragraphs, changes of the writing direction, what has no width but
# joins no letters, and surrogates (bytes of a file name that are not UTF-8). Line feed and tab are left to
# `printable`.
_ACTIVE = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f\ud800-\udfff]"
)
_ACTIVE_OR_BREAK = re.compile(_ACTIVE.pattern[:-1] + "\t\n]")


_URL = r"(?i)(?<![a-z0-9+.-])[a-z0-9+.-]+://[^\s'\"<>]+"
# The second form: with a password whose slashes are not encoded, so that it stands where a port would.
_USER = r"(?<=://)(?:[^/?#\s]*@|[^/?#\s:@\[]+:(?!\d*(?:[/?#]|$))\S*@)"
# Also of a URL within a parameter, where the marks are percent-encoded.
_PARAMETER = r"(?i)((?:[?&;#]|%3F|%26)((?:[^=&;#?%]|%(?!3D|3F|26))*)(?:=|%3D))((?:[^&;#%]|%(?!26|3F))+)"
_BEFORE_SECRETS = "?&;#@%"  # one is in every URL with a password or parameter
_SENSITIVE = (
    "(?i)sig|token|secret|key|credential|pass|pwd|auth|policy|hmac|hash|md5|jwt|code|session|ticket|"
    "^(?:hm|sas|pw|otp)$"
)
_RUN = r"[A-Za-z0-9]{20,}"  # of letters and digits, as in tokens; UUIDs have dashes


# Most starts meet no URL, and to compile these patterns takes longer than to import a module.
@functools.cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def without_signatures(text: str) -> str:
    """``text`` without the signatures, keys and passwords in its URLs, which open what they point to."""
    if "://" not in text or not any(map(text.__contains__, _BEFORE_SECRETS)):
        return text
    user, parameter = _compiled(_USER), _compiled(_PARAMETER)
    return _compiled(_URL).sub(lambda url: parameter.sub(_hidden, user.sub("", url[0])), text)


@functools.lru_cache(1024)  # a run asks several times for each picture
def stored_key(key: str) -> str:
    """A sample's key as files keep it: without signatures, and then with a digest of the whole."""
    shown = without_signatures(key)
    if shown == key:
        return key
    import hashlib  # OpenSSL, which takes 2 ms to load

    return f"{shown}#{hashlib.blake2b(key.encode(errors='surrogatepass'), digest_size=8).hexdigest()}"


def _hidden(parameter: re.Match[str]) -> str:
    start, name, value = parameter.groups()
    end = len(value.rstrip(".,:)]"))  # of a sentence around the URL
    random = any(not run.isdigit() and not run.isalpha() for run in _compiled(_RUN).findall(value))
    return (
        f"{start}…{value[end:]}" if end and (random or _compiled(_SENSITIVE).search(name)) else parameter[0]
    )


def visible(text: str) -> str:
    """Foreign text that cannot act on a terminal, without signatures of URLs; it may have several lines."""
    text = without_signatures(text)
    return _ACTIVE.sub(_escape, text.replace("\r\n", "\n")) if _ACTIVE.search(text) else text


def printable(text: str) -> str:
    """As ``visible``, within a line: it cannot begin a new one either."""
    return _ACTIVE_OR_BREAK.sub(_escape, without_signatures(text))


def quoted(text: str) -> str:
    r"""In quotation marks within a line; backslashes, as of ``\w+``, are as they were typed."""
    return repr(text).replace("\\\\", "\\")


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode("ascii")
