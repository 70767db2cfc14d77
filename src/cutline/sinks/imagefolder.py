"""The ``metadata.jsonl`` of Hugging Face's imagefolder: a row of ``file_name`` and ``text`` for each picture.

The file is beside the pictures, or in a folder above them. Rows and columns of others stay in it.
Form: https://huggingface.co/docs/datasets/image_dataset#imagefolder
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import orjson

from cutline.errors import ConfigError, SampleError
from cutline.files import name_to_text
from cutline.records import JSON, Caption, Outcome, Sample
from cutline.serialization import decode_object, encode_json, valid_unicode
from cutline.sinks.options import SinkOptions
from cutline.sinks.rows import RowSink
from cutline.sinks.scienceqa import MergingStore
from cutline.storage import is_remote, local_path

NAME = "metadata.jsonl"


class MetadataStore(MergingStore):
    """Publishes the file's earlier rows, each with the new text, and then the rows of other pictures."""

    _empty: ClassVar[bytes] = b""
    _useless: ClassVar[str] = "and holds no rows with a file_name"

    def _parsed(self, content: bytes) -> JSON | None:
        rows = [decode_object(line) for line in content.splitlines() if line.strip()]
        if any(row is None or not isinstance(row.get("file_name"), str) for row in rows):
            return None
        return {"rows": rows, "captions": {row["file_name"]: row.get("text") for row in rows if row}}

    def _merge(self, rows: Path, part: Path) -> None:
        there = self.captions_before()
        keep = {name for name, text in there.items() if text} if self._existing == "skip" else set()
        ours = {row["file_name"]: row["text"] for row in _rows(rows) if row["file_name"] in there}
        with part.open("wb") as file:
            for row in self.before.get("rows", ()):
                name = row["file_name"]
                text = row.get("text") if name in keep else ours.get(name, row.get("text"))
                file.write(encode_json({**row, "text": text}) + b"\n")
            for row in _rows(rows):
                if row["file_name"] not in there:
                    file.write(encode_json(row) + b"\n")


class ImageFolderSink(RowSink):
    """``{"file_name": …, "text": …}`` in each line; ``output`` is the folder of the pictures, or the file."""

    keeps_captions = True
    _store: MetadataStore

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        if is_remote(output):
            raise ConfigError(
                f"{NAME} cannot be written to {output}: it is beside the pictures, on this machine"
            )
        file = Path(local_path(output))
        if file.name != NAME:
            raise ConfigError(f"{file}: an imagefolder's table is called {NAME}; give its folder as output")
        self._folder = os.path.abspath(file.parent)  # noqa: PTH100 - resolve() would follow links
        super().__init__(MetadataStore(output, state, options), options)

    def existing_text(self, sample: Sample) -> str | None:
        """The text that was in the file before this job; else, with ``existing``, the sample's own."""
        there = self._store.captions_before().get(self._name(sample))
        if isinstance(there, str) and there.strip():
            return there.strip()
        return sample.text if self._options.existing is not None else None

    def check_write(self, sample: Sample, text: str | None = None) -> None:  # noqa: ARG002
        """SampleError ``sidecar`` for a picture that does not lie in the folder."""
        self._name(sample)

    def record(self, values: JSON) -> bytes:
        return encode_json(values) + b"\n"

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:  # noqa: ARG002
        if isinstance(outcome, Caption):
            row = {"file_name": self._name(sample), "text": valid_unicode(outcome.text)}
            self._store.append(self.record(row))

    def _name(self, sample: Sample) -> str:
        """The picture's path from the folder."""
        file = sample.location.file() if sample.location else None
        path = os.path.abspath(file) if file else ""  # noqa: PTH100 - as above
        if not path.startswith(os.path.join(self._folder, "")):  # noqa: PTH118 - with a slash
            picture = valid_unicode(sample.path)
            message = f"{picture} does not lie in {self._folder}, as a picture of an imagefolder must"
            raise SampleError("sidecar", message)
        name = os.path.relpath(path, self._folder)
        return valid_unicode(name_to_text(name.replace(os.sep, "/")))


def _rows(rows: Path) -> Iterator[dict[str, Any]]:
    with rows.open("rb") as lines:
        yield from map(orjson.loads, lines)
