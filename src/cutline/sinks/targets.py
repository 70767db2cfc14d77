"""Where an output ends up: a file on this machine, or an object on storage that fsspec reaches."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import Any, Protocol

from cutline.errors import ConfigError, MissingExtra
from cutline.records import JSON
from cutline.sinks.write_errors import storing, sync_folder, writing


class Target(Protocol):
    """One output file that is published whole."""

    name: str

    @property
    def location(self) -> Path | str:
        """What the user should look at."""

    def exists(self) -> bool:
        """Whether something is there that could be lost.

        Raises:
            ConfigError: it is no file, or cannot be looked at.
        """

    def stamp(self, part: Path | None = None) -> JSON:
        """What tells a finished output from any other; ``part``: before it takes its place."""

    def matches(self, stamp: JSON) -> bool:
        """Whether what is there is what was stamped."""

    def read(self) -> bytes:
        """The whole content of what is there.

        Raises:
            ConfigError, SinkError: it cannot be read.
        """

    def publish(self, part: Path) -> None:
        """Put the content of ``part`` in its place.

        Raises:
            SinkError: the system or the storage refuses.
        """


def target(output: str) -> Target:
    """The place that an output name means.

    Raises:
        MissingExtra: its protocol needs a package that is not installed.
        ConfigError: nobody knows its protocol.
    """
    return RemoteTarget(output) if is_remote(output) else LocalTarget(local_path(output))


def is_remote(output: str) -> bool:
    """Whether fsspec has to write it, as ``s3://…``."""
    return "://" in output and not output.startswith(("file://", "local://"))


def local_path(output: str) -> Path:
    """The path behind an output name that is not remote."""
    return Path(output.removeprefix("file://").removeprefix("local://"))


class LocalTarget:
    """A file on this machine; where ``path`` is a link, the file it leads to."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.location = path
        self._path = path.resolve()

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
        if status.st_size != stamp["size"]:
            return False
        return bool(status.st_mtime_ns == stamp["mtime"] or self.stamp()["digest"] == stamp["digest"])

    def read(self) -> bytes:
        try:
            return self._path.read_bytes()
        except OSError as error:
            raise ConfigError(f"cannot read {self.name}: {error.strerror}") from error

    def publish(self, part: Path) -> None:
        with writing(self.name):
            _sync(part)
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
        return bool(now["size"] == stamp["size"] and stamp.get("tag") in {None, now["tag"]})

    def read(self) -> bytes:
        with storing(self.name):
            content: bytes = self._files.cat_file(self._path)
        return content

    def publish(self, part: Path) -> None:
        with storing(self.name), part.open("rb") as content, self._files.open(self._path, "wb") as file:
            shutil.copyfileobj(content, file, 1 << 20)
        part.unlink()

    def _info(self) -> JSON | None:
        with storing(self.name):
            self._files.invalidate_cache()
            try:
                return dict(self._files.info(self._path))
            except FileNotFoundError:
                return None


def try_writing(output: str) -> None:
    """Write an empty object beside a remote output and take it away again; nothing for one on this machine.

    A name or a right that is missing is found out before anything is paid for.

    Raises:
        SinkError: the storage refuses.
    """
    if not is_remote(output):
        return
    files, path = open_storage(output)
    tried = f"{path}.cutline-try"
    with storing(output):
        files.pipe_file(tried, b"")
    with contextlib.suppress(Exception):  # who may write may not be allowed to remove: it is empty
        files.rm_file(tried)


_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}


def open_storage(url: str) -> tuple[Any, str]:
    """The storage's file system for ``url``, and the path within it.

    Raises:
        MissingExtra: its package is not installed.
        ConfigError: nobody knows its protocol.
    """
    import fsspec

    protocol = url.partition("://")[0]
    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        if protocol in _EXTRAS:
            raise MissingExtra(f"writing to {protocol}://", _EXTRAS[protocol]) from error
        raise ConfigError(f"cannot write to {url}: {error}") from error
    except ValueError as error:
        raise ConfigError(f"cannot write to {url}: {error}") from error
    return files, path


def _sync(file: Path) -> None:
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace_across(part: Path, path: Path) -> None:
    """The state folder is on another file system: copy beside the target, then rename."""
    beside = path.with_name(f".cutline-{os.getpid()}.part")
    try:
        shutil.copy2(part, beside)  # with its time, which is part of what we know it by
        _sync(beside)
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        raise
    part.unlink()
