"""Rules of the tokens of an English text: which is the longest that begins at a place.

The classes of tokens are those of the Penn Treebank (Marcus et al., "Building a Large Annotated Corpus of
English: The Penn Treebank", 1993) and of addresses, numbers and abbreviations; the exact extent of each
follows what Stanford CoreNLP 3.4.1 gives for captions and for the hard lines of the tests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import regex

BLANKS: Final = frozenset(" \t\u00a0\u3000\n\r\v\f" + "".join(map(chr, range(0x2000, 0x200B))))

_WRITE: TypeAlias = Callable[[str], str]

_WIDE: Final = r"\U00010000-\U0010ffff\ufe00-\ufe0f\u20d0-\u20ff"  # what the reference does not know
_LETTER: Final = rf"[[\p{{L}}\p{{M}}\u00ad]--[{_WIDE}]]"
_ALNUM: Final = rf"[[\p{{L}}\p{{M}}\u00ad\d]--[{_WIDE}]]"
_APOSTROPHE: Final = r"(?:['\u0092\u2019]|&apos;)"
_ANY_APOSTROPHE: Final = r"(?:['`\u0091\u0092\u2018\u2019\u201b]|&apos;)"
_SHORT: Final = rf"(?:{_APOSTROPHE}(?:[msdMSD]|[rR][eE]|[vV][eE]|[lL][lL]))"
_NOT: Final = rf"(?:[nN]{_ANY_APOSTROPHE}[tT])"
_NUMBER: Final = r"[-+]?(?:\d*(?:[.:,\u00ad\u066b\u066c]\d+)+|\d+)"
_ACRONYM: Final = (
    r"(?:[A-Za-z](?:\.[A-Za-z])+|(?:Canada|Sino|Korean|EU|Japan|non)-U\.S|U\.S\.-(?:U\.K|U\.S\.S\.R))"
)
_EXTENSION: Final = (
    r"(?:bat|bmp|c|class|cgi|cpp|dll|docx?|exe|gif|gz|h|html?|jar|java|jpe?g|mov|mp3|pdf|php|pl|png|ppt|ps|py"
    r"|sql|tar|txt|wav|x|xml|zip)"
)
_NAME: Final = r"[A-Za-z][A-Za-z0-9_:.-]*"  # in mark-up
_VALUE: Final = rf"(?:'[^'\r\n]*'|\"[^\"\r\n]*\"|{_NAME})"
_TELEPHONE: Final = (
    r"(?:\(\d{2,3}\)[ \u00a0]?|(?:\+\+?)?(?:\d{2,4}[- \u00a0])?\d{2,4}[- \u00a0])"
    r"\d{3,4}[- \u00a0]?\d{3,5}|(?:(?:\+\+?)?\d{2,4}\.)?\d{2,4}\.\d{3,4}\.\d{3,5}"
)
_PART: Final = r"[^ \t\n\f\r\"<>|().\u00a0]+"  # of an address
_NO_END: Final = r"[^ \t\n\f\r\"<>|.!?(){},-]"

# Abbreviations that keep their full stop; those in whatever case first.
_ABBREVIATIONS: Final = (
    r"(?i:jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|mon|tues?|wed|thu|thurs|fri"
    r"|ala|ariz|calif|colo|conn|ct|dak|fla|ga|ind|kans?|ky|md|mich|minn|mo|mont|neb|nev|okla|penn|tenn|va|vt|wisc?|wyo"
    r"|adj|adv|assn|assoc|asst|bancorp|bhd|bldg|bros|cf|cie|cos?|corp|dept|elec|ens|esq|est|etc|ext|ft|inc|insp|intl"
    r"|ltd|mfg|mlle|mme|msgr|mtg|natl|plc|pp?t[ye]s?|rd|rt|seq|al|sq|sys|tel|treas|univ|vs|ph|jr|sr|ph\.d|ed\.d|blvd"
    r"|mr|mrs|ms|drs?|profs?|sens?|reps?|attys?|lt|col|gen|messrs|govs?|adm|rev|maj|sgt|cpl|pvt|mt|capt|ste?"
    r"|ave|pres|lieut|hon|brig|co?mdr|pfc|spc|supts?|det)"
    r"|A[zZ]|Ark|Del|Ill|La|Mass|Miss|Ore|P[aA]|Tex|Wash"
)
_NUMBERED: Final = r"(?i:arts?|figs?|nos?|ops?|pp|prop)"  # keep it before a number only
_STARTS: Final = (
    r"(?:A|About|According|Additionally|After|An|As|At|But|Earlier|He|Her|Here|However|If|In|It|Last|Many|More|Now"
    r"|Once|One|Other|Our|She|Since|So|Some|Such|That|The|Their|Then|There|These|They|This|We|What|When|While|Yet"
    r"|You)(?=[ \u00a0]|$)"
)
_SMILEYS: Final = r"[<>]?[:;=][-o*']?[()DPdpO{@|\[\]]|[\^x=~<>]\.\[\^x=~<>]|[-\^x=~<>']_[-\^x=~<>']"
_ODD_WORDS: Final = (
    rf"{_APOSTROPHE}n{_APOSTROPHE}?|[lLdDjJ]{_APOSTROPHE}|Dunkin{_APOSTROPHE}|somethin{_APOSTROPHE}"
    rf"|[oO]l{_APOSTROPHE}|{_APOSTROPHE}em|[cC]{_APOSTROPHE}mon|{_APOSTROPHE}[2-9]0s|{_APOSTROPHE}till?"
    rf"|[A-Za-z]+[aeiouyAEIOUY]{_APOSTROPHE}[aeiouA-Z][A-Za-z]*|{_APOSTROPHE}cause|cont'd\.?"
    r"|nor'easter|e'er|s'mores|ev'ry|li'l|nat'l|O'o|[cC]'est"
)


def _same(token: str) -> str:
    return token


_BRACKETS: Final = {
    "(": "-LRB-", ")": "-RRB-", "[": "-LSB-", "]": "-RSB-", "{": "-LCB-", "}": "-RCB-",
}  # fmt: skip
_FRACTIONS: Final = {
    "\u00bc": "1/4", "\u00bd": "1/2", "\u00be": "3/4", "\u2153": "1/3", "\u2154": "2/3",
}  # fmt: skip


def _bracketed(token: str) -> str:
    return "".join(_BRACKETS.get(sign, sign) for sign in token).replace(" ", "\u00a0")


def _joined(token: str) -> str:
    return token.replace(" ", "\u00a0")


def _unhyphenated(token: str) -> str:
    return token.replace("\u00ad", "")


def _apostrophes(token: str) -> str:
    return regex.sub(_ANY_APOSTROPHE, "'", token).replace("\u00ad", "")


def _fraction(token: str) -> str:
    return _FRACTIONS.get(token, token)


def _money(token: str) -> str:
    return {"\u00a2": "cents", "\u00a3": "#", "\u20ac": "$", "\u0080": "$"}.get(token, token)


def _entity(token: str) -> str:
    return {"&amp;": "&", "&lt;": "<", "&gt;": ">"}.get(token, token)


def _dropped(_: str) -> str:
    return ""


# Each with what must follow it, which counts for the length of the match but is no part of the token.
_RULES: Final[tuple[tuple[str, str, _WRITE], ...]] = (
    (r"(?i:can)", r"(?i:not)(?![\p{L}\d])", _same),
    (r"(?i:gon|wan)", r"(?i:na)(?![\p{L}\d])", _same),
    (r"(?i:got)", r"(?i:ta)(?![\p{L}\d])", _same),
    (r"(?i:lem|gim)", r"(?i:me)(?![\p{L}\d])", _same),
    (
        rf"<(?:[!?][A-Za-z-][^>\r\n]*|/?{_NAME}(?:[ ]+{_NAME}(?:[ ]*=[ ]*{_VALUE})?)*[ ]*/?)[ ]*>",
        "",
        _joined,
    ),
    (r"&(?:MD|mdash|ndash);|[\u0096\u0097\u2013\u2014\u2015]", "", _dropped),
    (r"&(?:amp|lt|gt);", "", _entity),
    (r"&(?:quot|nbsp);", "", _dropped),
    (r"&(?:HT|TL|UR|LR|QC|QL|QR|odq|cdq|#\d+);", "", _same),
    (rf"{_LETTER}+", "", _unhyphenated),
    (rf"{_LETTER}+", _SHORT, _unhyphenated),
    (rf"{_LETTER}+?", _NOT, _unhyphenated),
    (r"\d+", _SHORT, _same),
    (_ODD_WORDS, "", _same),
    (rf"[yY]{_APOSTROPHE}", r"[A-Za-z]", _same),
    (r"'[tT]", r"(?i:is|was)", _same),
    (r"https?://[^ \t\n\f\r\"<>|()]+" + _NO_END, "", _same),
    (
        r"(?:www\.(?:[^ \t\n\f\r\"<>|.!?(){},]+\.)+[a-zA-Z]{2,4}"
        r"|(?:[^ \t\n\f\r\"`'<>|.!?(){},\-$]+\.)+(?:com|net|org|edu))"
        r"(?:/[^ \t\n\f\r\"<>|()]+" + _NO_END + r")?",
        "",
        _same,
    ),
    (
        rf"[a-zA-Z0-9][^ \t\n\f\r\"<>|()\u00a0]*@(?:{_PART}\.)*{_PART}",
        "",
        _same,
    ),
    (r"@[a-zA-Z_][a-zA-Z_0-9]*|\#[\p{L}][\p{L}\p{M}]*", "", _same),
    (_SHORT, r"(?![A-Za-z])", _apostrophes),
    (_NOT, r"(?![A-Za-z])", _apostrophes),
    (r"\d{1,2}[-/]\d{1,2}[-/]\d{2,4}", "", _same),
    (_NUMBER, "", _unhyphenated),
    (r"[\u207a\u207b\u208a\u208b]?(?:[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]+|[\u2080-\u2089]+)", "", _same),
    (r"(?:\d{1,4}[- \u00a0])?\d{1,4}(?:\\?/|\u2044)\d{1,4}", "", _joined),
    (r"[\u00bc-\u00be\u2153-\u215e]", "", _fraction),
    (r"[A-Z]*\$|\#", "", _same),
    (r"[\u0080\u00a2-\u00a5\u20a0\u20a4\u20ac\u060b\u0e3f\uffe0\uffe1\uffe5\uffe6]", "", _money),
    (
        _TELEPHONE,
        "",
        _bracketed,
    ),
    (r"-(?:RRB|LRB|RCB|LCB|RSB|LSB)-|C\.D\.s|pro-|anti-|S(?:&|&amp;)P-500|S(?:&|&amp;)Ls", "", _same),
    (rf"{_APOSTROPHE}\d\d", r"(?=[ \u00a0]|$)", _apostrophes),
    (rf"(?:{_ABBREVIATIONS})\.", "", _same),
    (r"[A-Za-z]\.", "", _same),
    (r"[A-Za-z]", r"\.[ \u00a0]+" + _STARTS, _same),
    (rf"{_LETTER}+\.", r"[,;:\u3001]", _unhyphenated),
    (rf"{_ACRONYM}\.?", "", _same),
    (rf"{_NUMBERED}\.", r"[ \u00a0]*\d", _same),
    (r"[A-Za-z0-9]+(?:[-._/][A-Za-z0-9]+)*\." + _EXTENSION + r"(?![A-Za-z0-9])", "", _same),
    (rf"{_LETTER}{_ALNUM}*(?:[.!?]{_LETTER}{_ALNUM}*)+", "", _unhyphenated),
    (rf"{_ALNUM}+(?:[-\u2010\u2011/_]{_ALNUM}+)*", "", _unhyphenated),
    (rf"[dDoOlL]{_ANY_APOSTROPHE}[A-Za-z0-9]+", "", _same),
    (r"[A-Za-z0-9][A-Za-z0-9.,\u00ad]*(?:-(?:[A-Za-z0-9\u00ad]+|" + _ACRONYM + r"\.))+", "", _unhyphenated),
    (r"[A-Z]+(?:(?:&|&amp;)[A-Z]+)+", "", lambda token: token.replace("&amp;", "&")),
    (_SMILEYS, "", _bracketed),
    (r"[A-Za-z]\+\+|[cC]\#", "", _same),
    (r"\.{3,5}|(?:\.[ \u00a0]){2,4}\.|[\u0085\u2026]", "", _dropped),
    (r"-+", "", lambda token: token if len(token) == 1 else "--"),
    (r"@+|_+|\*+|\#+|\?[?!]+|![?!]+", "", _same),
    (r"''|[`\u2018\u2019\u201b-\u201d\u2039\u203a\u00ab\u00bb\u0091-\u0094]{1,2}|'|\"|&apos;", "", _dropped),
    (r"[()\[\]{}]", "", _bracketed),
    (
        r"[\p{S}--[\p{Cn}\U00010000-\U0010ffff]]|[!-/:-@\[-`{-~]|[\u00a1-\u00bf\u2016-\u2024\u2026\u2027\u2030-\u205e]|[\u3001\u3002\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]|[\u2460-\u24ff\u2776-\u2793]",
        "",
        _same,
    ),
)


_COMPILED: Final = tuple(
    (regex.compile(rf"({pattern}){context}", regex.V1 | regex.POSIX), write)
    for pattern, context, write in _RULES
)
_SPECIAL: Final = frozenset(("cannot", "gonna", "wanna", "gotta", "lemme", "gimme"))
_KEEPS_STOP: Final = regex.compile(rf"(?:{_ABBREVIATIONS}|[A-Za-z]|{_NUMBERED})\.", regex.V1)


def is_special(word: str, chunk: str) -> bool:
    """Whether a word of plain letters, or it with the mark behind it in ``chunk``, is another token."""
    return word.lower() in _SPECIAL or (chunk[-1] == "." and _KEEPS_STOP.fullmatch(chunk) is not None)


def longest(text: str, place: int) -> tuple[str, int]:
    """The token at a place, and where it ends; an empty one for a character that no token has."""
    best, token, end = 0, "", place + 1
    for rule, write in _COMPILED:
        found = rule.match(text, place)
        if found is not None and found.end() - place > best:
            best, token, end = found.end() - place, write(found[1]), found.end(1)
    return token, end
