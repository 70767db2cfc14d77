"""What was meant by a word that is no command."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cutline.formatting import nearest

# Words of other programs, and of what people want to do.
_MEANT = {
    "caption": "annotate captioning describe generate img2txt interrogate label predict start tag tagger",
    "caption … --preview 3": "dry-run preview sample",
    "caption … --estimate": "cost estimate price prices",
    "caption … --retry-failed": "retry",
    "batch status": "status",
    "compare": "bench benchmark diff versus",
    "embed": "clip embedding embeddings encode features sbert vectorize vectors",
    "edit": "modify rename replace sed substitute",
    "eval": "bleu cider evaluate evaluation meteor metrics rouge score scores",
    "filter": "blur dedup deduplicate duplicates quality select",
    "find": "grep list ls query search",
    "history": "changes log",
    "judge": "arena battle elo prefer preference rank ranking vote votes",
    "models": "check model providers",
    "proposals": "accept reject",
    "prompts": "prompt templates",
    "run": "continue resume",
    "serve": "api daemon http rest server service",
    "studio": "app browse browser editor gui review show ui view viewer web webui",
    "undo": "restore revert rollback",
    "--help": "commands help man usage",
    "--version": "about version",
}
_WORDS = {word: command for command, words in _MEANT.items() for word in words.split()}


def unknown_command(word: str, commands: Sequence[str], program: str) -> str:
    """The message for ``program word``; ``commands`` are those of the program or of its command."""
    top = program == "cutline"
    if top and (os.path.exists(word) or "/" in word):  # noqa: PTH110 - a name may be too long for pathlib
        return f"{word!r} is not a command; for an input write `cutline caption {word}`"
    near = nearest(word.lower(), commands, cutoff=0.65)
    meant = near[0] if near else _WORDS.get(word.lower(), "") if top else ""
    if meant:
        return f"there is no command {word!r}, did you mean `{program} {meant}`?"
    return f"there is no command {word!r}; the commands are {', '.join(commands)}"
