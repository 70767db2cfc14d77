"""The data of METEOR 1.5: function words, synonyms, and paraphrases as an index on disk.

They are read from the package ``pycocoevalcap`` (extra ``metrics``), none of whose programs is run.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import io
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cutline.app_dirs import cache_dir
from cutline.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    import numpy as np

LONGEST_PHRASE: Final = 7
"""Words of the longest paraphrase."""

_SUFFIXES: Final = (  # of inflected words, and what replaces them, in the order of trial
    ("s", ""), ("ses", "s"), ("xes", "x"), ("zes", "z"), ("ches", "ch"), ("shes", "sh"), ("men", "man"),
    ("ies", "y"), ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"),
    ("ing", ""), ("er", ""), ("est", ""), ("er", "e"), ("est", "e"),
)  # fmt: skip
_BLOCK: Final = 1 << 24  # bytes of paraphrases that are hashed at a time
_BASE: Final = 0x9E3779B97F4A7C15
_VERSION: Final = 1  # of the index's form


@functools.cache
def _folder() -> Path:
    """Where the data lies; raises MissingExtra."""
    try:
        found = importlib.util.find_spec("pycocoevalcap")
    except ValueError:  # it is there without one
        found = None
    if found is None or not found.submodule_search_locations:
        raise MissingExtra("METEOR", "metrics")
    return Path(found.submodule_search_locations[0]) / "meteor"


def _lines(name: str) -> list[str]:
    """The lines of a file within METEOR's archive."""
    try:
        with zipfile.ZipFile(_folder() / "meteor-1.5.jar") as archive:
            return archive.read(name).decode("utf-8").split("\n")
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError(f"METEOR's data cannot be read ({error}): install pycocoevalcap again") from None


@functools.cache
def function_words() -> frozenset[str]:
    """Words such as "the", which weigh less."""
    return frozenset(word for line in _lines("function/english.words") if (word := line.strip()))


@functools.cache
def abbreviations() -> dict[str, bool]:
    """What keeps its full stop; True for what keeps it before a number only."""
    found: dict[str, bool] = {}
    for line in _lines("nonbreaking/english.prefixes"):
        words = line.split()
        if words and not words[0].startswith("#"):
            found[words[0]] = words[1:2] == ["#NUMERIC_ONLY#"]
    return found


class Synonyms:
    """The sets of synonyms of a word by WordNet 3.0."""

    def __init__(self) -> None:
        self._sets = dict(_pairs(_lines("synonym/english.synsets")))  # taken apart only where they are needed
        self._bases: dict[str, list[str]] = {}
        for base, forms in _pairs(_lines("synonym/english.exceptions")):
            for form in forms.split():
                self._bases.setdefault(form, []).append(base)

    def sets(self, word: str) -> frozenset[str]:
        """Those of the word itself and of what it is a form of, by their numbers."""
        bases = self._bases.get(word) or [self._base(word)]
        return frozenset(" ".join(self._sets.get(one, "") for one in (word, *bases)).split())

    def _base(self, word: str) -> str:
        if word.endswith("ss") or len(word) <= 2:
            return word
        for suffix, ending in _SUFFIXES:
            if word.endswith(suffix) and (base := word[: -len(suffix)] + ending) in self._sets:
                return base
        return ""


def _pairs(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    return zip(lines[::2], lines[1::2], strict=False)


@functools.cache
def synonyms() -> Synonyms:
    return Synonyms()


class Paraphrases:
    """5.3 million pairs of phrases as hashes: which phrases stand for a phrase, in the order of the table.

    ``phrases`` are sorted hashes, of which number ``n`` has the paraphrases from ``starts[n]`` to
    ``starts[n + 1]`` in ``others``: the upper halves of their hashes.
    """

    def __init__(self, phrases: np.ndarray, starts: np.ndarray, others: np.ndarray) -> None:
        self._phrases = phrases
        self._starts = starts
        self._others = others

    def among(self, hashes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which of some phrases stand for which: the places of both in ``hashes``, all different.

        In the order of the first ones; for each of them in that of the table.
        """
        import numpy as np

        at = np.searchsorted(self._phrases, hashes)
        at[at == len(self._phrases)] = 0
        known = np.flatnonzero(self._phrases[at] == hashes)
        first = self._starts[at[known]].astype(np.int64)
        counts = self._starts[at[known] + 1] - first
        inner = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        others = self._others[np.repeat(first, counts) + inner]
        short = (hashes >> np.uint64(32)).astype(np.uint32)
        order = np.argsort(short)
        short = short[order]
        place = np.searchsorted(short, others)
        place[place == len(order)] = 0
        hit = np.flatnonzero(short[place] == others) if len(short) else place
        return np.repeat(known, counts)[hit], order[place[hit]]


@functools.cache
def paraphrases() -> Paraphrases:
    """The index, made and kept in the cache folder when it is first used.

    Raises:
        MissingExtra: the extra ``metrics`` is not installed.
        ConfigError: the table is damaged.
    """
    import numpy as np

    path = index_file()
    with contextlib.suppress(OSError, ValueError):
        return _opened(np.load(path, mmap_mode="r"))
    packed = _packed(_table())
    with contextlib.suppress(OSError):  # a cache that cannot be written is made again each time
        _keep(path, packed)
    return _opened(packed)


def is_indexed() -> bool:
    """Whether ``paraphrases`` needs no time: the index is loaded, or its file is there."""
    return bool(paraphrases.cache_info().currsize) or index_file().exists()


def index_file() -> Path:
    """Where the index is kept; raises as ``paraphrases``."""
    try:
        found = _table().stat()
    except OSError as error:
        raise ConfigError(f"METEOR's data cannot be read ({error}): install pycocoevalcap again") from None
    return cache_dir() / "meteor" / f"paraphrases-{_VERSION}-{found.st_size}-{found.st_mtime_ns}.npy"


def _table() -> Path:
    return _folder() / "data/paraphrase-en.gz"


def _keep(path: Path, packed: np.ndarray) -> None:
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with io.FileIO(descriptor, "wb") as file:
            np.save(file, packed)
        Path(part).replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            Path(part).unlink()
        raise


def _opened(packed: np.ndarray) -> Paraphrases:
    """The three parts of one array of bytes, behind their lengths; ValueError where these do not fit."""
    import numpy as np

    count, pairs = packed[:16].view(np.int64).tolist()
    starts, others = 16 + 8 * count, 16 + 8 * count + 4 * (count + 1)
    if len(packed) != others + 4 * pairs:
        raise ValueError("it is cut")
    return Paraphrases(
        packed[16:starts].view(np.uint64),
        packed[starts:others].view(np.int32),
        packed[others:].view(np.uint32),
    )


def _packed(table: Path) -> np.ndarray:
    """The table as bytes; it has three lines for each pair, probability and two phrases."""
    import numpy as np

    hashes = np.concatenate([mixed(line_sums(block)[0]) for block in _blocks(table)])
    if len(hashes) % 3:
        raise ConfigError("METEOR's paraphrases are damaged: install pycocoevalcap again")
    phrases, others = hashes[1::3], (hashes[2::3] >> np.uint64(32)).astype(np.uint32)
    order = np.argsort(phrases, kind="stable")
    unique, first = np.unique(phrases[order], return_index=True)
    starts = np.append(first, len(phrases)).astype(np.int32)
    sizes = np.array([len(unique), len(phrases)], np.int64)
    return np.concatenate([part.view(np.uint8) for part in (sizes, unique, starts, others[order])])


def _blocks(table: Path) -> Iterator[bytes]:
    """The content of a compressed file in blocks of whole lines."""
    unpacked = zlib.decompressobj(wbits=31)
    rest = b""
    try:
        with table.open("rb") as file:
            while data := file.read(_BLOCK // 4):
                content = rest + unpacked.decompress(data)
                end = content.rfind(b"\n") + 1
                rest = content[end:]
                yield content[:end]
    except (OSError, zlib.error) as error:
        raise ConfigError(f"METEOR's data cannot be read ({error}): install pycocoevalcap again") from None


@functools.cache
def _powers(length: int) -> tuple[np.ndarray, np.ndarray]:
    """The powers of the hash's base, and of its inverse, modulo 2 to the 64."""
    import numpy as np

    def powers(base: int) -> np.ndarray:
        table = np.full(length, base, np.uint64)
        table[0] = 1
        return np.cumprod(table, dtype=np.uint64)

    return powers(_BASE), powers(pow(_BASE, -1, 1 << 64))


def line_sums(lines: bytes) -> tuple[np.ndarray, np.ndarray]:
    """A number for each line, and how many bytes it has; all computed at once. Each line ends in a line feed.

    The polynomial of the bytes, modulo 2 to the 64 (Karp and Rabin, 1987).
    """
    import numpy as np

    powers, inverses = _powers(1 << max(16, len(lines).bit_length()))
    signs = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(signs == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    sums = np.zeros(len(signs) + 1, np.uint64)
    np.cumsum((signs + np.uint64(1)) * powers[: len(signs)], out=sums[1:])
    return (sums[ends] - sums[starts]) * inverses[starts], ends - starts


def joined_sums(
    sums: np.ndarray, sizes: np.ndarray, more: np.ndarray, more_sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``line_sums`` of lines with a blank and others behind them."""
    import numpy as np

    powers, _ = _powers(1 << 16)
    behind = powers[sizes] * np.uint64(ord(" ") + 1) + powers[sizes + 1] * more
    return sums + behind, sizes + 1 + more_sizes


def mixed(sums: np.ndarray) -> np.ndarray:
    """Hashes made of ``line_sums``, each bit of which depends on all of theirs."""
    import numpy as np

    hashes = sums.copy()
    for shift in (32, 29):
        hashes ^= hashes >> np.uint64(shift)
        hashes *= np.uint64(0xBF58476D1CE4E5B9)
    result: np.ndarray = hashes ^ (hashes >> np.uint64(32))
    return result
