"""Extensions of input files, and unique keys."""

from __future__ import annotations

import re
from collections.abc import Mapping

from cutline.imaging import EXTENSIONS
from cutline.locations.stored import PACKINGS

IMAGE_NAMES = (
    "image", "img", "picture", "photo", "image_path", "img_path", "image_file",
    "file_name", "filename", "filepath", "file_path", "path", "file",
    "image_base64", "image_b64", "img_base64", "base64", "b64", "image_data", "image_bytes", "data_url",
    "data_uri",
    "image_name", "img_name", "image_filename", "image_file_name", "photo_path", "picture_path", "thumbnail",
)  # fmt: skip
TEXT_NAMES = ("caption", "captions", "text", "alt_text", "description")
URL_NAMES = ("url", "image_url", "img_url", "imageurl", "picture_url", "photo_url", "image_link", "uri")
TABLE_EXTENSIONS = frozenset({"json", "csv", "tsv", "parquet", "jsonl", "ndjson", "feather", "arrow"})
OTHER_EXTENSIONS = frozenset(
    (
        *("txt", "json", "csv", "tsv", "jsonl", "ndjson", "parquet", "arrow", "feather", "md"),
        *("caption", "html", "htm", "xml", "yaml", "yml", "toml", "ini", "cfg", "log"),
        *("py", "ipynb", "js", "css", "sh", "bat", "npy", "npz", "pt", "pth"),
        *("safetensors", "bin", "pkl", "h5", "hdf5", "db", "sqlite", "lock", "part", "zip"),
        *("tar", "tgz", "gz", "bz2", "xz", "zst", "7z", "rar", "pdf", "doc"),
        *("docx", "ppt", "pptx", "mp4", "mov", "avi", "mkv", "webm", "m4v", "mpg"),
        *("mp3", "wav", "flac", "ogg", "m4a", "xmp", "aae", "thm", "srt", "vtt"),
        *("url", "lnk", "exe", "dll", "so", "ttf", "otf", "woff", "woff2", "idx"),
        "index",
    )
)
"""Extensions of files that are not pictures, so that they are not looked into."""
METADATA_FILES = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
PAIRS = "captions.json"
"""The pairs of ``image`` and ``caption`` in the zips that exports write."""
_PACKED_TABLES = frozenset({"csv", "tsv", "jsonl", "ndjson", "json"})
_PART = re.compile(r"part-[mr]?-?\d+(?![^.]*\.(?!gz|bz2|xz|snappy|c\d))", re.IGNORECASE)
_EXTRAS = frozenset(
    ("_SUCCESS", "_metadata", "_common_metadata", "_temporary", "_delta_log", "_started", "_committed")
)
_UNFINISHED = frozenset(
    ("crdownload", "download", "filepart", "incomplete", "opdownload", "part", "partial", "temp", "tmp")
)
_ARCHIVES = (".zip", ".7z", ".rar", ".tar.bz2", ".tar.xz", ".tar.zst", ".tbz2", ".txz")
TAR_ENDINGS = (".tar", ".tgz", ".tar.gz")


def extension(name: str) -> str:
    """The part after the last dot, in lower case; empty for ``.hidden`` and names without a dot."""
    stem, _, last = name.rpartition(".")
    return last.lower() if stem and "/" not in last else ""


def table_ending(path: str) -> str:
    """The extension of a table, also of a compressed text table such as ``rows.csv.gz``."""
    stem, _, last = path.rpartition(".")
    inner = extension(stem.rpartition("/")[2]) if last.lower() in PACKINGS else ""
    return inner if inner in _PACKED_TABLES else extension(path)


def is_part(path: str) -> bool:
    """Whether a file is named as Spark and Hadoop name the parts of a table, such as ``part-00000``."""
    return _PART.match(path.rpartition("/")[2]) is not None


def is_table_extra(path: str) -> bool:
    """Whether a file belongs to a table of parts and has no rows: ``_SUCCESS``, ``_temporary/…``."""
    return any(part in _EXTRAS or part.endswith(".crc") for part in path.split("/"))


def is_archive(name: str) -> bool:
    """Whether a file may hold pictures that are packed together."""
    return is_tar(name) or name.lower().endswith(_ARCHIVES)


def is_unfinished(name: str) -> bool:
    """Whether a picture is named as programs name what they have not received whole yet."""
    stem, _, last = name.rpartition(".")
    return last.lower() in _UNFINISHED and extension(stem) in EXTENSIONS


def is_tar(name: str) -> bool:
    return name.lower().endswith(TAR_ENDINGS)


def without_tar_ending(name: str) -> str:
    """A tar's name without ``.tar`` or its like; any other name as it is."""
    ending = next((ending for ending in TAR_ENDINGS if name.lower().endswith(ending)), "")
    return name[: len(name) - len(ending)]


def is_metadata_file(path: str) -> bool:
    """Whether a table describes the pictures beside it, by the name that Hugging Face gives it."""
    return path.rpartition("/")[2].lower() in METADATA_FILES


def unpacked_ending(ending: str) -> str:
    """The ending ``jpg`` of ``jpg.gz``; any other as it is."""
    stem, _, last = ending.rpartition(".")
    return stem if stem and last in PACKINGS else ending


def picture_ending(ending: str) -> bool:
    """Whether a member's ending is that of a picture, perhaps of a packed one."""
    return unpacked_ending(ending).rpartition(".")[2] in EXTENSIONS


def no_pictures(path: str) -> str:
    """The message for a folder without pictures."""
    wanted = " ".join(f".{name}" for name in sorted(EXTENSIONS))
    return f"{path} holds no pictures; files ending in {wanted} are looked for, in any letter case"


class UniqueKeys:
    """Hands out keys that were not given before; holds 8-byte hashes, not the keys.

    Two different keys share a hash once in 10¹⁹ pairs; one of them would then be numbered, not lost.
    """

    def __init__(self, taken: Mapping[str, int] | None = None) -> None:
        """``taken``: keys that were given before, each with the number of its last repeat or 1."""
        self._seen = {hash(key) for key in taken or ()}
        self._repeats = {hash(key): number for key, number in (taken or {}).items()}

    def is_new(self, key: str) -> bool:
        """Whether the key was not given before; it is taken from now on."""
        mark = hash(key)
        if mark in self._seen:
            return False
        self._seen.add(mark)
        return True

    def unique(self, key: str) -> str:
        """The key itself the first time, then ``key#2``, ``key#3`` …"""
        if self.is_new(key):
            return key
        mark = hash(key)
        number = self._repeats.get(mark, 1) + 1
        while not self.is_new(f"{key}#{number}"):
            number += 1
        self._repeats[mark] = number
        return f"{key}#{number}"
