"""The paths in a job: relative to its file there, to the working folder in the program."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cutline.named_files import folder_of
from cutline.prompts import is_prompt_file, parse_prompt_option
from cutline.records import JSON
from cutline.storage import is_url

_DEFAULT_OUTPUTS = {"scienceqa": "captions.json", "webdataset": "captions"}  # others end in their name
IN_PLACE = {"sidecar", "txt", "imagefolder"}  # formats that write into the input's folder
_MODEL = re.compile(r"(?P<head>(?:[\w-]+=)?[\w-]+:(?:labels=)?)(?P<path>.+)", re.DOTALL)


def default_output(form: str | None) -> str:
    """The file, or the folder of shards, that a job of this format writes where none is named."""
    return _DEFAULT_OUTPUTS.get(form or "", f"captions.{form or 'jsonl'}")


def from_file(data: JSON, file: Path) -> JSON:
    """The values of a job file with paths relative to the working folder; nothing is checked."""
    folder = folder_of(file)
    if folder == Path():
        return data
    output = data.get("output")
    form = output.get("output_format") if isinstance(output, Mapping) else None
    if "output_path" not in data and form not in IN_PLACE and isinstance(form, str | None):
        data = {**data, "output_path": default_output(form)}
    return _changed(data, _Change(lambda path: str(folder / path), folder))


def for_file(data: JSON, folder: Path) -> JSON:
    """The values of a job for a file in ``folder``: relative where they lie in it, else absolute."""
    base = Path(os.path.normpath(folder.absolute()))

    def place(path: str) -> str:
        found = Path(os.path.normpath(Path(path).absolute()))
        return str(found.relative_to(base) if found.is_relative_to(base) else found)

    return _changed(data, _Change(place, Path()))


@dataclasses.dataclass(frozen=True, slots=True)
class _Change:
    """``place`` changes a path; those of models are told from names by lying in ``folder``."""

    place: Callable[[str], str]
    folder: Path

    def path(self, text: str) -> str:
        if not text or is_url(text) or text.startswith("~"):
            return text
        return self.place(text) + "/" * (text.endswith("/") and text != "/")

    def prompt(self, text: str) -> str:
        name, spec = parse_prompt_option(text)
        if not is_prompt_file(spec):
            return text
        file = self.path(spec.strip())
        if name is not None:
            return f"{name}={file}"
        return file if parse_prompt_option(file)[0] is None else f"./{file}"

    def schema(self, text: str) -> str:
        return text if text.lstrip().startswith("{") else self.path(text)

    def model(self, text: str) -> str:
        found = _MODEL.fullmatch(text)
        if found is None or "\0" in text or not (self.folder / found["path"]).is_dir():
            return text
        return found["head"] + self.path(found["path"])

    def check(self, text: str) -> str:
        found = _BANNED.fullmatch(text)
        return text if found is None else found["head"] + self.path(found["path"]) + found["rest"]


_BANNED = re.compile(r"(?P<head>banned(?:=|:(?:.*,)?file=))(?P<path>[^:,]+)(?P<rest>.*)", re.DOTALL)


def _changed(data: JSON, change: _Change) -> JSON:
    kinds: dict[str, dict[str, Callable[[str], str]]] = {
        "input": {"image_root": change.path},
        "model": {"chain": change.path, "plugin": change.path, "model": change.model, "step": change.model},
        "prompts": {"prompt": change.prompt, "schema": change.schema},
        "checks": {"check": change.check, "retry_prompt": change.prompt},
        "run": {"state": change.path, "prices": change.path},
    }
    result = _each(data, {"input_path": change.path, "output_path": change.path})
    return result | {
        group: _each(values, kinds[group])
        for group, values in data.items()
        if group in kinds and isinstance(values, Mapping)
    }


def _each(values: Mapping[str, Any], changes: Mapping[str, Callable[[str], str]]) -> JSON:
    """The values with those changed that are texts, or lists of them."""

    def changed(name: str, value: Any) -> Any:
        if isinstance(value, list):
            return [changed(name, one) for one in value]
        return changes[name](value) if name in changes and isinstance(value, str) else value

    return {name: changed(name, value) for name, value in values.items()}
