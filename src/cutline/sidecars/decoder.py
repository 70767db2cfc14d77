"""Decodes and rewrites the texts of one dataset, each with the evidence of all."""

from __future__ import annotations

import codecs
import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from typing import Final

from cutline.errors import ConfigError, SampleError
from cutline.imaging.formats import LFS_CURE, LFS_MAGIC
from cutline.sidecars.detection import contradicts, decodes, detect
from cutline.sidecars.encoding import SidecarText, decode, form_of, read
from cutline.sidecars.names import ENDING

_POOLED: Final = 64_000  # bytes of texts beyond UTF-8 that are compared
_LOOKED_AT: Final = 2_000  # text files that are looked at for them
_VOTES: Final = 32
_UNMARKED: Final = {"utf-16": "utf-16-le", "utf-32": "utf-32-le", "utf-8-sig": "utf-8"}


class TextDecoder:
    """Texts without a mark that are not UTF-8: in the encoding ``named``, else in the one of their folder.

    That is detected from all such texts of the folder, else of the text alone, else of all below ``root``;
    without a root, of those that were decoded before.
    """

    def __init__(self, named: str | None = None, *, root: str = "", ending: str = ENDING) -> None:
        """Raises ConfigError for the name of no text encoding."""
        self._named: str | None = text_encoding(named) if named else None
        self._root = root
        self._ending = ending
        self._found: dict[tuple[str, bool], str | None] = {}
        self._seen: list[bytes] = []

    def decode(self, data: bytes, folder: str = "") -> SidecarText:
        """``unsure`` where no encoding is certain; ``folder`` is where the text lies."""
        text = decode(data)
        if text.mark or (not text.unsure and (self._named is None or data.isascii())):
            return text
        if self._named is not None:
            encoding = _UNMARKED.get(self._named, self._named)
            named = decodes(data, encoding)
            return text if named is None else form_of(named, encoding=encoding)
        for candidate in self._candidates(data, folder):
            detected = decodes(data, candidate) if candidate else None
            if candidate and detected is not None:
                own = contradicts(data, candidate)
                text_of = decodes(data, own) if own else None
                return form_of(text_of or detected, encoding=own or candidate, detected=True)
        return text

    def new(self, caption: str) -> bytes:
        """A new file: UTF-8, or in the encoding ``named``; UTF-8 with a mark where that lacks a character."""
        if self._named is None:
            return caption.encode()
        try:
            return caption.encode(self._named)
        except UnicodeEncodeError:
            return codecs.BOM_UTF8 + caption.encode()

    def rewrite(self, before: bytes | None, caption: str, folder: str = "") -> bytes:
        """The bytes that put ``caption`` in place of ``before``'s; ``before`` itself where it is the same.

        A new file, ``before`` None, has no line break at the end.
        """
        if before is None:
            return self.new(caption)
        return self.rewrite_text(before, self.decode(before, folder), caption)

    def rewrite_text(self, before: bytes, old: SidecarText, caption: str) -> bytes:
        """As ``rewrite``, where ``before`` was decoded to ``old``."""
        if old.caption == caption:
            return before
        text = old.with_caption(caption)
        if self._named is not None and text.encoding == "utf-8" != old.encoding and not text.text.isascii():
            text = dataclasses.replace(
                text, mark=codecs.BOM_UTF8
            )  # or it would be read as the named encoding
        return text.encode()

    def _candidates(self, data: bytes, folder: str) -> Iterator[str | None]:
        has_zeros = b"\0" in data
        if self._root:
            yield self._detected(folder or self._root, has_zeros=has_zeros, deep=False)
        yield detect([data])
        if self._root:
            yield self._detected(self._root, has_zeros=has_zeros, deep=True)
        elif not has_zeros:
            if sum(map(len, self._seen)) < _POOLED:
                self._seen.append(data)
            yield detect(self._seen)

    def _detected(self, folder: str, *, has_zeros: bool, deep: bool) -> str | None:
        key = (f"{folder}/**" if deep else folder, has_zeros)
        if key not in self._found:
            texts = [text for text in self._unusual(folder, deep=deep) if (b"\0" in text) == has_zeros]
            self._found[key] = detect(texts) or _majority(texts)
        return self._found[key]

    def _unusual(self, folder: str, *, deep: bool) -> list[bytes]:
        return _unusual_texts(folder, self._ending, deep=deep)


def text_encoding(name: str) -> str:
    """The normal name of a text encoding; ConfigError: there is no such one."""
    try:
        found = codecs.lookup(name)
        "".encode(found.name)
    except (LookupError, UnicodeError, ValueError):
        raise ConfigError(
            f"--text-encoding: {name!r} is not a text encoding; name one such as utf-8, utf-16, cp1252, "
            "gb18030, big5, shift_jis, euc_kr or cp1251"
        ) from None
    return found.name


def check_joinable(file: object, text: SidecarText) -> None:
    """Raise SampleError ``sidecar`` where a text cannot be extended without a loss."""
    if text.text.encode(errors="replace").startswith(LFS_MAGIC):
        raise SampleError("sidecar", not_downloaded(str(file)))
    if text.unsure:
        raise SampleError("sidecar", unknown_encoding(str(file)))
    if text.damaged:
        message = f"{file} is not valid {text.encoding}, so it is not extended: save it as UTF-8"
        raise SampleError("sidecar", message)


def not_downloaded(file: str) -> str:
    """Why the text in a file of Git LFS is not used."""
    return f"{file} is a Git LFS pointer instead of the text; {LFS_CURE}"


def unknown_encoding(file: str) -> str:
    """Why the text in a file is not used."""
    return (
        f"{file} is neither UTF-8 nor in an encoding that is certain; name it with --text-encoding, "
        "or save it as UTF-8"
    )


def _majority(texts: list[bytes]) -> str | None:
    """The only encoding that single texts are detected to have, as some of the others may be damaged."""
    votes = Counter(detect([text]) for text in texts[:_VOTES])
    sure = [encoding for encoding in votes if encoding is not None]
    return sure[0] if len(sure) == 1 and votes[sure[0]] > len(texts[:_VOTES]) // 2 else None


def _unusual_texts(folder: str, ending: str, *, deep: bool) -> list[bytes]:
    """The texts of a folder that are neither marked nor UTF-8."""
    texts: list[bytes] = []
    looked_at = size = 0
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(".")) if deep else []
        for name in sorted(names):
            if not name.lower().endswith(ending):
                continue
            looked_at += 1
            if looked_at > _LOOKED_AT or size > _POOLED:
                return texts
            file = os.path.join(path, name)  # noqa: PTH118 - paths stay strings
            try:
                data = None if os.path.islink(file) else read(file)  # noqa: PTH114 - as above
            except SampleError:
                continue
            if data and decode(data).unsure:
                texts.append(data)
                size += len(data)
    return texts
