"""Options of the input and of its pictures."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal

from cutline.errors import ConfigError
from cutline.options.strict import StrictOptions

SamplePictures = Literal["main", "each"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions(StrictOptions):
    """What to read."""

    source_type: str | None = None
    """local, urls, webdataset, zip, table, imagefolder, crisismmd, scienceqa or a plug-in. [default: auto]"""
    image_limit: int = -1
    """Take only the first N pictures; -1 takes all."""
    shard: str | None = None
    """Take part I of N of the pictures, by their ids, such as 1/2: for several machines without a cluster."""
    reader_batch_size: int = 32
    """Number of samples that are listed from the input at a time."""
    recursive: bool = True
    """Include sub-folders."""
    exclude: tuple[str, ...] = ()
    """Pattern of files and folders to exclude; `none` drops the usual ones. Several by repetition."""
    follow_links: bool = False
    """Read texts and paths, and write sidecars, also where links lead out of the input's folder."""
    sample_pictures: SamplePictures = "main"
    """Of a webdataset sample with several pictures, caption the main one or each."""
    delimiter: str | None = None
    """Character between the cells of a text table, or `tab`. [default: by its first line]"""
    header_row: bool = True
    """Whether the first line of a text table names its columns."""
    image_column: str | None = None
    """Column of a table that holds the pictures, paths or URLs; of a webdataset, the ending to caption."""
    url_column: str | None = None
    """Column of a table that holds URLs."""
    text_column: str | None = None
    """Column of a table that holds existing captions."""
    key_column: str | None = None
    """Column of a table that names each row. [default: the picture's path, URL or name]"""
    text_encoding: str | None = None
    """Encoding of text files beside pictures, read and written, such as gb18030. [default: detected]"""
    sidecar_ext: str = ".txt"
    """Ending of text files beside pictures, read and written, such as .caption."""
    image_root: str | None = None
    """Folder that paths in a table or dataset are relative to, and may not leave. [default: its own]"""
    split: str | None = None
    """Part of a dataset: `humanitarian/train` of CrisisMMD, `train` or `minival` of ScienceQA."""
    event: tuple[str, ...] = ()
    """Event of CrisisMMD, such as `hurricane_harvey`; several by repetition or with commas."""
    allow_private_urls: bool = False
    """Allow downloads from loopback and private addresses."""
    user_agent: str | None = None
    """User-Agent of downloads of pictures, such as "my-project/1.0 (me@example.com)". [default: cutline]"""

    def share(self) -> tuple[int, int] | None:
        """``shard`` as the number of the part, from 0, and of all parts; None without one.

        Raises:
            ConfigError: it is no part of a number.
        """
        if self.shard is None:
            return None
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", self.shard.strip())
        number, count = (int(match[1]), int(match[2])) if match else (0, 0)
        if not 1 <= number <= count:
            raise ConfigError(
                f"--shard is I/N with I from 1 to N, such as 1/2 and 2/2 for two machines, not {self.shard}"
            )
        return number - 1, count

    def check(self) -> None:
        """Raises ConfigError for a shard that is none, or a User-Agent that cannot be sent."""
        self.share()
        name = self.user_agent
        if name is not None and (not name.strip() or not name.isascii() or not name.isprintable()):
            raise ConfigError("--user-agent must be a line of plain letters, such as 'my-project/1.0'")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions(StrictOptions):
    """How pictures are resized and encoded before they are sent."""

    max_side: int = 1024
    """Longest side in pixels; larger pictures are scaled down; 0 sends any size."""
    max_bytes: int = 0
    """Maximum bytes of an encoded picture; 0 for no limit."""
    jpeg_quality: int = 85
    """Quality of re-encoded pictures."""
    max_pixels: int = 64_000_000
    """Pictures that need more pixels than this to decode are refused."""
