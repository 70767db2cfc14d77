"""The page ``docs/replies.md`` from the table of what models put around their answers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cutline.prompts.reply_forms import table

_ABOUT = """\
# What models reply

A reply is rarely the caption alone. What is around it is taken off, and a reply that is not a caption becomes
a [failure](failures.md) of its kind. When in doubt a text stays as it is. All of it is one table,
`src/cutline/prompts/reply_forms.toml`, from which this page is made; patterns are regular expressions.

Prompts with `verbatim` keep words, refusals and openers, as they may be on the picture. A regex or
a [schema](prompts.md) selects the caption itself: only reasoning is taken off before, and a refusal
is `refused`.
"""
_CUT = """\
## Replies that were cut

A reply that ends at the token limit is the failure `truncated`. `--truncated keep` makes captions of the
text that is there, `--truncated sentence` of its whole sentences. Replies that an earlier run paid for are
used too, without a new request: run the same command again with the option. Captions that are there
already stay as they are.
"""
_REASONING = """\
At the start of a reply. Reasoning without an end is `empty`: raise `--max-tokens`. Forms in words count only
where they end.
"""
_WRAPPERS = """\
The answer is what `<NAME>` and `</NAME>` hold, where they begin or end the reply: {answer}. Around all of
the reply also {whole} and other tags of such names, a code fence, `**` and `\\boxed{{…}}`.
The listed names in square brackets, and `[BEGIN NAME]` with `[END NAME]`, count alike.
Box marks are taken off: {box}.
"""


def page() -> str:
    """The page as Markdown."""
    forms = table()
    turn, finish = forms["turn"], forms["finish"]
    parts = [
        _ABOUT,
        "## Reasoning\n",
        _REASONING,
        _table(
            ("form", "begins with", "ends with"),
            ((form["name"], _code(form["open"]), _code(form["close"])) for form in forms["reasoning"]),
        ),
        "## Marks of turns\n",
        _list("At the start", (*turn["start"], *turn["start_words"])),
        _list("At the end", (*turn["end"], *turn["end_words"])),
        _list("The model continues with the next turn, which is `role-markers`", turn["next"]),
        "## Wrappers\n",
        _WRAPPERS.format(**{name: _codes(values) for name, values in forms["wrapper"].items()}),
        "## Finish reasons\n",
        "In any case and form: `MAX_TOKENS`, `maxTokens` and `FINISH_REASON_MAX_TOKENS` are one.\n",
        _list("`truncated`", finish["truncated"]),
        _list("`refused`", finish["refused"]),
        _list("The answer is not whole, and is requested again", finish["broken"]),
        "A reason that is not listed is of the first kind that has one of its words:\n",
        "\n".join(f"- `{kind}`: {', '.join(words)}" for kind, *words in finish["words"]) + "\n",
        "Any other, such as `stop`, `end_turn` or `eos`, is an end.\n",
        _CUT,
        "## Refusals\n",
        "A short reply that declines and does nothing else is `refused`, such as these:\n",
        _table(
            ("language", "examples"),
            ((form["language"], " · ".join(form["examples"])) for form in forms["refusal"]),
        ),
        "These are captions:\n",
        "\n".join(f"- {text}" for text in forms["captions"]["examples"]) + "\n",
    ]
    return "\n".join(parts)


def _list(title: str, patterns: Iterable[str]) -> str:
    return f"{title}: {_codes(patterns)}.\n"


def _codes(patterns: Iterable[str]) -> str:
    return ", ".join(map(_code, patterns))


def _code(pattern: str) -> str:
    return f"`{pattern}`"


def _table(head: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(
        "| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines
    )
