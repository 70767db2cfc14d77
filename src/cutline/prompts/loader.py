"""Loads a prompt from a text, a name in the library, or a file."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError
from cutline.formatting import nearest
from cutline.named_files import folder_of
from cutline.prompts.files import TEXT, library_entry, library_names
from cutline.prompts.prompt import Prompt
from cutline.records import JSON
from cutline.setting_files import read_object, read_text

_NAMED = re.compile(r"(?P<name>[A-Za-z][\w-]{0,39})=(?P<spec>.*)", re.DOTALL)
_FILE = re.compile(r"[^\n]+\.(?:json|toml|txt|ya?ml)", re.IGNORECASE)


def load_prompt(spec: str, *, name: str | None = None) -> Prompt:
    """The prompt that ``spec`` means.

    In this order: ``text:…`` is the text behind it (which may be empty, as some local models want); a
    name in the library is that prompt; one line ending in ``.json``, ``.toml`` or ``.txt`` is a file;
    anything else is the text itself. ``name`` replaces the prompt's own: its name in the library, the
    file's stem, or ``default``.

    Raises:
        ConfigError: the file or its example picture is missing or wrong, ``spec`` is empty, or it
            is one word that nearly is a name in the library.
    """
    if spec.startswith(TEXT):
        return Prompt(name=name or "default", prefix=spec.removeprefix(TEXT).strip())
    text = spec.strip()
    if not text:
        raise ConfigError(f"the prompt is empty: write {TEXT!r} to send none on purpose")
    if text in library_names():
        return _from_data(library_entry(text), name=name or text, folder=Path(), origin=f"prompt {text}")
    if is_prompt_file(spec):
        return _from_file(Path(text).expanduser(), name)
    _refuse_misspelt(text)
    return Prompt(name=name or "default", prefix=text)


def is_prompt_file(spec: str) -> bool:
    """Whether ``load_prompt`` reads a file for it, and neither the library nor the text itself."""
    text = spec.strip()
    return not spec.startswith(TEXT) and text not in library_names() and _FILE.fullmatch(text) is not None


def load_prompts(values: Sequence[str]) -> tuple[Prompt, ...]:
    """The prompts of several options, each ``spec`` or ``name=spec``, under names that differ.

    Raises:
        ConfigError: as ``load_prompt``, or two prompts share a name.
    """
    prompts: dict[str, Prompt] = {}
    for value in values:
        name, spec = parse_prompt_option(value)
        prompt = load_prompt(spec, name=name)
        if prompt.name in prompts:
            raise ConfigError(f"two prompts are named {prompt.name!r}: write name=… before each")
        prompts[prompt.name] = prompt
    return tuple(prompts.values())


def parse_prompt_option(value: str) -> tuple[str | None, str]:
    """``short=Describe briefly`` as ``("short", "Describe briefly")``; no name for anything else.

    A name is a letter and up to 39 letters, digits, ``_`` or ``-``, with ``=`` right behind it. A text
    that starts like that is written ``text:…``, a file's path ``./…``.
    """
    match = _NAMED.fullmatch(value)
    return (match["name"], match["spec"]) if match else (None, value)


_USUAL: Final = {
    **dict.fromkeys(("long", "verbose", "dense", "full", "rich"), "detailed"),
    **dict.fromkeys(("brief", "concise", "simple", "one-line"), "short"),
    **dict.fromkeys(("default", "description"), "describe"),
    **dict.fromkeys(("alt", "accessibility"), "alt-text"),
    **dict.fromkeys(("booru", "danbooru", "keywords"), "tags"),
    **dict.fromkeys(("json", "structured"), "fields"),
}
"""What people call prompts of the library, or others like them."""


def _refuse_misspelt(text: str) -> None:
    if not re.fullmatch(r"[a-z]+(?:-[a-z]+)*", text):
        return
    usual = _USUAL.get(text)
    near = [usual] if usual else nearest(text, library_names(), cutoff=0.75)
    if near:
        raise ConfigError(
            f"there is no prompt {text!r} in the library: did you mean {near[0]!r}?"
            f" For the word itself write {TEXT}{text}"
        )


def _from_file(path: Path, name: str | None) -> Prompt:
    name = name or path.stem
    if path.suffix.lower() in {".yaml", ".yml"}:
        raise ConfigError(f"{path}: prompt files are JSON, TOML or plain text (.json, .toml, .txt)")
    otherwise = f"for the text itself write {TEXT}{path}"
    if path.suffix.lower() == ".txt":
        return Prompt(name=name, prefix=read_text(path, "prompt file", otherwise=otherwise).strip())
    data = read_object(path, "prompt file", otherwise=otherwise)
    return _from_data(data, name=name, folder=folder_of(path), origin=str(path))


def _from_data(data: JSON, *, name: str, folder: Path, origin: str) -> Prompt:
    from cutline.prompts.template import read_template

    try:
        prompt = read_template(data, folder)
        return dataclasses.replace(prompt, name=name, id="")
    except ConfigError as error:
        raise ConfigError(f"{origin}: {error}") from error
