"""Names that classes written for an image enrichment job import; see docs/coming-from/enrichment-job.md.

A plug-in's ``from models import register_model`` works although there is no module of that name. Only the
plug-in's own import statements find these names, and a module of the user's with the same name comes first.
"""

from __future__ import annotations

import builtins
import dataclasses
import functools
import importlib.util
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cutline.prompts import Example, Prompt, load_prompt

_Infer = Callable[..., Any]
_NAMES = ("prompt", "image", "image_name")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CoTPrompt:
    """A worked example: the encoded picture and its explanation."""

    image: bytes
    explanation: str

    @classmethod
    def from_example(cls, example: Example | None) -> CoTPrompt | None:
        return cls(image=example.image, explanation=example.explanation) if example else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PromptTemplate:
    """A prompt under the names of the enrichment job's template; ``prompt`` is cutline's."""

    system_prompt: str
    prompt_prefix: str
    prompt_suffix: str
    regex: str | None
    cot_prompt: CoTPrompt | None
    prompt: Prompt

    @classmethod
    def from_prompt(cls, prompt: Prompt) -> PromptTemplate:
        return cls(
            system_prompt=prompt.system,
            prompt_prefix=prompt.prefix,
            prompt_suffix=prompt.suffix,
            regex=prompt.regex,
            cot_prompt=CoTPrompt.from_example(prompt.example),
            prompt=prompt,
        )

    @classmethod
    def from_json(cls, path: str | Path) -> PromptTemplate:
        """The template in a JSON file; raises ConfigError for one that is invalid."""
        return cls.from_prompt(load_prompt(str(path)))


class EnrichImageResult:
    """A caption, its picture and the model's full response; other fields are kept as attributes."""

    def __init__(
        self, image_path: str = "", caption: str | None = None, llm: object = None, **fields: object
    ) -> None:
        self.image_path, self.caption, self.llm = image_path, caption, llm
        vars(self).update(fields)


class EnrichImageModel:
    """Base class of models; ``infer`` of its subclasses is called with a PromptTemplate."""

    def __init__(self, **kwargs: object) -> None:
        self.kwargs = kwargs

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        infer = vars(cls).get("infer")
        if isinstance(infer, types.FunctionType) and not inspect.iscoroutinefunction(infer):
            cls.infer = _with_template(infer)  # type: ignore[attr-defined]


def _with_template(infer: _Infer) -> _Infer:
    """``infer`` called with a PromptTemplate: by name, or in order where its parameters have other names."""
    signature = inspect.signature(infer)
    by_name = _takes(signature, None, **dict.fromkeys(_NAMES))

    @functools.wraps(infer)
    def wrapped(self: object, *arguments: Any, **named: Any) -> Any:
        values = dict(zip(_NAMES, arguments, strict=False)) | named
        # A call of super().infer(prompt, …) has it already.
        if isinstance(values["prompt"], Prompt):
            values["prompt"] = PromptTemplate.from_prompt(values["prompt"])
        return infer(self, **values) if by_name else infer(self, *map(values.__getitem__, _NAMES))

    if not by_name and _takes(signature, None, *_NAMES):
        wrapped.__signature__ = inspect.signature(_as_printed)  # type: ignore[attr-defined]
    return wrapped


def _as_printed(self: object, prompt: PromptTemplate, image: object, image_name: str) -> None:
    """The parameters that the job's documentation prints."""


def _takes(signature: inspect.Signature, *arguments: object, **named: object) -> bool:
    try:
        signature.bind(*arguments, **named)
    except TypeError:
        return False
    return True


_CLASSES = (EnrichImageModel, EnrichImageResult, PromptTemplate, CoTPrompt)
_MODULES = ("enrich_image_model", "prompt_template")


def plugin_builtins(register_model: Callable[[str], Any]) -> dict[str, Any]:
    """Built-ins for a plug-in's module, with an ``import`` that finds the names above."""
    names_of_all = {each.__name__: each for each in _CLASSES} | {"register_model": register_model}
    modules = {place: names_of_all for name in _MODULES for place in (name, f"models.{name}")}
    modules["models"] = names_of_all

    def find(
        name: str,
        global_names: Mapping[str, object] | None = None,
        local_names: Mapping[str, object] | None = None,
        names: Sequence[str] | None = (),
        level: int = 0,
    ) -> types.ModuleType:
        is_named = name in modules and ("." not in name or names)
        if not level and is_named and not _exists(name.partition(".")[0]):
            return _module(name, modules[name])
        if not level and name == "typing" and "EnrichImageResult" in (names or ()):
            # Where the job's documentation imports it from.
            return _module(name, vars(typing) | {"EnrichImageResult": EnrichImageResult})
        return builtins.__import__(name, global_names, local_names, names or (), level)

    return vars(builtins) | {"__import__": find}


def _exists(name: str) -> bool:
    """Whether a file of that name can be imported; a folder without Python code is not meant."""
    spec = importlib.util.find_spec(name)
    return spec is not None and spec.origin is not None


def _module(name: str, values: Mapping[str, Any]) -> types.ModuleType:
    module = types.ModuleType(name)
    vars(module).update(values)
    return module
