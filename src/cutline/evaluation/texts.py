"""Read captions and references by picture, from outputs of cutline and other formats."""

from __future__ import annotations

import ast
import dataclasses
import io
import token
import tokenize
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.errors import ConfigError
from cutline.evaluation.conversations import first_reply, is_conversation
from cutline.evaluation.text_columns import (
    TEXT_COLUMNS,
    Role,
    TextColumns,
    is_table,
    text_columns,
)
from cutline.evaluation.text_tables import NUMBERED, text_rows
from cutline.evaluation.texts_beside import sidecar_texts, zip_rows
from cutline.files import not_there
from cutline.formatting import one_line
from cutline.named_files import read_named, seekable
from cutline.records import JSON
from cutline.serialization import decode_foreign_json
from cutline.sidecars.table_text import as_utf8
from cutline.sinks import METADATA_FILE
from cutline.sinks.chosen_captions import ChosenCaptions, split_choice
from cutline.sinks.reader import numbered_rows
from cutline.sources.names import PAIRS

_TEXT_TABLES: Final = (".csv", ".tsv", ".txt", ".token")
_TABLES: Final = (".jsonl", ".ndjson", ".parquet", *_TEXT_TABLES)
_INNER: Final[Mapping[Role, tuple[str, ...]]] = {
    "captions": ("captions", "candidates", "predictions"),
    "references": ("references", "captions"),
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The texts of each picture of a file, in its order.

    ``path`` is as it was given, with the name of the chosen captions, and ``note`` tells of others.
    ``file_names`` are those in the file, by id. ``lacking`` are the ids without the chosen caption,
    ``not_text`` and ``repeated`` those of values that are not text and of captions after a picture's first;
    ``nameless`` counts rows without id, and ``damaged`` names those that cannot be read.
    """

    path: str
    by_id: Mapping[str, list[str]]
    file_names: Mapping[str, str] = dataclasses.field(default_factory=dict)
    not_text: tuple[str, ...] = ()
    repeated: tuple[str, ...] = ()
    nameless: int = 0
    damaged: tuple[str, ...] = ()
    lacking: tuple[str, ...] = ()
    note: str = ""


def read_texts(path: str, role: Role) -> Texts:
    """Read the texts of a file or folder; captions one for each picture, references any number.

    Reads what cutline writes (a table, shards, a folder of texts), COCO's results and annotations, objects
    ``{id: [text, …]}`` and tables with a list in a cell. ``path:name`` chooses among several captions of a
    row.

    Raises:
        ConfigError: it cannot be read, contains no texts, or none of the name.
    """
    given = path
    path, name = split_choice(given)
    place = Path(path)
    if not place.exists() and not list(place.parent.glob(f"{place.stem}-*{place.suffix}")):
        raise ConfigError(not_there(path))
    collected = _Collected(role, ChosenCaptions(path, name))
    try:
        with seekable(place) as readable:
            names = _read(readable, collected)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None
    if names is None:
        raise ConfigError(
            f"{path} is not a table of {role}: give a folder, or {', '.join(_TABLES)}, .json or .zip"
        )
    collected.chosen.check()
    texts = collected.texts(given, names)
    if not texts.by_id and not texts.not_text and place.is_dir() and not texts.nameless:
        raise ConfigError(
            f"{path} is a folder without texts: give an output, such as captions.jsonl, or a folder of .txt "
            "files; --images is for the folder of the pictures"
        )
    if not any(texts.by_id.values()):
        raise ConfigError(f"{path} holds no {role}: {_without_texts(texts)}")
    return texts


def _read(place: Path, collected: _Collected) -> dict[str, str] | None:
    """Collects the texts; returns the file names of pictures by id, and None where it is no table."""
    path, ending = str(place), place.suffix.lower()
    if place.is_dir():
        _read_folder(place, collected)
    elif ending == ".json":
        return _read_json(place, collected)
    elif ending == ".zip":
        collected.rows(path, zip_rows(path))
    elif ending in _TEXT_TABLES and place.is_file():
        collected.rows(path, text_rows(place, collected.damaged))
    elif ending in _TABLES:
        collected.rows(path, (row for _, row in numbered_rows(path, None, damaged=collected.damaged)))
    else:
        return None
    return {}


def _without_texts(texts: Texts) -> str:
    if texts.not_text:
        return f"what it has for {texts.not_text[0]!r} is not text"
    if texts.damaged:
        return f"{texts.damaged[0]} of it is not an object with image_id and caption"
    return "it is empty, or its rows have no image_id"


class _Collected:
    """Collects texts while a file is read."""

    def __init__(self, role: Role, chosen: ChosenCaptions) -> None:
        self._role: Role = role
        self.chosen = chosen
        self._by_id: dict[str, list[str]] = {}
        self._not_text: list[str] = []
        self._repeated: list[str] = []
        self._lacking: list[str] = []
        self._nameless = 0
        self.damaged: list[str] = []

    def add(self, key: str, value: Any) -> None:
        """One value of a picture: a text, a list of them, or an object with either."""
        if isinstance(value, dict):
            value = next((value[name] for name in TEXT_COLUMNS[self._role] if name in value), value)
        if isinstance(value, str) and self._role == "references" and value.lstrip().startswith("["):
            value = _parsed(value)
        values = list(value) if isinstance(value, list | tuple) else [value]
        if is_conversation(values):
            values = first_reply(values)
        if not values:  # a picture with an empty list has no text, which is named later
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
        """Raises ConfigError: the first row has no known column."""
        columns: TextColumns | None = None
        chooses = self._role == "captions" or self.chosen.name  # else all are references
        for row in self.chosen.rows(rows) if chooses else rows:
            columns = columns or text_columns(path, row, self._role)
            key = _as_id(row.get(columns.key))
            if self._role == "references" and (numbered := NUMBERED.fullmatch(key)):
                key = numbered[1]
            if not key:
                self._nameless += 1
            elif chooses and "caption" in row and row["caption"] is None and self.chosen.names:
                self._lacking.append(key)
            elif columns.has_text(row):
                self.add(key, _value(row, columns))
            else:
                self._not_text.append(key)

    def objects(self, rows: list[Any]) -> Iterator[JSON]:
        """The rows that are objects."""
        for number, row in enumerate(rows, 1):
            if isinstance(row, dict):
                yield row
            else:
                self.damaged.append(f"row {number}")

    def by_id(self, path: str, data: JSON) -> None:
        """Texts by id, also within an object of both sides, or columns as pandas writes them."""
        columns = [list(one.values()) if isinstance(one, dict) else one for one in data.values()]
        if is_table(data) and all(isinstance(one, list) for one in columns):
            self.rows(path, (dict(zip(data, cells, strict=False)) for cells in zip(*columns, strict=False)))
            return
        inner = next((data[name] for name in _INNER[self._role] if name in data), None)
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            self.rows(path, self.objects(inner))
            return
        for key, value in (inner if isinstance(inner, dict) else data).items():
            self.add(key, value)

    def texts(self, path: str, names: Mapping[str, str]) -> Texts:
        return Texts(
            path=path,
            by_id=self._by_id,
            file_names=names,
            not_text=tuple(self._not_text),
            repeated=tuple(self._repeated),
            nameless=self._nameless,
            damaged=tuple(self.damaged),
            lacking=tuple(self._lacking),
            note=self.chosen.note if self._role == "captions" else "",
        )


def _value(row: JSON, columns: TextColumns) -> Any:
    """The texts of a row; outputs of cutline with several prompts have ``captions`` by prompt."""
    value = columns.value(row)
    if columns.texts != ("captions",) or "caption" not in row:
        return value
    if isinstance(value, str) and value.startswith("{"):  # CSV and Parquet hold nested columns as JSON text
        value = _parsed(value)
    if isinstance(value, dict):
        return list(value.values())
    return row["caption"] if value is None or value == "" else value


def _as_id(value: Any) -> str:
    """The id in a cell: a string, an integer, or a picture with its path; else empty."""
    if isinstance(value, list) and len(value) == 1:  # of conversations about one picture
        value = value[0]
    if isinstance(value, dict):
        value = value.get("path")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _parsed(cell: str) -> Any:
    """A list or object that a table stores as JSON or as Python shows it; any other text unchanged."""
    try:
        value = orjson.loads(cell)
    except orjson.JSONDecodeError:
        value = _literal(cell)
    return value if isinstance(value, list | dict) else cell


def _literal(cell: str) -> list[str] | None:
    """A list of texts as pandas writes it: ``['A cat.', "It's a cat."]``, without commas of an array."""
    if not cell.rstrip().endswith("]"):
        return None
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(cell.strip()).readline))
        texts = [ast.literal_eval(one.string) for one in tokens if one.type == token.STRING]
    except (tokenize.TokenError, ValueError, SyntaxError):
        return None
    rest = "".join(one.string for one in tokens if one.type != token.STRING).split()
    is_list = set("".join(rest)) <= set("[,]") and all(isinstance(one, str) for one in texts)
    return texts if texts and is_list else None


def _read_json(path: Path, collected: _Collected) -> dict[str, str]:
    """Reads rows, annotations, or an object with the texts by id; returns the file names that it gives."""
    try:
        data = decode_foreign_json(as_utf8(read_named(path)))
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path} is not valid JSON: {one_line(error, 200)}") from None
    if isinstance(data, list):
        collected.rows(str(path), collected.objects(data))
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no texts: give a list of rows, or an object of texts by id")
    images = data.get("images")
    if isinstance(data.get("annotations"), list):
        collected.rows(str(path), collected.objects(data["annotations"]))
        listed = images if isinstance(images, list) else []
        return {
            _as_id(image["id"]): image["file_name"]
            for image in listed
            if isinstance(image, dict) and "id" in image and isinstance(image.get("file_name"), str)
        }
    if isinstance(images, list):
        collected.rows(str(path), collected.objects(images))
        return {}
    collected.by_id(str(path), data)
    return {}


def _read_folder(folder: Path, collected: _Collected) -> None:
    """Reads shards of a webdataset, an imagefolder's table, or the text files below the folder."""
    if any(folder.glob("*.tar")):
        collected.rows(str(folder), (row for _, row in numbered_rows(str(folder), "webdataset")))
    elif (folder / METADATA_FILE).is_file():
        rows = numbered_rows(str(folder / METADATA_FILE), "imagefolder")
        collected.rows(str(folder), (row for _, row in rows))
    elif (folder / PAIRS).is_file():
        _read_json(folder / PAIRS, collected)
    else:
        for name, text in sidecar_texts(folder):
            collected.add(name, text)
