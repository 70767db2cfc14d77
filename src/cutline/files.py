"""Atomic and durable writes, errors of writing in one line, and file names as valid Unicode."""

# Paths of pictures stay strings: they need not be valid Unicode, and they come by the million.

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from zlib_ng.zlib_ng import crc32

from cutline.errors import ConfigError, SampleError, SinkError
from cutline.formatting import nearest, one_line

_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EISDIR: "move that folder away",
    errno.EROFS: "make the file system writable",
    errno.EACCES: "allow writing there",
    errno.EPERM: "allow writing there",
    errno.EIO: "check the disk",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}
SEVERAL_INPUTS = "several files are one input: their folder, or a pattern in quotes, such as 'photos/*.jpg'"
MAX_NAMES = 10_000  # of a folder, of which one may be meant
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EMFILE, errno.ENFILE}


def not_there(path: str | Path) -> str:
    """The message for a file on this machine that does not exist, with the one probably meant."""
    if os.path.isdir(path):  # noqa: PTH112 - a name may be too long for pathlib
        return f"{path} is a folder: give a file"
    return f"{path} does not exist{similar_path(path)}"


def similar_path(path: str | Path) -> str:
    """``, did you mean …?`` for a path that does not exist; empty where nothing is similar."""
    near = _similar(Path(path))
    if near is None:
        return ""
    return f", did you mean {name_to_text(str(near))}{'/' * str(path).endswith('/')}?"


def check_folder(folder: str) -> None:
    """Raises ConfigError for what is not a folder on this machine."""
    name = name_to_text(folder)
    if not os.path.exists(folder):  # noqa: PTH110 - a name may be too long for pathlib
        raise ConfigError(not_there(name))
    if not os.path.isdir(folder):  # noqa: PTH112 - as above
        raise ConfigError(f"{name} is not a folder")


def _similar(path: Path) -> Path | None:
    """An existing path whose first part that differs is nearly that of ``path``."""
    with contextlib.suppress(OSError, ValueError):
        parts = [path, *path.parents]
        folder = next((part for part in parts[1:] if part.is_dir()), None)
        if folder is None:
            return None
        rest = path.relative_to(folder)
        names = {entry.name.lower(): entry.name for entry in itertools.islice(os.scandir(folder), MAX_NAMES)}
        for near in nearest(rest.parts[0].lower(), names, cutoff=0.75):
            found = folder / names[near]
            return whole if (whole := found.joinpath(*rest.parts[1:])).exists() else found
    return None


@contextlib.contextmanager
def write_errors(path: Path | str) -> Iterator[None]:
    """Turn an OSError into one line that names the path and the remedy.

    Raises:
        SinkError: instead of any OSError within.
    """
    try:
        yield
    except OSError as error:
        raise SinkError(
            f"cannot write {path}: {one_line(error)}; {remedy(error)} and run the same command again: "
            "nothing is lost"
        ) from error


def remedy(error: OSError) -> str:
    """What to do about a write that failed, as a clause."""
    return _REMEDIES.get(error.errno or 0, "fix this")


@contextlib.contextmanager
def file_errors(path: Path | str) -> Iterator[None]:
    """Turn an OSError about one text file within into its own failure, unless the disk is the cause.

    Raises:
        SampleError: ``sidecar``; only this file cannot be written.
        SinkError: no file can be written, as on a full disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _OF_THE_DISK:
            with write_errors(path):
                raise
        message = f"cannot write {path}: {one_line(error)}; {remedy(error)} and run the same command again"
        raise SampleError("sidecar", message) from error


def sync_files(files: Collection[Path]) -> None:
    """Flush files and their names to disk; many at once, which shares the cost."""
    if files:
        import concurrent.futures

        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(_sync_if_there, files))
        for folder in {file.parent for file in files}:
            with contextlib.suppress(FileNotFoundError):  # moved since
                sync_folder(folder)


def _sync_if_there(file: Path) -> None:
    with contextlib.suppress(FileNotFoundError):  # moved since
        sync_file(file)


def sync_folder(folder: Path) -> None:
    """Flush renames within ``folder`` to disk, where the system can."""
    if os.name == "posix":
        sync_file(folder, os.O_RDONLY)


def sync_file(file: Path, flags: int = os.O_RDWR) -> None:
    """Flush a file's data to disk."""
    descriptor = os.open(file, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _short(name: str) -> str:
    """Cut by bytes: with the affixes of a part the name must stay within the file system's 255."""
    return os.fsencode(name)[:200].decode("ascii", "replace").replace("\N{REPLACEMENT CHARACTER}", "_")


def remove_parts(folder: Path, name: str | None = None) -> None:
    """Delete what ``write_atomically`` left when its process died: of one file of a folder, or of all.

    The caller holds the lock under which they are written, so that none of them is another run's.
    """
    of_file = re.escape(_short(name)) if name is not None else ".+"
    pattern = re.compile(rf"\.{of_file}\.\d+\.part")
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if pattern.fullmatch(path.name):
                path.unlink(missing_ok=True)


def new_part(path: Path) -> Path:
    """The name of the temporary file beside ``path``; a link or another file in its place is removed."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    return part


def write_atomically(
    path: Path | str, data: bytes, *, part: str = "", sync: bool = True, folder: int | None = None
) -> None:
    """Replace ``path`` by ``data``; a reader, or a crash, finds the old or the new file whole.

    ``part``: name of the temporary file beside it. ``sync``: flush to disk; else a power cut can undo it.
    ``folder``: descriptor of the folder in which the last part of ``path`` is written.

    Raises:
        OSError: the folder is read-only or the disk is full; the old file is untouched.
    """
    place, name = os.path.split(path)
    target = name if folder is not None else os.fspath(path)
    temporary = part or f".{_short(name)}.{os.getpid()}.part"
    if folder is None:
        temporary = os.path.join(place, temporary)  # noqa: PTH118 - as above
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
    flags |= getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    try:
        descriptor = os.open(temporary, flags, 0o666, dir_fd=folder)
        try:
            written = os.write(descriptor, data)
            while written < len(data):
                written += os.write(descriptor, memoryview(data)[written:])
            if sync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, target, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise


_ESCAPED = re.compile("�([0-9A-F]{2})")


def name_to_text(name: str) -> str:
    """A file name as valid Unicode: each byte that is not UTF-8 becomes U+FFFD and two hex digits.

    JSON, Parquet and tar headers must hold UTF-8; file names need not. ``text_to_name`` is the inverse.
    """
    if name.isascii():
        return name
    return "".join(f"�{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in name)


def text_to_name(text: str) -> str:
    """The inverse of ``name_to_text``, for names on this file system."""
    if text.isascii():
        return text
    return _ESCAPED.sub(lambda match: chr(0xDC00 + int(match[1], 16)), text)


def content_digest(data: bytes) -> str:
    """Length and CRC-32 of a picture's bytes: tells two pictures apart, at 3 µs for 200 KB (27 by zlib)."""
    return f"{len(data)}-{crc32(data):08x}"
