"""Prompt files: their keys, and the prompt they define."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cutline.errors import ConfigError, PictureError
from cutline.formatting import nearest
from cutline.imaging import Limits, Picture
from cutline.locations.stored import LocalFile
from cutline.prompts.files import load_schema
from cutline.prompts.prompt import Example, Prompt, digest_of
from cutline.records import JSON

EXAMPLE_LIMITS = Limits(max_side=1024)
"""An example goes along with every request: it is fitted once, to what every endpoint takes."""


class CotPrompt(BaseModel):
    """A worked example: a picture and the reasoning that leads to its caption."""

    model_config = ConfigDict(extra="forbid", strict=True)

    image_path: str | None = None
    explanation: str = ""


class PromptTemplate(BaseModel):
    """A prompt file. ``description`` is for readers; ``schema`` is a schema or the path of one."""

    model_config = ConfigDict(extra="forbid", strict=True)

    description: str = ""
    system_prompt: str | None = None
    prompt_prefix: str | None = None
    prompt_suffix: str | None = None
    cot_prompt: CotPrompt | None = None
    regex: str | None = None
    json_schema: JSON | str | None = Field(default=None, alias="schema")
    verbatim: bool = False


def read_template(data: JSON, folder: Path) -> Prompt:
    """The prompt in a parsed file that is in ``folder``; reads the example's picture. ConfigError."""
    try:
        template = PromptTemplate.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_explained(error)) from error
    system, prefix, suffix = (
        text or "" for text in (template.system_prompt, template.prompt_prefix, template.prompt_suffix)
    )
    if not (system or prefix or suffix):
        raise ConfigError("it has no text: give it a prompt_prefix")
    example = None
    if template.cot_prompt is not None and template.cot_prompt.image_path:
        example = _example(template.cot_prompt.image_path, template.cot_prompt.explanation, folder)
    elif template.cot_prompt is not None:
        prefix = f"{prefix}\n\n{template.cot_prompt.explanation}".strip()
    return Prompt(
        system=system,
        prefix=prefix,
        suffix=suffix,
        example=example,
        regex=template.regex,
        schema=_schema(template.json_schema, folder),
        verbatim=template.verbatim,
    )


def _schema(value: JSON | str | None, folder: Path) -> JSON | None:
    return load_schema(folder / value) if isinstance(value, str) else value


def _example(path: str, explanation: str, folder: Path) -> Example:
    places = list(dict.fromkeys((folder / path, Path(path))))
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        tried = " nor ".join(str(place) for place in places)
        raise ConfigError(f"cot_prompt.image_path: there is no picture {tried}")
    picture = Picture(LocalFile(str(found)))
    try:
        encoded = picture.fit(EXAMPLE_LIMITS)
    except PictureError as error:
        raise ConfigError(f"cot_prompt.image_path: {error}") from error
    # The id follows the user's file, not the encoder's version.
    return Example(
        image=encoded.data, mime=encoded.mime, explanation=explanation, digest=digest_of(picture.data)
    )


def _explained(error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{path}: {first['msg']}"
    model = CotPrompt if len(first["loc"]) > 1 else PromptTemplate
    known = sorted(field.alias or name for name, field in model.model_fields.items())
    near = nearest(str(first["loc"][-1]), known)
    meant = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown key {path!r}{meant}; the known ones are {', '.join(known)}"
