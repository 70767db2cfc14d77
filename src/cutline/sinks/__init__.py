"""Sinks: where outcomes go. A new format is a module, its extension here, and a line in the registry."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cutline import registry
from cutline.errors import ConfigError
from cutline.files import SEVERAL_INPUTS
from cutline.formatting import did_you_mean
from cutline.imaging import EXTENSIONS
from cutline.interfaces import Sink, check_members
from cutline.records import JSON, Outcome, Sample
from cutline.sinks.options import SinkOptions

__all__ = ["METADATA_FILE", "SinkOptions", "check_ending", "format_of", "open_sink"]

_EXTENSIONS = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}
_OTHER_FILES = frozenset(
    (".gz", ".zst", ".bz2", ".xz", ".zip", ".7z", ".tar", ".tgz", ".xlsx", ".xls", ".arrow")
)
METADATA_FILE = "metadata.jsonl"
"""The name of an imagefolder's table."""
_FOLDERS = frozenset({"sidecar", "webdataset"})
_ALIASES = {"txt": "sidecar"}


def format_of(output: str | None, output_format: str | None) -> str:
    """``output_format``, or else the format of the name's extension; ConfigError: it is unknown."""
    if output_format:
        output_format = _ALIASES.get(output_format, output_format)
        if not registry.has("sinks", output_format):
            known = registry.names("sinks")
            hint = did_you_mean(output_format, known)
            raise ConfigError(
                f"unknown output format {output_format!r}{hint}; choose one of {', '.join(known)}"
            )
        return output_format
    extension = Path((output or "").rstrip("/").lower()).suffix
    if extension[1:] in EXTENSIONS:
        raise ConfigError(f"the output {output} has the name of a picture: give another; {SEVERAL_INPUTS}")
    if extension not in _EXTENSIONS:
        raise ConfigError(
            f"cannot tell the format of {output or 'an output without a name'}: end its name in "
            f"{', '.join(_EXTENSIONS)}, or add --output-format with one of "
            f"{', '.join(registry.names('sinks'))}"
        )
    return _EXTENSIONS[extension]


def check_ending(output: str, form: str) -> None:
    """Refuse a name by which other programs would take what is in this format for something else.

    Raises:
        ConfigError: with the ending to give.
    """
    extension = Path(output.rstrip("/").lower()).suffix
    own = [ending for ending, name in _EXTENSIONS.items() if name == form]
    if not own and form not in _FOLDERS:
        return  # such as that of a plug-in
    says_other = extension in _OTHER_FILES or _EXTENSIONS.get(extension, form) != form
    if not says_other or (extension, form) == (".json", "jsonl"):  # as Hugging Face's datasets reads it
        return
    cure = (
        f"end its name in {' or '.join(own)}" if own else "it is a folder, so give a name without an ending"
    )
    also = ", or leave --output-format out" if extension in _EXTENSIONS else ""
    raise ConfigError(f"the name of the output {output} does not fit --output-format {form}: {cure}{also}")


def open_sink(output: str, output_format: str | None, state: Path, options: SinkOptions) -> Sink:
    """The sink for an output; its files are untouched before ``open``.

    ``state`` is an existing folder for working parts, kept between runs. ConfigError: the format is unknown.
    """
    name = format_of(output, output_format)
    sink = registry.load("sinks", name)(output, state, options)
    is_whole = Sink in type(sink).__mro__
    own = ("open", "write", "commit", "finish", *(() if is_whole else ("close",)))
    check_members(f"the sink {name!r}", sink, Sink, *own)
    return sink if is_whole else PluginSink(sink)


class PluginSink(Sink):
    """A plug-in's sink that does not subclass ``Sink``, with defaults for members that it lacks."""

    def __init__(self, sink: Any) -> None:
        self._sink = sink
        self.needs_picture = bool(getattr(sink, "needs_picture", False))
        self.resumable = bool(getattr(sink, "resumable", True))
        self.keeps_captions = bool(getattr(sink, "keeps_captions", False))

    def check_open(self, mark: JSON | None) -> None:
        getattr(self._sink, "check_open", self._sink.open)(mark)

    def open(self, mark: JSON | None) -> None:
        self._sink.open(mark)

    def existing_text(self, sample: Sample) -> str | None:
        own = getattr(self._sink, "existing_text", None)
        return own(sample) if own is not None else sample.text

    def check_write(self, sample: Sample, text: str | None = None) -> None:
        getattr(self._sink, "check_write", super().check_write)(sample, text)

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:
        self._sink.write(sample, outcome, picture)

    def commit(self) -> JSON:
        mark: JSON = self._sink.commit()
        return mark

    def finish(self) -> None:
        self._sink.finish()

    def close(self) -> None:
        self._sink.close()

    @property
    def outputs(self) -> list[Path | str]:
        return list(self._sink.outputs)

    @property
    def warnings(self) -> Sequence[str]:
        return tuple(getattr(self._sink, "warnings", ()))
