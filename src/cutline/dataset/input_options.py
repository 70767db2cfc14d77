"""Options to open tables as datasets."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """``image_root``: the only folder, tar, zip or table to read a table's pictures from; None for its own
    folder, and the input of the run that wrote it.

    ``image_column`` and ``text_column``: columns of the pictures' paths and of the captions; None to find
    them by name. ``input_roots``: the folders in which the input of a run may lie; None for any.
    ``follow_links``: read pictures of a table, and texts of a folder, also where links lead out of it.
    """

    image_root: str | None = None
    image_column: str | None = None
    text_column: str | None = None
    input_roots: tuple[str, ...] | None = None
    follow_links: bool = False

    @property
    def given(self) -> str:
        """The first given option, as on the command line; empty without any."""
        names = ("image_root", "image_column", "text_column")
        values = (self.image_root, self.image_column, self.text_column)
        found = next((name for name, value in zip(names, values, strict=True) if value is not None), "")
        return found and f"--{found.replace('_', '-')}"
