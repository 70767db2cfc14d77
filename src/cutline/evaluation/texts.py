"""Captions and references by picture, from outputs of cutline and from files of others."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import orjson

from cutline.errors import ConfigError
from cutline.files import not_there
from cutline.formatting import one_line
from cutline.records import JSON
from cutline.serialization import decode_foreign_json
from cutline.sidecars import TextDecoder
from cutline.sidecars.table_text import as_utf8
from cutline.sinks import METADATA_FILE
from cutline.sinks.reader import numbered_rows

Role: TypeAlias = Literal["captions", "references"]

_TABLES: Final = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
_ID_COLUMNS: Final = (
    "image_id", "cocoid", "file_name", "filename", "file", "image_path", "image", "path",
    "id", "key", "name", "url",
)  # fmt: skip
_TEXT_COLUMNS: Final[Mapping[Role, tuple[str, ...]]] = {
    "captions": ("caption", "text", "captions", "description"),
    "references": (
        "references", "captions", "sentences", "caption", "reference", "text", "texts", "raw", "description",
    ),
}  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The texts of each picture of a file, in its order.

    ``file_names`` are those that the file gives for its ids. ``not_text`` and ``repeated`` are the ids,
    once for each time, of what is no text and of captions after a picture's first; ``nameless`` counts
    rows without id, and ``damaged`` names those that cannot be read.
    """

    path: str
    by_id: Mapping[str, list[str]]
    file_names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    not_text: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    nameless: int = 0
    damaged: tuple[str, ...] = ()


def read_texts(path: str, role: Role) -> Texts:
    """The texts of a file or folder; of captions one for each picture, of references any number.

    Reads what cutline writes (a table, shards, a folder of texts), COCO's results and annotations, objects
    ``{id: [text, …]}`` and tables with a list in a cell.

    Raises:
        ConfigError: it cannot be read, or holds no texts.
    """
    place = Path(path)
    if not place.exists() and not list(place.parent.glob(f"{place.stem}-*{place.suffix}")):
        raise ConfigError(not_there(path))
    collected = _Collected(role)
    names: dict[str, str] = {}
    if place.is_dir():
        _read_folder(place, collected)
    elif place.suffix.lower() == ".json":
        names = _read_json(place, collected)
    elif place.suffix.lower() in _TABLES:
        collected.rows(path, (row for _, row in numbered_rows(path, None, damaged=collected.damaged)))
    else:
        raise ConfigError(
            f"{path} is no table of {role}: give a folder, or a file in {', '.join(_TABLES)} or .json"
        )
    texts = collected.texts(path, names)
    if not texts.by_id and not texts.not_text and place.is_dir() and not texts.nameless:
        raise ConfigError(
            f"{path} is a folder without texts: give an output, such as captions.jsonl, or a folder of .txt "
            "files; --images is for the folder of the pictures"
        )
    if not any(texts.by_id.values()):
        raise ConfigError(f"{path} holds no {role}: {_without_texts(texts)}")
    return texts


def _without_texts(texts: Texts) -> str:
    if texts.not_text:
        return f"what it has for {texts.not_text[0]!r} is no text"
    if texts.damaged:
        return f"{texts.damaged[0]} of it is no JSON object"
    return "it is empty, or its rows have no image_id"


class _Collected:
    """Texts as they are read."""

    def __init__(self, role: Role) -> None:
        self._role: Role = role
        self._by_id: dict[str, list[str]] = {}
        self._not_text: list[str] = []
        self._repeated: list[str] = []
        self._nameless = 0
        self.damaged: list[str] = []

    def add(self, key: str, value: Any) -> None:
        """One value of a picture: a text, or a list of them."""
        if isinstance(value, str) and self._role == "references" and value.lstrip().startswith("["):
            value = _parsed(value)
        values = list(value) if isinstance(value, list | tuple) else [value]
        if not values:  # a picture with an empty list has no reference, which is named later
            self._by_id.setdefault(key, [])
        for one in values:
            text = (one.get("raw") or one.get("caption")) if isinstance(one, dict) else one
            if not isinstance(text, str):
                self._not_text.append(key)
            elif self._role == "captions" and key in self._by_id:
                self._repeated.append(key)
            else:
                self._by_id.setdefault(key, []).append(text)

    def rows(self, path: str, rows: Iterable[JSON]) -> None:
        """Raises ConfigError: the first row has no column that is known."""
        key_column = text_column = ""
        for row in rows:
            if not key_column:
                key_column = _column(path, row, _ID_COLUMNS, "ids of pictures")
                text_column = _column(path, row, _TEXT_COLUMNS[self._role], self._role)
            key = _as_id(row.get(key_column))
            if not key:
                self._nameless += 1
            elif text_column in row:
                self.add(key, _value(row, text_column))
            else:
                self._not_text.append(key)

    def texts(self, path: str, names: Mapping[str, str]) -> Texts:
        return Texts(
            path=path,
            by_id=self._by_id,
            file_names=names,
            not_text=tuple(self._not_text),
            repeated=tuple(self._repeated),
            nameless=self._nameless,
            damaged=tuple(self.damaged),
        )


def _value(row: JSON, column: str) -> Any:
    """The texts of a row; outputs of cutline have ``captions`` by prompt, or nothing there for one."""
    value = row[column]
    if column != "captions" or "caption" not in row:
        return value
    if isinstance(value, str) and value.startswith("{"):  # CSV and Parquet hold nested columns as JSON text
        value = _parsed(value)
    if isinstance(value, dict):
        return list(value.values())
    return row["caption"] if value is None or value == "" else value


def _as_id(value: Any) -> str:
    """The id in a cell: a text, a whole number, or a picture with its path; empty where there is none."""
    if isinstance(value, dict):
        value = value.get("path")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _parsed(cell: str) -> Any:
    """A list or object that a table holds as JSON; the text itself where it is none."""
    try:
        value = orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
    return value if isinstance(value, list | dict) else cell


def _column(path: str, row: JSON, known: tuple[str, ...], what: str) -> str:
    found = next((name for name in known if name in row), None)
    if found is None:
        columns = ", ".join(map(str, list(row)[:10]))
        raise ConfigError(
            f"{path} has no column of {what}: name one of its columns ({columns}) {' or '.join(known[:3])}"
        )
    return found


def _read_json(path: Path, collected: _Collected) -> dict[str, str]:
    """Reads rows, annotations, or an object with the texts by id; returns the file names that it gives."""
    try:
        data = decode_foreign_json(as_utf8(path.read_bytes()))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path} is not valid JSON: {one_line(error, 200)}") from None
    if isinstance(data, list):
        collected.rows(str(path), _objects(path, data))
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no texts: give a list of rows, or an object of texts by id")
    images = data.get("images")
    if isinstance(data.get("annotations"), list):
        collected.rows(str(path), _objects(path, data["annotations"]))
        listed = images if isinstance(images, list) else []
        return {
            _as_id(image["id"]): image["file_name"]
            for image in listed
            if isinstance(image, dict) and "id" in image and isinstance(image.get("file_name"), str)
        }
    if isinstance(images, list):
        collected.rows(str(path), _objects(path, images))
        return {}
    inner = data.get("captions")
    for key, value in (inner if isinstance(inner, dict) else data).items():
        collected.add(key, value)
    return {}


def _objects(path: Path, rows: list[Any]) -> Iterator[JSON]:
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise ConfigError(f"{path}: row {number} is not an object with image_id and caption")
        yield row


def _read_folder(folder: Path, collected: _Collected) -> None:
    """Reads shards of a webdataset, an imagefolder's table, or the text files below the folder."""
    if any(folder.glob("*.tar")):
        collected.rows(str(folder), (row for _, row in numbered_rows(str(folder), "webdataset")))
    elif (folder / METADATA_FILE).is_file():
        rows = numbered_rows(str(folder / METADATA_FILE), "imagefolder")
        collected.rows(str(folder), (row for _, row in rows))
    else:
        for name, text in _sidecars(folder):
            collected.add(name, text)


def _sidecars(folder: Path) -> Iterator[tuple[str, str | None]]:
    """The texts of a folder by their path without ending; None where the encoding is not certain."""
    decoder = TextDecoder(root=str(folder))
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name.lower().endswith(".txt") and not name.startswith("."):
                file = Path(place, name)
                try:
                    text = decoder.decode(file.read_bytes(), place)
                except OSError as error:
                    raise ConfigError(f"{file} cannot be read: {error.strerror or error}") from None
                yield file.relative_to(folder).as_posix()[:-4], None if text.unsure else text.caption
