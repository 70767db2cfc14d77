"""Cleans a model's reply, and detects refusals, loops and empty replies.

When in doubt a reply is left alone: a phrase is removed only where an assistant speaks of its own answer,
and at the ends of the reply only.
"""

from __future__ import annotations

import re

from cutline.errors import ReplyError
from cutline.formatting import one_line

_REASONING = re.compile(
    r"\s*(?:<(?P<tag>think|thinking|reasoning)>.*?</(?P=tag)>|◁think▷.*?◁/think▷)", re.DOTALL | re.IGNORECASE
)
_OPEN_REASONING = re.compile(r"\s*(?:<(?:think|thinking|reasoning)>|◁think▷)", re.IGNORECASE)
# Chat templates that open the block themselves leave only its end in the reply.
_REASONING_END = re.compile(r"</(?:think|thinking|reasoning)>|◁/think▷", re.IGNORECASE)

_ENDS_OF_TURN = (
    "<|im_end|>",
    "<|end|>",
    "<|eot_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end_of_turn|>",
    "<end_of_turn>",
    "<eos>",
    "</s>",
)
_START_OF_TURN = re.compile(
    r"\s*(?:<\|im_start\|>\s*assistant\b:?|<\|start_header_id\|>\s*assistant\s*<\|end_header_id\|>"
    r"|<start_of_turn>\s*model\b|<\|assistant\|>|(?:ASSISTANT|Assistant|assistant)\s*:(?=\s*\S))\s*"
)
_MARKER = re.compile(
    r"<\|(?:im_start|im_end|start_header_id|end_header_id|eot_id|endoftext|assistant|user|system)\|>"
    r"|<(?:start|end)_of_turn>|\[/?INST\]|\n[ \t]{0,8}(?:USER|ASSISTANT) ?:"
    r"|### (?:Human|Assistant|Instruction|Response):"
)

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
)
_OPENER = re.compile(
    rf"\s*(?:(?:{_PLEASED})?(?:{_OFFER})?(?:{_HERE})|(?:{_PLEASED})?{_OFFER}|{_LABEL}"
    rf"|{_PLEASED}(?=(?:In )?(?:The|This) {_PICTURE}))\s*",
    re.IGNORECASE,
)

_REFUSAL = re.compile(
    r"\s*(?:(?:I['\u2019]?m (?:very |so )?sorry|I am sorry|Sorry|I apologi[sz]e|Unfortunately)"
    r"[,.]?(?: but)?\s*)?"
    r"I(?:(?: can['\u2019]?t| cannot| can not|(?: am|['\u2019]m) (?:unable|not able) to) "
    r"(?:help|assist|describe|provide|identify|fulfill?|comply|process|view|see|caption|generate|do)\b"
    r"| (?:don['\u2019]t|do not) see (?:an|any|the) (?:image|picture|photo))",
    re.IGNORECASE,
)
_REFUSAL_LENGTH = 240  # a longer text may decline one thing and describe the rest

_QUOTES = {'"': '"', "“": "”", "'": "'", "«": "»", "`": "`"}


def clean_reply(text: str, *, verbatim: bool = False) -> str:
    """The caption in a free-text reply: without reasoning, end-of-turn marks and an assistant's opener.

    ``verbatim`` keeps openers and refusals as text, for replies that transcribe what a picture says.

    Raises:
        ReplyError: ``empty``, ``loop``, ``role-markers`` (the model went on to play the next turn),
            or ``refused``.
    """
    caption = _without_end(without_reasoning(text))
    if verbatim:
        return check_caption(caption)
    caption = _without_openers(caption)
    if len(caption) <= _REFUSAL_LENGTH and _REFUSAL.match(caption) and "however" not in caption.lower():
        raise ReplyError("refused", f"the model declined: {_excerpt(caption)}")
    if marker := _MARKER.search(caption):
        shown = marker[0].strip()
        raise ReplyError(
            "role-markers", f"the reply contains {shown!r}: model or chat template lost its turn"
        )
    return check_caption(caption)


def check_caption(text: str) -> str:
    """``text`` without outer blanks; ReplyError ``empty`` or ``loop``."""
    caption = text.replace("\x00", "").strip()
    if not caption:
        raise ReplyError("empty", "the reply holds no text")
    if not caption.isascii():
        caption = caption.encode(errors="replace").decode()  # lone surrogates could not be written
    unit = _loop(caption)
    if unit:
        raise ReplyError("loop", f"the reply ends repeating itself: {_excerpt(unit)}")
    return caption


def without_reasoning(text: str) -> str:
    """``text`` behind its leading reasoning; ReplyError ``empty`` when there is nothing else."""
    spoken = text.lower()
    if "think" not in spoken and "reasoning" not in spoken:
        return text
    start = 0
    while match := _REASONING.match(text, start):
        start = match.end()
    if _OPEN_REASONING.match(text, start):
        raise ReplyError("empty", "the reply is reasoning that never came to an answer; allow it more tokens")
    if start == 0 and (end := _REASONING_END.search(text)):
        start = end.end()
    rest = text[start:]
    if start and not rest.strip():
        raise ReplyError("empty", "the reply is reasoning only, without an answer")
    return rest


def _without_end(text: str) -> str:
    caption = text.rstrip()
    end = len(caption)
    while caption.endswith(_ENDS_OF_TURN, 0, end):
        end = caption.rindex("<", 0, end)
        while end and caption[end - 1].isspace():
            end -= 1
    return caption[:end]


def _without_openers(text: str) -> str:
    start = _START_OF_TURN.match(text)
    caption = text[start.end() :] if start else text
    for _ in range(2):  # "Sure! Here is the caption:" and then "Caption:"
        opener = _OPENER.match(caption)
        if opener is None or opener.end() == len(caption):
            break
        caption = _unquoted(caption[opener.end() :].strip())
    return caption


def _unquoted(text: str) -> str:
    """What an assistant put between quotes behind its opener, if the quotes hold all of it."""
    close = _QUOTES.get(text[:1])
    inner = text[1:-1]
    if close and len(text) > 2 and text.endswith(close) and text[0] not in inner and close not in inner:
        return inner
    return text


def _loop(text: str) -> str:
    """The unit that ``text`` ends in: four times a phrase, or sixteen times anything shorter.

    Only where the tail occurs again is a period checked: an ordinary caption costs one search.
    """
    tail = text[-24:]
    found = len(text) - len(tail)
    for _ in range(64):
        found = text.rfind(tail, 0, found + len(tail) - 1)
        if found < 0:
            return ""
        period = len(text) - len(tail) - found
        unit = text[-period:]
        times = 4 if period >= 12 and len(unit.split()) >= 3 else max(16, -(-64 // period))
        length = times * period - 2  # the last unit lost the blank behind it
        if length <= len(text) and text[-length:-period] == text[period - length :]:
            return unit
    return ""


def _excerpt(text: str) -> str:
    line = one_line(text, 121)
    return line if len(line) <= 120 else line[:119] + "…"
