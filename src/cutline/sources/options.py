"""Options of all sources."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Self

from cutline.records import JSON
from cutline.sources.outputs import RunPaths

OF_COLUMNS = frozenset({"image_column", "url_column", "text_column", "delimiter", "header_row", "image_root"})
"""Options of tables, and of the files that their cells name."""
OF_TEXTS = frozenset({"text_encoding", "sidecar_ext"})
"""Options of texts beside pictures, read or written."""
OF_FILES = frozenset({"recursive", "exclude", "follow_links", "user_agent", *OF_TEXTS})
"""Options of a folder's files, what is beside them, and where they are."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SourceOptions:
    """Each source takes the options that mean something to it; the others do not concern it.

    ``source_type``: a source's registered name, instead of telling by the path.
    ``key_column``: the column of a table that names its rows.
    ``image_column``, ``url_column``, ``text_column``: columns of a table, instead of finding them by
    name and type. ``image_root``: the only folder from which the paths of a table or dataset are
    opened; its own when None. ``reader_batch_size``: rows of a table that are decoded at once.
    ``recursive``: whether the sub-folders of a folder are read too. ``split``, ``event``: the part of a
    dataset that is read. These two and ``key_column`` are refused for a source whose class does not name
    them in ``takes``, a set of such names; the built-in sources name also those of ``OF_COLUMNS`` and
    ``OF_FILES`` and ``sample_pictures``. ``follow_links``: whether links may lead out of the
    input's folder. ``exclude``: patterns of names that are left out. ``outputs``: where the run writes, which
    is not read. ``text_encoding``: of texts beside pictures and tables without a mark. ``sample_pictures``:
    of a webdataset sample its ``main`` picture or ``each``. ``sidecar_ext``: the ending of such texts.
    ``writes_texts``: such texts are the output, so that their options are used whatever is read.
    ``user_agent``: of downloads, which the engine makes. ``delimiter``: of a text table. ``header_row``:
    whether its first line names the columns.
    """

    source_type: str | None = None
    image_column: str | None = None
    url_column: str | None = None
    text_column: str | None = None
    key_column: str | None = None
    image_root: str | None = None
    reader_batch_size: int = 32
    recursive: bool = True
    text_encoding: str | None = None
    sidecar_ext: str = ".txt"
    split: str | None = None
    event: tuple[str, ...] = ()
    follow_links: bool = False
    exclude: tuple[str, ...] = ()
    delimiter: str | None = None
    header_row: bool = True
    sample_pictures: str = "main"
    user_agent: str | None = None
    writes_texts: bool = False
    outputs: RunPaths | None = None

    def has(self, name: str) -> bool:
        """Whether an option has another value than its default."""
        return bool(getattr(self, name) != getattr(_DEFAULTS, name))

    def recorded(self) -> JSON:
        """Those options that decide which pictures there are, and their keys, without defaults."""
        found = {name: getattr(self, name) for name in sorted(_OF_KEYS) if self.has(name)}
        return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}

    @classmethod
    def from_recorded(cls, values: Any) -> Self:
        """Options from what ``recorded`` returned, as JSON; what is not of their types is left out."""
        given = values if isinstance(values, dict) else {}
        found: dict[str, Any] = {}
        for name in _OF_KEYS & given.keys():
            value = tuple(given[name]) if isinstance(given[name], list) else given[name]
            if _fits(value, name):
                found[name] = value
        return cls(**found)


_OF_KEYS: Final = frozenset(
    (
        *("source_type", "image_column", "url_column", "key_column", "recursive", "text_encoding"),
        *("split", "event", "exclude", "delimiter", "header_row", "sample_pictures"),
    )
)
_DEFAULTS = SourceOptions()


def _fits(value: Any, name: str) -> bool:
    default = getattr(_DEFAULTS, name)
    if isinstance(default, tuple):
        return isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    return isinstance(value, bool if isinstance(default, bool) else str)


def flag_of(name: str) -> str:
    """The option of the command line that sets a field."""
    flag = {"header_row": "no-header", "recursive": "no-recursive"}.get(name, name.replace("_", "-"))
    return f"--{flag}"
