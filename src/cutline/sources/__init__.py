"""Sources of samples; ``open_source`` detects the type of an input."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cutline import registry
from cutline.errors import ConfigError
from cutline.files import not_there
from cutline.imaging import EXTENSIONS
from cutline.imaging.formats import OTHER_FORMATS
from cutline.interfaces import Source, check_members
from cutline.records import LeftOver, Sample
from cutline.sources.content_types import table_type
from cutline.sources.contents import folder_type
from cutline.sources.input_files import numbered_files
from cutline.sources.names import TABLE_EXTENSIONS, is_tar, table_ending
from cutline.sources.options import OF_COLUMNS, OF_FILES, OF_TEXTS, SourceOptions, flag_of
from cutline.sources.patterns import is_pattern
from cutline.sources.unknown_files import cure_of, is_picture, sniff_file
from cutline.storage import is_http, is_remote, local_path

__all__ = ["SourceOptions", "detect", "open_source"]

_DECISIVE = ("split", "event", "key_column")
_PARTICULAR = (*sorted(OF_COLUMNS), "sample_pictures", *sorted(OF_FILES))
_BY_ENDING = {"txt": "urls", "zip": "zip"}
_PART_ENDINGS = ("parquet", "arrow")


def open_source(path: str | os.PathLike[str], options: SourceOptions | None = None) -> Source:
    """The source for an input path; ConfigError: it does not exist, or its type is unknown."""
    options = options or SourceOptions()
    path = local_path(os.fspath(path))
    source_type = options.source_type or detect(path, options)
    kind = registry.load("sources", source_type)
    _refuse_ignored(source_type, kind, options)
    label = f"the source {source_type!r}"
    if not callable(getattr(kind, "from_options", None)):
        raise ConfigError(f"{label} needs `@classmethod def from_options(cls, path, options)`")
    source = kind.from_options(path, options)
    check_members(label, source, Source, "samples")
    return source if Source in type(source).__mro__ else PluginSource(source)


def _takes(kind: Any) -> frozenset[str]:
    return getattr(kind, "takes", frozenset())  # a plug-in's class need not subclass Source


def _refuse_ignored(source_type: str, kind: Any, options: SourceOptions) -> None:
    """Refuse options that the source would ignore; a plug-in's may use more of them than it declares."""
    is_built_in = source_type in registry.BUILT_IN["sources"]
    for name in (*_DECISIVE, *(_PARTICULAR if is_built_in else ())):
        if name in OF_TEXTS and options.writes_texts:
            continue
        if options.has(name) and name not in _takes(kind):
            known = {each: registry.load("sources", each) for each in registry.BUILT_IN["sources"]}
            able = [each for each, source in known.items() if name in source.takes]
            raise ConfigError(
                f"an input of the type {source_type} does not support {flag_of(name)}; remove it, or set "
                f"--source-type {' or '.join(able)}"
            )


def detect(path: str, options: SourceOptions) -> str:
    """The registered name of the source that reads ``path``; raises as ``open_source``."""
    if path.startswith("pipe:"):
        raise ConfigError("'pipe:' inputs would run a command; give the path of the tar instead")
    if is_tar(path) or (is_tar(path.rstrip("*")) and is_pattern(path)):
        return "webdataset"
    if not is_remote(path) and Path(path).is_dir():
        return folder_type(path, options)
    ending = table_ending(path)
    if ending in TABLE_EXTENSIONS:
        return _table_type(path, options)
    if ending in _BY_ENDING and not is_pattern(path):
        return _BY_ENDING[ending]
    if is_http(path):
        raise ConfigError("one URL is not an input; write URLs into a .txt file, one a line, and give that")
    if is_remote(path) or is_pattern(path):
        return "local" if ending in EXTENSIONS else folder_type(path, options)
    return _file_type(path, ending, options)


def _file_type(path: str, ending: str, options: SourceOptions) -> str:
    """The type of a file by its ending or its first bytes; ConfigError: it is not there, or of none."""
    if not Path(path).exists():
        raise ConfigError(not_there(path))
    if ending in EXTENSIONS:
        return "local"
    kind = sniff_file(path)
    if is_picture(kind):
        return "local"
    if kind in OTHER_FORMATS:
        raise ConfigError(f"{path} is a picture in {kind}, which cannot be opened; convert it to PNG or JPEG")
    found = table_type(path)
    if found:
        return "webdataset" if found == "tar" else _table_type(path, options)
    raise ConfigError(
        f"{path}: neither a folder, a picture, a .txt list of URLs, a table "
        f"({', '.join(sorted(TABLE_EXTENSIONS))}), a tar nor a zip; "
        f"{cure_of(path) or '--source-type says how to read it'}"
    )


def _table_type(path: str, options: SourceOptions) -> str:
    from cutline.sources.table_files import find_columns, open_table

    if options.image_column or options.key_column or is_pattern(path):
        return "table"
    if options.url_column:
        return "urls"
    first = next(iter(numbered_files(path)), path)
    columns = find_columns(open_table(first, options), options)
    return "urls" if columns.image is None and columns.url is not None else "table"


class PluginSource(Source):
    """A plug-in's source that does not subclass ``Source``, with defaults for members that it lacks."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def samples(self) -> Iterator[Sample]:
        samples: Iterator[Sample] = self._source.samples()
        return samples

    def count(self) -> int | None:
        count: int | None = self._source.count()
        return count

    def shards(self, count: int) -> Sequence[Source]:
        if not hasattr(self._source, "shards"):
            return [self]
        return [PluginSource(shard) for shard in self._source.shards(count)]

    @property
    def warnings(self) -> Sequence[str]:
        return tuple(getattr(self._source, "warnings", ()))

    @property
    def left_over(self) -> Sequence[LeftOver]:
        return tuple(getattr(self._source, "left_over", ()))

    @property
    def column_types(self) -> Mapping[str, Any]:
        return dict(getattr(self._source, "column_types", {}))
