"""Suggest a command for an unknown one."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cutline.formatting import nearest

# Words of other programs, and of what people want to do.
_MEANT = {
    "batch status": "status",
    "batch submit": "submit",
    "batch collect": "collect",
    "caption": (
        "annotate captioner captioning create describe generate img2txt infer inference interrogate label "
        "predict process start tag tagger"
    ),
    "caption … --estimate": "cost estimate price prices tokens",
    "caption … --preview 3": "dry-run dryrun preview sample try",
    "caption … --retry-failed": "retry",
    "cluster": "group kmeans map pca plot tsne umap visualize",
    "compare": "bench benchmark diff versus vs",
    "edit": "append modify prefix prepend remove rename replace sed substitute suffix trigger",
    "embed": "clip embedding embeddings encode features index sbert vectorize vectors",
    "eval": "bleu cider evaluate evaluation meteor metrics rouge score scores",
    "export": "archive convert dump kohya pack save to-csv to-json webdataset write zip",
    "filter": "blur clean dedup dedupe deduplicate duplicates nsfw quality select",
    "find": "grep inspect list ls query search",
    "history": "changes log versions",
    "judge": "arena battle elo prefer preference rank ranking vote votes",
    "lint": "spell spellcheck spelling typos validate verify",
    "models": "list-models model providers",
    "models check": "check ping probe",
    "proposals": "accept reject",
    "prompts": "prompt template templates",
    "ray": "distributed",
    "report": "html stats statistics summarize summary",
    "run": "continue resume",
    "serve": "api api-server daemon http rest server service",
    "studio": "app browse browser editor gui open review show ui view viewer web webui",
    "undo": "restore revert rollback",
    "words": "count frequencies frequency keywords vocabulary wordcloud",
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
    meant = (_WORDS.get(word.lower(), "") if top else "") or (near[0] if near else "")
    if meant:
        return f"there is no command {word!r}, did you mean `{program} {meant}`?"
    return f"there is no command {word!r}; the commands are {', '.join(commands)}"


def unknown_prompt(word: str) -> str:
    """The message for ``cutline prompts word``."""
    from cutline.prompts import library_prompts

    near = nearest(word, library_prompts())
    meant = "" if nearest(word, ["show"]) else f" {near[0]}" if near else None
    if meant is None:
        cure = "`cutline prompts` lists the library, `cutline prompts show NAME` shows one"
        return f"there is no command {word!r}; {cure}"
    return f"there is no command {word!r}, did you mean `cutline prompts show{meant}`?"
