"""Names to classes, imported only when needed; built-ins and plug-ins alike.

A plug-in package declares an entry point in a group such as ``cutline.captioners`` or ``cutline.checks``;
its name can then be used wherever a built-in's can. ``register`` does the same for this process alone.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from cutline.errors import ConfigError
from cutline.formatting import did_you_mean, one_line

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

BUILT_IN: dict[str, dict[str, str]] = {
    "captioners": {
        "pixels": "cutline.captioners.pixels:Pixels",
        "fake": "cutline.captioners.fake:Fake",
        "interrogator": "cutline.captioners.interrogator:Interrogator",
        "blip": "cutline.captioners.transformers.families:BLIP",
        "blip2-opt": "cutline.captioners.transformers.families:BLIP2_OPT",
        "blip2-flan-t5": "cutline.captioners.transformers.families:BLIP2_T5",
        "llava": "cutline.captioners.transformers.families:LLAVA",
        "llava-onevision": "cutline.captioners.transformers.families:LLAVA_ONEVISION",
        "qwen2-vl": "cutline.captioners.transformers.families:QWEN2_VL",
        "qwen2.5-vl": "cutline.captioners.transformers.families:QWEN25_VL",
        "qwen3-vl": "cutline.captioners.transformers.families:QWEN3_VL",
        "kosmos-2": "cutline.captioners.transformers.families:KOSMOS2",
        "gemma-3": "cutline.captioners.transformers.families:GEMMA3",
        "florence-2": "cutline.captioners.transformers.families:FLORENCE2",
        "smolvlm": "cutline.captioners.transformers.families:SMOLVLM",
        "paligemma": "cutline.captioners.transformers.families:PALIGEMMA",
        "git": "cutline.captioners.transformers.families:GIT",
        "hf": "cutline.captioners.transformers.families:ANY",
    },
    "sources": {
        "local": "cutline.sources.folder:FolderSource",
        "urls": "cutline.sources.urls:UrlSource",
        "webdataset": "cutline.sources.webdataset:WebdatasetSource",
        "table": "cutline.sources.table:TableSource",
        "zip": "cutline.sources.zips:ZipSource",
        "imagefolder": "cutline.sources.imagefolder:ImageFolderSource",
        "crisismmd": "cutline.sources.crisismmd:CrisisMmdSource",
        "scienceqa": "cutline.sources.scienceqa:ScienceQaSource",
    },
    "sinks": {
        "json": "cutline.sinks.json:JsonSink",
        "jsonl": "cutline.sinks.jsonl:JsonlSink",
        "csv": "cutline.sinks.csv:CsvSink",
        "tsv": "cutline.sinks.csv:TsvSink",
        "parquet": "cutline.sinks.parquet:ParquetSink",
        "webdataset": "cutline.sinks.webdataset:WebdatasetSink",
        "sidecar": "cutline.sinks.sidecar:SidecarSink",
        "scienceqa": "cutline.sinks.scienceqa:ScienceQaSink",
        "imagefolder": "cutline.sinks.imagefolder:ImageFolderSink",
    },
    "filters": {
        "size": "cutline.filters.size:Size",
    },
    "measures": {
        "side": "cutline.measures.size:Side",
        "width": "cutline.measures.size:Width",
        "height": "cutline.measures.size:Height",
        "pixels": "cutline.measures.size:Pixels",
        "aspect": "cutline.measures.size:Aspect",
        "sharpness": "cutline.measures.sharpness:Sharpness",
        "motion": "cutline.measures.motion:Motion",
        "dark": "cutline.measures.light:Dark",
        "washed": "cutline.measures.light:Washed",
        "clipped": "cutline.measures.light:Clipped",
        "contrast": "cutline.measures.light:Contrast",
        "entropy": "cutline.measures.light:Entropy",
        "chroma": "cutline.measures.colour:Chroma",
        "text": "cutline.measures.text:Text",
        "nsfw": "cutline.measures.nsfw:Nsfw",
        "aesthetic": "cutline.measures.aesthetic:Aesthetic",
        "class": "cutline.measures.classes:ClassProbability",
    },
    "checks": {
        "similarity": "cutline.checks.similarity:Similarity",
        "words": "cutline.checks.words:Words",
        "repetition": "cutline.checks.repetition:Repetition",
        "opener": "cutline.checks.opener:Opener",
        "echo": "cutline.checks.echo:Echo",
        "language": "cutline.checks.language:Language",
        "banned": "cutline.checks.banned:Banned",
        "same": "cutline.checks.same:Same",
    },
    "metrics": {
        "similarity": "cutline.metrics.similarity:CaptionSimilarity",
        "bleu": "cutline.metrics.bleu:Bleu",
        "rouge-l": "cutline.metrics.rouge:RougeL",
        "meteor": "cutline.metrics.meteor:Meteor",
        "cider-d": "cutline.metrics.cider:CiderD",
        "length": "cutline.metrics.diversity:Length",
        "clipscore": "cutline.metrics.clip_score:ClipScore",
        "chair": "cutline.metrics.chair:Chair",
        "distinct": "cutline.metrics.diversity:Distinct",
        "repetition": "cutline.metrics.diversity:Repetition",
    },
    "engines": {
        "ray": "cutline.ray.engine:RayEngine",
    },
    "encoders": {
        "clip": "cutline.encoders.clip:Clip",
    },
}


_registered: dict[str, dict[str, Any]] = {room: {} for room in BUILT_IN}
_STAGE_OPTIONS = {"filters": "--filter {name}", "checks": "--check {name}", "measures": "--keep '{name}>=N'"}


def register(room: str, name: str, made: Any) -> None:
    """Make ``load`` return ``made`` for a name in this process; defining the same thing again replaces it.

    Raises:
        ConfigError: the name is taken by something else.
    """
    if name in BUILT_IN[room]:
        raise ConfigError(f"{name!r} is the name of one of cutline's own {room}: choose another")
    earlier = _registered[room].get(name)
    if earlier is not None and _home(earlier) != _home(made):
        raise ConfigError(f"{name!r} is registered twice, by {_home(earlier)} and by {_home(made)}")
    _registered[room][name] = made


@contextlib.contextmanager
def scope() -> Iterator[None]:
    """Forget, at the end, the names that are registered within."""
    before = {room: dict(names) for room, names in _registered.items()}
    try:
        yield
    finally:
        _registered.update(before)


def _home(made: Any) -> str:
    """Module and qualified name of a definition."""
    return f"{getattr(made, '__module__', '?')}.{getattr(made, '__qualname__', '?')}"


def has(room: str, name: str) -> bool:
    """Whether ``load`` knows a name; plug-ins are looked for only where it is not a built-in's."""
    return name in BUILT_IN[room] or name in names(room)


def names(room: str) -> list[str]:
    """Every name that ``load`` knows in a room, built-ins first."""
    points = _installed(f"cutline.{room}")
    outside = {*_registered[room], *(point.name for point in points)}
    return [*BUILT_IN[room], *sorted(outside - set(BUILT_IN[room]))]


def load(room: str, name: str) -> Any:
    """The class or factory of that name.

    Raises:
        ConfigError: the name is unknown (the message lists the known ones), or a plug-in cannot be imported.
    """
    target = BUILT_IN[room].get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)
    if name in _registered[room]:
        return _registered[room][name]
    for point in _installed(f"cutline.{room}").select(name=name):
        try:
            made = point.load()
        except Exception as error:  # whatever an outsider's module does when it is imported
            reason = one_line(f"{type(error).__name__}: {error}")
            raise ConfigError(f"the plug-in {name!r} ({point.value}) cannot be used: {reason}") from error
        registered = (one for one in _registered[room].values() if getattr(one, "__wrapped__", None) is made)
        return next(registered, made)  # what it registered itself as, when it was imported
    known = names(room)
    hint = did_you_mean(name, known) or _elsewhere(name, room)
    raise ConfigError(f"there is no {name!r} among the {room}{hint}; known are {', '.join(known)}")


def _elsewhere(name: str, room: str) -> str:
    """The option that takes such a name, where it is one of another room."""
    rooms = _STAGE_OPTIONS.items() if room in _STAGE_OPTIONS else ()
    other = next((form for each, form in rooms if each != room and name in names(each)), None)
    return f", did you mean {other.format(name=name)}?" if other else ""


def _installed(group: str) -> EntryPoints:
    """The entry points of a group, read again once a folder of the import path has changed."""
    return _entry_points(group, tuple((place, _changed(place)) for place in sys.path))


@functools.lru_cache(maxsize=16)
def _entry_points(group: str, path: tuple[tuple[str, int], ...]) -> EntryPoints:  # noqa: ARG001 - a key
    from importlib.metadata import entry_points

    return entry_points(group=group)


def _changed(place: str) -> int:
    try:
        return os.stat(place or ".").st_mtime_ns  # noqa: PTH116 - of a name in the import path
    except OSError:
        return 0
