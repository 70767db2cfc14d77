"""What a user should know about the encodings of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, Self

from cutline.files import name_to_text
from cutline.formatting import plural
from cutline.imaging.formats import LFS_CURE, LFS_MAGIC
from cutline.sidecars.decoder import TextDecoder, not_downloaded, unknown_encoding
from cutline.sidecars.encoding import SidecarText, decode

_NAMED: Final = 3
_REMARKS: Final = {
    "edited": "edited by hand: kept, whatever --existing says (delete or empty one to caption it again)",
    "unsure": "in an unknown encoding, not read (name it with --text-encoding, or save them as UTF-8)",
    "damaged": "damaged, read with U+FFFD for what cannot be decoded",
    "pointer": f"that Git LFS has not downloaded, not read ({LFS_CURE})",
    "converted": "rewritten as UTF-8, as the new caption has characters that their encoding lacks",
}


class TextFilesLine(str):
    """A line about ``number`` text files, to which ``merged`` can add others; pickles."""

    __slots__ = ("names", "number", "what")

    def __new__(cls, what: str, count: int, names: Iterable[str]) -> Self:
        names = tuple(names)
        more = ", …" if count > len(names) else ""
        made = super().__new__(
            cls, f"{plural(count, 'text file')} {_REMARKS.get(what, what)}: {', '.join(names)}{more}"
        )
        made.what, made.number, made.names = what, count, names
        return made

    what: str
    number: int
    names: tuple[str, ...]

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.what, self.number, self.names)


def merged(lines: Iterable[str]) -> list[str]:
    """The lines of several listings, each once, and one for each kind of text file."""
    found: dict[str, str] = {}
    for line in lines:
        name = line.what if isinstance(line, TextFilesLine) else line
        known = found.setdefault(name, line)
        if isinstance(known, TextFilesLine) and isinstance(line, TextFilesLine) and known is not line:
            new = [name for name in line.names if name not in known.names]
            count = known.number + line.number - (len(line.names) - len(new))
            found[name] = TextFilesLine(known.what, count, [*known.names, *new][:_NAMED])
    return list(found.values())


class EncodingReport:
    """Decodes texts; counts those whose encoding a user should know of, and names the first of them."""

    def __init__(self, decoder: TextDecoder | None = None) -> None:
        self.decoder = decoder or TextDecoder()
        self._names: dict[str, list[str]] = {}
        self._counts: Counter[str] = Counter()

    def clear(self) -> None:
        self._names.clear()
        self._counts.clear()

    def read(self, name: str, data: bytes, folder: str = "") -> tuple[str | None, str]:
        """The caption in a text file, which is noted, and why it cannot be used; neither in an empty one."""
        if data.startswith(LFS_MAGIC):
            self._note("pointer", name)
            return None, not_downloaded(name_to_text(name))
        text = self.decoder.decode(data, folder)
        if not text.caption:
            return None, ""
        self.note_read(name, text)
        return (None, unknown_encoding(name_to_text(name))) if text.unsure else (text.caption, "")

    def note_read(self, name: str, text: SidecarText) -> None:
        if text.detected:
            remark = f"not in UTF-8, read as {text.encoding} (name another with --text-encoding)"
            self._note(remark, name)
        elif text.unsure or text.damaged:
            self._note("unsure" if text.unsure else "damaged", name)

    def note_edited(self, name: str) -> None:
        self._note("edited", name)

    def note_rewritten(self, name: str, before: SidecarText, after: bytes) -> None:
        if not after.isascii() and before.encoding != "utf-8" and decode(after).encoding == "utf-8":
            self._note("converted", name)

    def _note(self, what: str, name: str) -> None:
        self._counts[what] += 1
        names = self._names.setdefault(what, [])
        if len(names) < _NAMED:
            names.append(name_to_text(name))

    def lines(self) -> list[TextFilesLine]:
        """One line for each kind of file that was noted."""
        return [TextFilesLine(what, count, self._names[what]) for what, count in self._counts.items()]
