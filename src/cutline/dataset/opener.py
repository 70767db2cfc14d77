"""Opens datasets for the command line and for Python."""

from __future__ import annotations

import os

from cutline.app_dirs import cache_dir
from cutline.dataset.dataset import Dataset
from cutline.dataset.input_options import TableOptions
from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.sidecars import sidecar_ending
from cutline.storage import local_path


def open_dataset(
    folder: str | os.PathLike[str],
    *,
    sidecar_ext: str = ".txt",
    one_a_line: bool = False,
    text_encoding: str | None = None,
    image_root: str | os.PathLike[str] | None = None,
    image_column: str | None = None,
    text_column: str | None = None,
    follow_links: bool = False,
) -> Dataset:
    """Open pictures and their captions, to query, edit and export them.

    An edit that a crash interrupted is finished first. Tables and tars are never written: their edits are
    stored in the history beside them, and ``export`` writes the result.

    Args:
        folder: a folder of pictures with captions beside them, including sub-folders; a table, such as the
            output of a run, or ``out.jsonl:long`` for the captions of one of its prompts or steps; or a tar
            of webdataset, or a folder of them.
        sidecar_ext: extension of the captions' files, such as ``.caption``.
        one_a_line: each line of a file is a separate caption.
        text_encoding: encoding of texts that are not UTF-8, if it is not detected.
        image_root: folder, tar, zip or table of a table's pictures, no others are read; by default the
            table's folder, and the tar, zip or table that the run read.
        image_column: column of a table with the pictures' paths, if it is not found by its name.
        text_column: column of a table with the captions, if it is not found by its name.
        follow_links: read pictures of a table, and read and write texts beside pictures, also where links
            lead out of the folder.

    Raises:
        ConfigError: it is none of these, has no pictures, or an option is invalid.
    """
    name = local_path(os.fsdecode(folder))
    dataset = Dataset(
        name,
        ending=sidecar_ending(sidecar_ext),
        one_a_line=one_a_line,
        text_encoding=text_encoding,
        cache=cache_dir() / "captions",
        tables=TableOptions(
            image_root=None if image_root is None else os.fsdecode(image_root),
            image_column=image_column,
            text_column=text_column,
            follow_links=follow_links,
        ),
    )
    if not len(dataset):
        dataset.close()
        raise ConfigError(f"there are no pictures in {name_to_text(name)}")
    return dataset
