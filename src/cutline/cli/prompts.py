"""``cutline prompts``: the prompt library."""

from __future__ import annotations

from pathlib import Path

import cyclopts
from rich.text import Text

from cutline.cli.tables import new_table
from cutline.errors import ConfigError
from cutline.prompts import library_prompts, load_prompt
from cutline.terminal import Console

app = cyclopts.App(name="prompts", help="List the prompt library, or show a prompt.", version_flags=())


@app.default
def list_prompts() -> int:
    """List the prompts of the library."""
    table = new_table("prompt", "what it requests")
    for name, about in library_prompts().items():
        table.add_row(Text(name), Text(about))
    Console(highlight=False).print(table)  # prose, which folds where it is piped too
    return 0


@app.command
def show(prompt: str, /) -> int:
    """Show a prompt as it is sent.

    Parameters
    ----------
    prompt
        A library name, a template file or a text.
    """
    loaded = load_prompt(prompt)
    if prompt.isidentifier() and prompt not in library_prompts() and not Path(prompt).is_file():
        raise ConfigError(f"no prompt or file is named {prompt!r}; `cutline prompts` lists the library")
    console = Console(highlight=False, soft_wrap=True)
    console.print(Text(loaded.id, style="bold"))
    if loaded.system:
        console.print(Text(f"[system] {loaded.system}"))
    for part in loaded.parts():
        names = {"target": "[the picture]", "example": "[the example's picture]"}
        console.print(Text(names.get(part.kind, part.text)))
    return 0
