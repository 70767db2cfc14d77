"""Writers of the export formats: each makes one file or folder in a working folder."""

from __future__ import annotations

import functools
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from cutline.dataset.export.names import FORMATS, local_name, member_name, picture_name
from cutline.dataset.export.records import ExportItem, ExportOptions
from cutline.dataset.export.table_row import TableRow, metadata_types
from cutline.errors import PictureError, SampleError
from cutline.files import file_errors, name_to_text
from cutline.records import Sample
from cutline.serialization import decode_object, encode_json
from cutline.sinks import METADATA_FILE, SinkOptions, open_sink
from cutline.sources.names import PAIRS

_LONG_AGO: Final = (1980, 1, 1, 0, 0, 0)  # the same pictures and captions give the same bytes
_IMAGEFOLDER: Final = {"file_name", "text", "image"}  # columns that it has itself
_SHARD: Final = re.compile(r"\d{5,}\.tar")


class Writer(Protocol):
    """Writes pictures and captions. ``needs_picture``: ``add`` needs the picture's bytes."""

    needs_picture: bool

    def add(self, item: ExportItem, picture: bytes) -> None:
        """Raises SampleError if the format cannot hold this picture."""

    def finish(self) -> Path:
        """Finish the output, and return its path."""

    def close(self) -> None:
        """Close files, also after a stopped export."""


class ZipWriter:
    """An archive of unchanged pictures and their captions.

    ``pairs``: write the captions as one JSON file of image-caption pairs, else as a text beside each picture.
    """

    needs_picture = True

    def __init__(self, folder: Path, _: ExportOptions, *, pairs: bool) -> None:
        self._path = folder / "export.zip"
        self._zip = zipfile.ZipFile(self._path, "w")
        self._pairs = JsonFile(folder / PAIRS, "[", "]") if pairs else None

    def add(self, item: ExportItem, picture: bytes) -> None:
        name = picture_name(item.name, picture)
        self._zip.writestr(_member(name), picture)
        if self._pairs is None:
            self._zip.writestr(_member(member_name(item.text_name)), item.text.encode())
        else:
            self._pairs.add(encode_json({"image": name, "caption": item.text}))

    def finish(self) -> Path:
        if self._pairs is not None:
            member = _member(PAIRS)
            member.compress_type = zipfile.ZIP_DEFLATED
            with self._pairs.finish().open("rb") as file, self._zip.open(member, "w", force_zip64=True) as to:
                shutil.copyfileobj(file, to, 1 << 20)
        self._zip.close()
        return self._path

    def close(self) -> None:
        self._zip.close()
        if self._pairs is not None:
            self._pairs.close()


def _member(name: str) -> zipfile.ZipInfo:
    member = zipfile.ZipInfo(name, _LONG_AGO)
    member.external_attr = 0o644 << 16
    return member


class JsonFile:
    """A JSON array or object that grows by its encoded members."""

    def __init__(self, path: Path, start: str, end: str) -> None:
        self._path, self._end = path, end
        self._file = path.open("wb")
        self._file.write(start.encode())
        self._separator = b"\n"

    def add(self, member: bytes) -> None:
        self._file.write(self._separator + member)
        self._separator = b",\n"

    def finish(self) -> Path:
        self._file.write(f"\n{self._end}\n".encode())
        self._file.close()
        return self._path

    def close(self) -> None:
        self._file.close()


class KohyaWriter:
    """The metadata of sd-scripts' fine-tuning: an object of the pictures' absolute paths and captions.

    Form: https://github.com/kohya-ss/sd-scripts/blob/main/finetune/merge_captions_to_metadata.py with
    ``--full_path``.
    """

    needs_picture = False

    def __init__(self, folder: Path, _: ExportOptions) -> None:
        self._json = JsonFile(folder / "metadata.json", "{", "}")

    def add(self, item: ExportItem, picture: bytes) -> None:  # noqa: ARG002
        file = item.place().file()
        if file is None:
            message = f"{item.key} is not a separate file, which kohya needs: export to imagefolder"
            raise SampleError("unsupported", message)
        try:
            file.encode()
        except UnicodeEncodeError:
            raise SampleError(
                "unsupported", f"{item.key}: JSON cannot hold this name; rename the file"
            ) from None
        key, value = encode_json(file), encode_json({"caption": item.text})
        self._json.add(key + b": " + value)

    def finish(self) -> Path:
        return self._json.finish()

    def close(self) -> None:
        self._json.close()


class ImageFolderWriter:
    """Copies of the pictures, and above them a ``metadata.jsonl``: ``file_name``, ``text``, other columns.

    Form: https://huggingface.co/docs/datasets/image_dataset#imagefolder
    """

    needs_picture = True

    def __init__(self, folder: Path, _: ExportOptions) -> None:
        self._folder = folder / "imagefolder"
        self._folder.mkdir()
        self._rows = (self._folder / METADATA_FILE).open("wb")

    def add(self, item: ExportItem, picture: bytes) -> None:
        name = picture_name(item.name, picture)
        path = self._folder / name
        with file_errors(name):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(picture)
        others = TableRow.of(item).metadata
        row = {column: value for column, value in others.items() if column not in _IMAGEFOLDER}
        self._rows.write(encode_json({"file_name": name, "text": item.text, **row}) + b"\n")

    def finish(self) -> Path:
        self._rows.close()
        return self._folder

    def close(self) -> None:
        self._rows.close()


class FolderWriter:
    """Texts in a folder of their own or beside pictures; ``copies``: with copies of the pictures."""

    def __init__(self, folder: Path, _: ExportOptions, *, copies: bool) -> None:
        self.needs_picture = copies
        self._folder = folder / "folder"
        self._folder.mkdir()

    def add(self, item: ExportItem, picture: bytes) -> None:
        if self.needs_picture:
            self._write(picture_name(item.name, picture), picture)
            self._write(member_name(item.text_name), item.text.encode())
        else:
            self._write(local_name(item.text_name), item.text.encode())

    def _write(self, name: str, content: bytes) -> None:
        path = self._folder / name
        with file_errors(name_to_text(name)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

    def finish(self) -> Path:
        return self._folder

    def close(self) -> None:
        """No file stays open."""


class SinkWriter:
    """A format of runs, with the same columns."""

    def __init__(self, folder: Path, options: ExportOptions, form: str) -> None:
        self._path, state = folder / f"export{FORMATS[form]}", folder / "state"
        state.mkdir()
        types = metadata_types(options.column_types)
        self._sink = open_sink(
            str(self._path), form, state, SinkOptions(include_raw=False, column_types=types)
        )
        self._sink.open(None)
        self.needs_picture = self._sink.needs_picture

    def add(self, item: ExportItem, picture: bytes) -> None:
        location = None if isinstance(item.location, PictureError) else item.location
        row = TableRow.of(item)
        sample = Sample(key=item.key, location=location, text=row.text, metadata=row.metadata)
        self._sink.write(sample, row.caption, picture)

    def finish(self) -> Path:
        self._sink.commit()
        self._sink.finish()
        return self._path

    def close(self) -> None:
        self._sink.close()


WRITERS: Final[dict[str, Callable[[Path, ExportOptions], Writer]]] = {
    "webdata-zip": functools.partial(ZipWriter, pairs=True),
    "zip": functools.partial(ZipWriter, pairs=False),
    "webdataset": functools.partial(SinkWriter, form="webdataset"),
    "jsonl": functools.partial(SinkWriter, form="jsonl"),
    "json": functools.partial(SinkWriter, form="json"),
    "csv": functools.partial(SinkWriter, form="csv"),
    "tsv": functools.partial(SinkWriter, form="tsv"),
    "parquet": functools.partial(SinkWriter, form="parquet"),
    "kohya": KohyaWriter,
    "imagefolder": ImageFolderWriter,
    "folder": functools.partial(FolderWriter, copies=True),
    "texts": functools.partial(FolderWriter, copies=False),
}


def exported_files(form: str, folder: Path) -> Callable[[Path], bool] | None:
    """Whether an export of a format wrote a file in a folder; None if it adds files to others."""
    if form in {"folder", "texts"}:
        return None
    if form == "webdataset":
        return lambda file: file.parent == folder and _SHARD.fullmatch(file.name) is not None
    names = {METADATA_FILE}
    try:
        with (folder / METADATA_FILE).open("rb") as lines:
            names.update(str((decode_object(line) or {}).get("file_name")) for line in lines)
    except OSError:
        names.clear()
    return lambda file: file.relative_to(folder).as_posix() in names
