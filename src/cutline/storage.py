"""Remote storage through fsspec, such as ``s3://bucket/photos``: paths, drivers, errors and trial writes."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

from cutline.errors import ConfigError, CutlineError, MissingExtra, SinkError
from cutline.formatting import one_line

_LOCAL = re.compile(
    r"(?:file|local):(?=/)(?://(?:localhost(?=/))?(?=.))?", re.IGNORECASE
)  # also file:/a, RFC 8089
_ONE_SLASH = re.compile(r"(s3a?|gc?s|https?|az|abfss?|adl|hf|s?ftp|memory):/(?!/)", re.IGNORECASE)
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gcs", "gcs": "gcs"}
_WITHOUT_FOLDERS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "memory"})
_READ_AHEAD = 1024 * 1024


def is_url(path: str) -> bool:
    """Whether a path begins with a scheme, local ones included."""
    return "://" in path or _LOCAL.match(path) is not None


def is_http(path: str) -> bool:
    """Whether a path is a URL to download from the web."""
    return path[:4].lower() == "http" and path[4:8].lower().startswith(("://", "s://"))


def is_remote(path: str) -> bool:
    """Whether fsspec has to open a path: one with a scheme other than ``file`` and ``local``."""
    return "://" in path and _LOCAL.match(path) is None


def local_path(path: str) -> str:
    """A path on this machine without its scheme; remote paths stay as they are."""
    found = _LOCAL.match(path)
    return path[found.end() :] if found else path


def is_file_url(text: str) -> bool:
    """Whether a text is a URL of a file on this machine."""
    return _LOCAL.match(text) is not None


def named_path(text: str) -> str:
    """The path that a file URL names, decoded unless a file has the percent signs; other texts unchanged."""
    path = local_path(text)
    return path if path == text or os.path.lexists(path) else urllib.parse.unquote(path)


def absolute(path: str) -> str:
    """A path or URL in the one form in which two of the same place are equal."""
    if not is_remote(path):
        return os.path.realpath(local_path(path) or ".")
    scheme, _, rest = path.partition("://")
    scheme = {"s3a": "s3", "gcs": "gs"}.get(scheme.lower(), scheme.lower())
    return f"{scheme}://{'/'.join(part for part in rest.split('/') if part)}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedPath:
    """A path or URL as it was ``given``, without a local scheme as ``path``, and as by ``absolute``."""

    given: str
    path: str
    absolute: str
    is_remote: bool

    @classmethod
    def of(cls, path: str) -> Self:
        return cls(given=path, path=local_path(path), absolute=absolute(path), is_remote=is_remote(path))

    @property
    def name(self) -> str:
        """The last part, empty where a slash ends the path."""
        return self.path.rpartition("/")[2]


def check_scheme(path: str) -> None:
    """Raise ConfigError for a URL with one slash too few, which would be the name of a folder."""
    found = _ONE_SLASH.match(path)
    if found:
        url = f"{found[1]}://{path[found.end() :]}"
        raise ConfigError(f"{path} has one slash: give {url}, or ./{path} for a folder of that name")


def open_storage(url: str) -> tuple[Any, str]:
    """The fsspec file system of a remote path, and the path within it.

    Raises:
        MissingExtra: the driver of its protocol is not installed.
        ConfigError: the protocol is unknown, or its settings are invalid.
    """
    import fsspec

    protocol = url.partition("://")[0]
    try:
        files, path = fsspec.core.url_to_fs(url)
    except ImportError as error:
        if protocol in _EXTRAS:
            raise MissingExtra(f"access to {protocol}://", _EXTRAS[protocol]) from error
        raise ConfigError(f"cannot open {url}: {explained(error)}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot open {url}: {explained(error)}") from error
    return files, path


def open_local(folder: str) -> tuple[Any, str]:
    """As ``open_storage`` for a folder on this machine, whose name may look like a URL."""
    import fsspec

    return fsspec.filesystem("file"), Path(folder).absolute().as_posix()


def open_object(url: str) -> BinaryIO:
    """A remote file for reading, buffered.

    Raises:
        FileNotFoundError: there is no such object.
        ConfigError: as ``open_storage``.
        Exception: whatever the driver raises; drivers share no base class.
    """
    files, path = open_storage(url)
    # fsspec's own files lack features of Python's, such as a limit for readline.
    return cast("BinaryIO", io.BufferedReader(files.open(path, "rb"), _READ_AHEAD))


_TAGS = ("ETag", "etag", "md5Hash", "content_md5", "checksum", "generation")
_TIMES = ("LastModified", "last_modified", "updated", "mtime", "modified", "created")


def object_version(info: Mapping[str, Any]) -> str:
    """What a listing says of an object's content: its tag, or its size and time; empty without these.

    Each driver has names of its own for them.
    """
    for names in (_TAGS, _TIMES):
        found = next((info[name] for name in names if info.get(name)), None)
        if found is not None:
            return f"{info.get('size', '')} {found}"
    return ""


def object_time(info: Mapping[str, Any]) -> Any:
    """When an object was written, by the storage's clock: a time or seconds; None without one."""
    return next((info[name] for name in _TIMES if info.get(name) is not None), None)


def write_object(files: Any, path: str, data: bytes) -> None:
    """Write a small object; raises whatever the driver raises. Where storage has folders, they are made."""
    protocols = {files.protocol} if isinstance(files.protocol, str) else set(files.protocol)
    if not protocols & _WITHOUT_FOLDERS:
        files.makedirs(path.rpartition("/")[0], exist_ok=True)
    files.pipe_file(path, data)


def explained(error: Exception) -> str:
    """A driver's error in one line, with its cure."""
    reason = f"{type(error).__name__}: {one_line(error)}"
    found = (cure for signs, cure in _CURES if any(sign in reason.lower() for sign in signs))
    return f"{reason}; {next(found, 'fix this')}"


_KEYS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
_CURES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        # botocore's words for a file that it cannot open, which it does not name
        ("unhandled exception: [errno 2]", "unhandled exception: [errno 21]", "unhandled exception: [x509"),
        "AWS_CA_BUNDLE, or ca_bundle of ~/.aws/config, is not a file of certificates: name one, or unset it",
    ),
    (
        ("certificate_verify_failed", "certificate verify failed"),
        "the storage's certificate is not trusted: for a CA of your own set AWS_CA_BUNDLE to its file",
    ),
    (("wrong_version_number",), "the storage does not speak TLS: for one without it write http://"),
    (
        ("proxyconnectionerror", "proxies_config"),
        "the proxy cannot be used: check http_proxy and https_proxy, or name the storage's host in no_proxy",
    ),
    (
        ("credentials encoded in url",),
        f"remove the name and the password from AWS_ENDPOINT_URL: set {_KEYS}",
    ),
    (
        ("nocredentials", "partialcredentials", "unable to locate credentials", "defaultcredentials"),
        f"give credentials: set {_KEYS}; for gs:// run `gcloud auth application-default login`",
    ),
    (("profilenotfound",), "set AWS_PROFILE to a profile of ~/.aws/config"),
    (("expired",), "the credentials have expired: sign in again"),
    (
        ("invalidaccesskeyid", "access key id", "signaturedoesnotmatch", "signature", "invalidtoken"),
        f"the credentials are not accepted: check {_KEYS}, and AWS_ENDPOINT_URL",
    ),
    (
        (
            "permanentredirect",
            "must be addressed using",
            "authorizationheadermalformed",
            "illegallocation",
            "region",
        ),
        "the bucket is in another region: set AWS_DEFAULT_REGION to it",
    ),
    (
        ("nosuchbucket", "bucket does not exist", "invalidbucketname", "invalid bucket name"),
        "there is no such bucket: check its name, and AWS_ENDPOINT_URL if the storage is not Amazon's",
    ),
    (
        ("permissionerror", "accessdenied", "access denied", "forbidden"),
        "access is denied: allow these credentials to list, read, write and delete there",
    ),
    (
        (
            "could not connect",
            "cannot connect",
            "connecttimeout",
            "connection",
            "invalid endpoint",
            "name or service",
        ),
        "the storage cannot be reached: check the network, and that AWS_ENDPOINT_URL, if set, is its URL",
    ),
)
"""Signs of an error in lower case, and what to do; the first that fits counts."""


@contextlib.contextmanager
def storage_errors(place: str) -> Iterator[None]:
    """Turn a driver's errors into one line; drivers share no base class.

    Raises:
        SinkError: instead of any exception that is not cutline's.
    """
    try:
        yield
    except CutlineError:
        raise
    except Exception as error:
        cure = "run the same command again: nothing is lost"
        raise SinkError(f"cannot use {place}: {explained(error)}; then {cure}") from error


def try_writing(output: str) -> None:
    """Write an empty object beside a remote output and remove it; does nothing for a local one.

    Finds a wrong name or a missing permission before anything is paid for.

    Raises:
        SinkError: the storage refuses.
    """
    if not is_remote(output):
        return
    files, path = open_storage(output)
    trial = f"{path}.cutline-try"
    with storage_errors(output):
        files.pipe_file(trial, b"")
    with contextlib.suppress(Exception):  # permission to write need not include removing: it is empty
        files.rm_file(trial)
