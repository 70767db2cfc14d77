"""The place of an output file: on this machine, or on storage that fsspec reaches."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import Protocol

from cutline.errors import ConfigError
from cutline.files import sync_file, sync_folder, write_errors
from cutline.records import JSON
from cutline.storage import is_remote, local_path, open_storage, storage_errors


class Target(Protocol):
    """One output file that is published whole. ConfigError or SinkError: it cannot be used."""

    name: str

    @property
    def location(self) -> Path | str:
        """The place for the user."""

    def exists(self) -> bool:
        """Whether there is content that could be lost."""

    def stamp(self, part: Path | None = None) -> JSON:
        """Identifies the finished output, or its content in ``part`` before it is published."""

    def matches(self, stamp: JSON) -> bool:
        """Whether the output is the one that was stamped."""

    def prepare(self) -> None:
        """Make the folder of the output, where there is none."""

    def read(self) -> bytes:
        """The whole content."""

    def remove_part(self) -> None:
        """Remove what a run that died while it published left beside the output."""

    def publish(self, part: Path) -> None:
        """Move the content of ``part`` to the output."""


def target(output: str) -> Target:
    """The place of an output; raises as ``open_storage``."""
    return RemoteTarget(output) if is_remote(output) else LocalTarget(Path(local_path(output)))


class LocalTarget:
    """A file on this machine; where ``path`` is a link, the file it leads to, unless ``follow`` is false."""

    def __init__(self, path: Path, *, follow: bool = True) -> None:
        self.name = str(path)
        self.location = path
        self._path = path.resolve() if follow else path

    def exists(self) -> bool:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise ConfigError(f"cannot look at {self.name}: {error.strerror}") from error
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise ConfigError(f"{self.name} is {kind}: give the name of a file")
        return status.st_size > 0

    def stamp(self, part: Path | None = None) -> JSON:
        file = part or self._path
        with file.open("rb") as content:
            status = os.fstat(content.fileno())
            digest = hashlib.file_digest(content, "blake2b").hexdigest()[:32]
        return {"size": status.st_size, "mtime": status.st_mtime_ns, "digest": digest}

    def matches(self, stamp: JSON) -> bool:
        # The content is read only where the times differ, as after a copy.
        status = self._path.stat()
        if status.st_size != stamp.get("size"):
            return False
        return bool(status.st_mtime_ns == stamp.get("mtime") or self.stamp()["digest"] == stamp.get("digest"))

    def prepare(self) -> None:
        with write_errors(self.name):
            self._path.parent.mkdir(parents=True, exist_ok=True)

    def read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read {self.name}: {error.strerror}") from error

    def remove_part(self) -> None:
        with write_errors(self.name):
            part_beside(self._path).unlink(missing_ok=True)

    def publish(self, part: Path) -> None:
        with write_errors(self.name):
            sync_file(part)
            try:
                part.replace(self._path)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                _replace_across(part, self._path)
            sync_folder(self._path.parent)


class RemoteTarget:
    """An object on remote storage; appears whole where the storage's own writes do, as S3's."""

    def __init__(self, url: str) -> None:
        self.name = self.location = url
        self._files, self._path = open_storage(url)

    def exists(self) -> bool:
        return self._info() is not None

    def stamp(self, part: Path | None = None) -> JSON:
        if part:
            return {"size": part.stat().st_size}
        info = self._info() or {}
        return {"size": info.get("size"), "tag": info.get("ETag") or info.get("etag")}

    def matches(self, stamp: JSON) -> bool:
        # A stamp without a tag was made before the upload; after it, the upload may have been cut off.
        now = self.stamp()
        return bool(now["size"] == stamp.get("size") and stamp.get("tag") in {None, now["tag"]})

    def prepare(self) -> None:
        pass  # objects need none

    def read(self) -> bytes:
        with storage_errors(self.name):
            content: bytes = self._files.cat_file(self._path)
        return content

    def publish(self, part: Path) -> None:
        with (
            storage_errors(self.name),
            part.open("rb") as content,
            self._files.open(self._path, "wb") as file,
        ):
            shutil.copyfileobj(content, file, 1 << 20)
        part.unlink()

    def remove_part(self) -> None:
        return  # an upload that was cut off is not an object

    def _info(self) -> JSON | None:
        with storage_errors(self.name):
            self._files.invalidate_cache()
            try:
                return dict(self._files.info(self._path))
            except FileNotFoundError:
                return None


def part_beside(path: Path) -> Path:
    """The part of an output on the output's own file system; a run finds what a dead one left."""
    return path.with_name(f".cutline-{hashlib.blake2b(os.fsencode(path), digest_size=6).hexdigest()}.part")


def _replace_across(part: Path, path: Path) -> None:
    """The state folder is on another file system: copy beside the target, then rename."""
    beside = part_beside(path)
    try:
        shutil.copy2(part, beside)  # with its time, which is in the stamp
        sync_file(beside)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise
    part.unlink()
