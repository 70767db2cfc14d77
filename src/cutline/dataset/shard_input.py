"""The samples of webdataset shards: a tar, or a folder of tars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cutline.dataset.failure_rows import failure_rows
from cutline.dataset.history import History
from cutline.dataset.recorded_input import InputRow, RecordedInput
from cutline.errors import PictureError
from cutline.records import Location, Sample
from cutline.serialization import encode_json
from cutline.sources.names import UniqueKeys
from cutline.sources.options import SourceOptions
from cutline.sources.webdataset import WebdatasetSource

_ELSEWHERE: Final = {"image_id", "image_path", "caption", "model", "prompt_id", "llm"}


class ShardInput(RecordedInput):
    """Shards: pictures are read from the tar in place.

    Keys are those of the run that wrote them, or for other shards those of the source. A sample without a
    picture and a damaged part are rows too.
    """

    def __init__(self, path: str, place: str, history: History, text_encoding: str | None) -> None:
        """ConfigError: there is no tar."""
        super().__init__(place, history)
        self._source = WebdatasetSource(path, SourceOptions(text_encoding=text_encoding))

    def load(self) -> Iterator[InputRow]:
        keys = UniqueKeys()
        for sample in self._source.samples():
            yield _row(sample, keys)
        for key, _, note in failure_rows(self.place):
            if keys.is_new(key):
                yield InputRow(key=key, caption=None, picture=None, note=note)

    def locate(self, row: InputRow) -> Location:
        if row.picture is None:
            raise PictureError("missing", row.note or "the sample holds no picture")
        location: Location = row.picture
        return location


def _row(sample: Sample, keys: UniqueKeys) -> InputRow:
    values = sample.metadata
    key = _text(values, "image_id")
    return InputRow(
        key=keys.unique(key or sample.key),
        caption=sample.text,
        picture=sample.location,
        model=_text(values, "model"),
        prompt_id=_text(values, "prompt_id"),
        columns=encode_json(kept) if (kept := _kept(values)) else b"",
        note=sample.problem.message if sample.problem is not None else sample.text_problem,
    )


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _ELSEWHERE and value is not None}


def _text(values: Mapping[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""
