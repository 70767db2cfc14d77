"""Cleans a model's reply, and detects refusals, loops and empty replies.

When in doubt a reply is left alone: a phrase is removed only where an assistant speaks of its own answer,
and at the ends of the reply only.
"""

from __future__ import annotations

import re

from cutline.errors import ReplyError
from cutline.formatting import excerpt, one_line
from cutline.prompts import reply_forms
from cutline.prompts.loops import drift, loop
from cutline.prompts.refusals import refuse_refusal

# Of ordinary captions none holds one of these: a search for each takes a tenth of one for the forms.
_REASONING_SIGNS = ("<", "[", "◁", "analysis", "commentary", "final", "&lt;", "```", "hinking", "Here ", "**")
_TURN_SIGNS = ("<", "[", "###", "USER", "ASSISTANT", "HUMAN", "User", "Human")
_MARKED = re.compile(r"\s*(?:[<\[【◁`~\\#|]|-{3}|={3}|(?i:assistant|model)\b|GPT4 |final<|\*\*)")
_BOXED = re.compile(
    r"\s*(?:[^\n\\]{0,60}?(?i:answer|caption|description)(?: is)?:?\s*)?"
    r"(?:\$*|\\[(\[])\s*\\boxed\s*\{(?P<text>.*)\}\s*(?:\$*|\\[)\]])\.?\s*\Z",
    re.DOTALL,
)
_BOLD = re.compile(r"\*\*(?P<text>[^*\n]{12,})\*\*\Z")
_TEX_TEXT = re.compile(r"\s*\\text\s*\{(?P<text>.*)\}\s*\Z", re.DOTALL)
_UNSEEN = dict.fromkeys(map(ord, "\x00\ufeff\u2060"))  # marks of byte order are not letters
_LAYERS = 4  # of marks, wrappers and openers, one within the other

_NOUN = (
    r"(?:captions?|descriptions?|alt(?:ernative)?[ -]text|tags|keywords"
    r"|transcription|transcript|summary|breakdown)"
)
_KIND = (
    r"(?:detailed|short|brief|concise|possible|suggested|descriptive|comprehensive|thorough|vivid|simple|factual"
    r"|one-sentence|single-sentence|two-sentence|revised|improved|image|photo|comma-separated|training"
    r"|full|list of|set of|few|some|and|,)"
)
_PLEASED = r"(?:Sure(?: thing)?|Certainly|Of course|Absolutely|Okay|OK|Great|No problem)[!,.]\s*"
_OFFER = r"I(?:['\u2019]d| would) be (?:happy|glad|delighted) to [^.!?:\n]{1,80}[.!:]\s*"
_HERE = (
    r"(?:Here(?:['\u2019]s| is| are)|Below (?:is|are)) (?:(?:an|a|the|your|my) )?"
    rf"(?:{_KIND} ?){{0,5}}{_NOUN}\b[^.:!?\n]{{0,60}}:"
    r"|Here(?:['\u2019]s| is) what (?:I (?:can )?see|(?:the|this|your) image shows)[^.:!?\n]{0,40}:"
)
_PICTURE = r"(?:image|picture|photo|photograph)\b"
_LABEL = (
    rf"[*_#]{{0,3}} ?(?:(?:Image|Short|Long|Detailed|Suggested) )?{_NOUN}[*_]{{0,3}}:[*_]{{0,3}}"
    rf"|#{{1,4}} (?:Image )?{_NOUN} ?\n"
    r"|[*_#]{0,4} ?(?:Final )?(?:Answer|Response|Caption)[*_]{0,3}(?::[*_]{0,3}|[*_]{2}\n|\n)"
    r"(?=\s*(?:(?-i:[A-Z\"“*])|[^\x00-\x7f]))"
)
_OPENER = re.compile(
    rf"\s*(?:(?:{_PLEASED})?(?:{_OFFER})?(?:{_HERE})|(?:{_PLEASED})?{_OFFER}|{_LABEL}"
    rf"|{_PLEASED}(?=(?:In )?(?:The|This) {_PICTURE}))\s*",
    re.IGNORECASE,
)

_QUOTES = {'"': '"', "“": "”", "'": "'", "«": "»", "`": "`"}


def clean_reply(text: str, *, verbatim: bool = False) -> str:
    """The caption in a free-text reply: without reasoning, marks of turns, wrappers and openers.

    ``verbatim`` keeps openers and refusals as text, for replies that transcribe what a picture says.

    Raises:
        ReplyError: ``empty``, ``loop``, ``role-markers`` (the model went on to play the next turn),
            or ``refused``.
    """
    caption = _unwrapped(without_reasoning(text), words=not verbatim)
    if verbatim:
        return check_caption(caption, verbatim=True)
    caption = _without_openers(caption)
    refuse_refusal(caption)
    if any(map(caption.__contains__, _TURN_SIGNS)) and (marker := reply_forms.next_turn().search(caption)):
        shown = one_line(marker[0].strip(), 40)
        raise ReplyError(
            "role-markers", f"the reply contains {shown!r}: model or chat template lost its turn"
        )
    return check_caption(caption)


def check_caption(text: str, *, verbatim: bool = False) -> str:
    """``text`` without outer blanks; ReplyError ``empty`` or ``loop``.

    ``verbatim``: phrases that only resemble each other, as in a table, are no loop.
    """
    caption = text.translate(_UNSEEN).strip()
    if not caption:
        raise ReplyError("empty", "the reply holds no text")
    if not caption.isascii():
        caption = caption.encode(errors="replace").decode()  # lone surrogates could not be written
    if unit := loop(caption):
        raise ReplyError("loop", f"the reply ends repeating itself: {excerpt(unit)}")
    if not verbatim and (unit := drift(caption)):
        raise ReplyError("loop", f"the reply ends repeating itself with small changes: {excerpt(unit)}")
    return caption


def first_sentences(text: str) -> str:
    """``text`` up to the end of its last whole sentence; empty where it has none."""
    ends = list(reply_forms.sentence_end().finditer(text.rstrip()))
    return text[: ends[-1].end()].rstrip() if ends else ""


def without_reasoning(text: str) -> str:
    """``text`` behind its leading reasoning; ReplyError ``empty`` when there is nothing else."""
    if not any(map(text.__contains__, _REASONING_SIGNS)):
        return text
    start = 0
    while True:
        match = _opened(text, start)
        if match is None:
            break
        place = int(str(match.lastgroup)[1:])
        end = reply_forms.reasoning_close(place).search(text, match.end())
        if end is None and reply_forms.is_paired(place):
            break
        if end is None:
            if (answer := _answer(text[match.end() :])) is not None:
                return answer
            raise ReplyError("empty", "the reply is reasoning without an answer; raise --max-tokens")
        start = end.end()
    first = start
    for end in reply_forms.reasoning_alone().finditer(text, start):
        if first == 0 or "/" in end[0]:  # nothing opened it, or more was opened and closed within it
            start = end.end()
    rest = text[start:]
    if start and not rest.strip():
        raise ReplyError("empty", "the reply is reasoning only, without an answer")
    return rest


def _opened(text: str, start: int) -> re.Match[str] | None:
    """The begin of reasoning at ``start`` or behind the marks of a turn there."""
    if match := reply_forms.reasoning_open().match(text, start):
        return match
    turn = reply_forms.turn_start(words=True).match(text, start)
    return reply_forms.reasoning_open().match(text, turn.end()) if turn is not None else None


def _unwrapped(text: str, *, words: bool) -> str:
    """The text within marks of turns and wrappers; ``words``: also within those that are words."""
    caption = _without_end(text, words=words)
    for _ in range(_LAYERS):
        if _MARKED.match(caption) is None and not _may_end_wrapped(caption):
            return caption
        before = caption
        start = reply_forms.turn_start(words=words).match(caption)
        caption = _without_end(caption[start.end() :] if start else caption, words=words)
        caption = reply_forms.box().sub("", caption) if "_of_box|>" in caption else caption
        answer = _answer(caption) if words else None
        caption = caption if answer is None else answer
        forms = (
            reply_forms.named_wrapper(),
            *reply_forms.bracketed(),
            _BOLD,
            *((_BOXED, _TEX_TEXT) if "\\" in caption else ()),
        )
        for form in (reply_forms.fence(), *(forms if words else ())):
            if match := form.match(caption):
                caption = match["text"]
        caption = caption.strip()
        if caption == before:
            break
    return caption


def _may_end_wrapped(text: str) -> bool:
    end = text[-1:]
    return end in ">]}`~#$:*-=" or (end == "." and "\\" in text)  # of forms with a full stop only TeX's box


def _answer(text: str) -> str | None:
    """What is between answer tags at the start or the end of ``text``, or between tags around all of it."""
    if "<" not in text:
        return None
    low = text.lower()
    names = reply_forms.table()["wrapper"]
    for name in (*names["answer"], *names["whole"]):
        start = low.rfind(f"<{name}>")
        if start < 0:
            continue
        inner = start + len(name) + 2
        end = low.find(f"</{name}>", inner)
        opens, closes = not low[:start].strip(), end < 0 or not low[end + len(name) + 3 :].strip()
        is_answer = name in names["answer"]
        if (opens and closes) or (is_answer and end > 0 and (opens or closes)):
            return text[inner : len(text) if end < 0 else end]
    return None


def _without_end(text: str, *, words: bool) -> str:
    caption = text.rstrip()
    end = len(caption)
    while end and caption[end - 1] in ">]#:":
        match = reply_forms.turn_end(words=words).search(caption, max(0, end - 40), end)
        closes = match is not None and match[0][:2] == "</" and len(match[0]) > len("</s>")
        if match is None or (closes and f"<{match[0][2:]}" in caption.lower()):
            break
        end = match.start()
        while end and caption[end - 1].isspace():
            end -= 1
    return caption[:end]


def _without_openers(text: str) -> str:
    caption = text
    for _ in range(2):  # "Sure! Here is the caption:" and then "Caption:"
        opener = _OPENER.match(caption)
        if opener is None or opener.end() == len(caption):
            break
        caption = _unquoted(_unwrapped(caption[opener.end() :].strip(), words=True))
    return caption


def _unquoted(text: str) -> str:
    """What an assistant put between quotes behind its opener, if the quotes hold all of it."""
    close = _QUOTES.get(text[:1])
    inner = text[1:-1]
    if close and len(text) > 2 and text.endswith(close) and text[0] not in inner and close not in inner:
        return inner
    return text
