"""Sinks: where outcomes go. A new format is one module here and one line in the registry."""

from __future__ import annotations

from pathlib import Path

from cutline import registry
from cutline.errors import ConfigError
from cutline.interfaces import Sink
from cutline.sinks.foreign import ForeignSink
from cutline.sinks.options import SinkOptions

__all__ = ["SinkOptions", "format_of", "open_sink"]

_EXTENSIONS = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}


def format_of(output: str | None, output_format: str | None) -> str:
    """The format of an output: ``output_format``, or else by the extension of its name.

    Raises:
        ConfigError: the format is unknown, or the name has no known extension.
    """
    known = registry.names("sinks")
    if output_format:
        if output_format not in known:
            raise ConfigError(f"unknown output format {output_format!r}; choose one of {', '.join(known)}")
        return output_format
    extension = Path((output or "").rstrip("/").lower()).suffix
    if extension not in _EXTENSIONS:
        raise ConfigError(
            f"cannot tell the format of {output or 'an output without a name'}: end its name in "
            f"{', '.join(_EXTENSIONS)}, or add --output-format with one of {', '.join(known)}"
        )
    return _EXTENSIONS[extension]


def open_sink(output: str, output_format: str | None, state: Path, options: SinkOptions) -> Sink:
    """The sink for an output; nothing is touched before its ``open``.

    ``state`` is an existing folder for its working parts, kept between runs.

    Raises:
        ConfigError: the format is unknown or its package is missing.
    """
    kind = registry.load("sinks", format_of(output, output_format))
    sink = kind(output, state, options)
    return sink if Sink in type(sink).__mro__ else ForeignSink(sink)
