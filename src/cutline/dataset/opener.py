"""Opens datasets for the command line and for Python."""

from __future__ import annotations

import os

from cutline.app_dirs import cache_dir
from cutline.dataset.dataset import Dataset
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
) -> Dataset:
    """Open the pictures of a folder and the captions beside them, to find, edit and export them.

    An edit that a crash interrupted is finished first.

    Args:
        folder: read with all folders in it.
        sidecar_ext: ending of the captions' files, such as ``.caption``.
        one_a_line: each line of a file is a caption of its own, and edited by itself.
        text_encoding: encoding of texts that are not UTF-8, where it is not found by itself.

    Raises:
        ConfigError: it is no folder of pictures, or an option is not valid.
    """
    name = local_path(os.fsdecode(folder))
    dataset = Dataset(
        name,
        ending=sidecar_ending(sidecar_ext),
        one_a_line=one_a_line,
        text_encoding=text_encoding,
        cache=cache_dir() / "captions",
    )
    if not len(dataset):
        dataset.close()
        raise ConfigError(f"there are no pictures in {name_to_text(name)}")
    return dataset
