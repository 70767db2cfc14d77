"""Which columns of a table hold the ids and texts of pictures, by the names that people give them."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, TypeAlias

from cutline.errors import ConfigError
from cutline.records import JSON

Role: TypeAlias = Literal["captions", "references"]

TEXT_COLUMNS: Final[Mapping[Role, tuple[str, ...]]] = {
    "captions": ("caption", "text", "captions", "description", "conversations", "messages"),
    "references": (
        "references", "captions", "sentences", "caption", "reference", "text", "texts", "raw", "description",
        "sentences_raw", "answers", "answer", "comments", "comment", "conversations", "messages",
    ),
}  # fmt: skip
ID_COLUMNS: Final = (
    "image_id", "cocoid", "file_name", "filename", "file", "image_path", "image_name", "image", "path",
    "id", "key", "name", "url",
)  # fmt: skip

_SERIES: Final = re.compile(r"(reference|ref|caption|sentence|text|comment|description)s?[ _.-]?\d+")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TextColumns:
    """The column of ids, and that of the texts; several where each reference has its own."""

    key: str
    texts: tuple[str, ...]

    def has_text(self, row: JSON) -> bool:
        return any(name in row for name in self.texts)

    def value(self, row: JSON) -> Any:
        """The cell with the text or texts, or the cells that are not empty."""
        if len(self.texts) == 1:
            return row[self.texts[0]]
        return [row[name] for name in self.texts if row.get(name) not in {None, ""}]


def text_columns(path: str, row: JSON, role: Role) -> TextColumns:
    """The columns of a table by its first row; upper case, blanks and ``#`` around names do not matter.

    Raises:
        ConfigError: there is no column of ids, or none of texts.
    """
    names = {_plain(name): name for name in reversed(row) if isinstance(name, str)}
    key = _first(names, ID_COLUMNS)
    if key is None:
        raise _without(path, row, "ids of pictures", ID_COLUMNS)
    text = _first(names, TEXT_COLUMNS[role])
    texts = [] if text is None else [text]
    if role == "references":
        texts += _series((name for name in row if isinstance(name, str)), text)
    if not texts:
        raise _without(path, row, role, TEXT_COLUMNS[role])
    return TextColumns(key=key, texts=tuple(texts))


def is_column_of_texts(name: str) -> bool:
    """Whether a name is that of a column of ids or texts."""
    name = _plain(name)
    known = (*ID_COLUMNS, *TEXT_COLUMNS["captions"], *TEXT_COLUMNS["references"])
    return name in known or _SERIES.fullmatch(name) is not None


def is_table(data: JSON) -> bool:
    """Whether an object has columns of ids and of texts, not pictures."""
    return all(any(name in data for name in known) for known in (ID_COLUMNS, TEXT_COLUMNS["references"]))


def _plain(name: str) -> str:
    return name.strip().removeprefix("#").strip().lower()


def _first(names: Mapping[str, str], known: Iterable[str]) -> str | None:
    return next((names[name] for name in known if name in names), None)


def _series(names: Iterable[str], text: str | None) -> list[str]:
    """Numbered columns, such as caption_1 to caption_5: those beside ``text``, else the most of one name."""
    found: dict[str, list[str]] = collections.defaultdict(list)
    for name in names:
        if match := _SERIES.fullmatch(name.strip().lower()):
            found[match[1]].append(name)
    if text is not None:
        return found.get(text.strip().lower().removesuffix("s"), [])
    return max(found.values(), key=len, default=[])


def _without(path: str, row: JSON, what: str, known: tuple[str, ...]) -> ConfigError:
    columns = ", ".join(map(str, list(row)[:10]))
    return ConfigError(
        f"{path} has no column of {what}: name one of its columns ({columns}) {' or '.join(known[:3])}"
    )
