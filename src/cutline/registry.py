"""Names to classes, imported only when asked for; built-ins and plug-ins alike.

A plug-in package declares an entry point in the group ``cutline.captioners``, ``cutline.sources``
or ``cutline.sinks``; its name can then be used wherever a built-in's can.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from typing import Any

from cutline.errors import ConfigError

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
    },
}


def names(room: str) -> list[str]:
    """Every name that ``load`` knows in a room, built-ins first."""
    outside = [point.name for point in importlib.metadata.entry_points(group=f"cutline.{room}")]
    return [*BUILT_IN[room], *sorted(set(outside) - set(BUILT_IN[room]))]


def load(room: str, name: str) -> Any:
    """The class of that name.

    Raises:
        ConfigError: there is none, the message lists what there is; or a plug-in cannot be imported.
    """
    target = BUILT_IN[room].get(name)
    if target is not None:
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)
    for point in importlib.metadata.entry_points(group=f"cutline.{room}", name=name):
        try:
            return point.load()
        except Exception as error:  # whatever an outsider's module does when it is imported
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise ConfigError(f"the plug-in {name!r} ({point.value}) cannot be used: {reason}") from error
    raise ConfigError(f"there is no {name!r} among the {room}; known are {', '.join(names(room))}")
