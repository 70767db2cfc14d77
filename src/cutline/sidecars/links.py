"""Texts beside pictures that are links: read within the input's folder, and nowhere else."""

# Paths stay strings: file names need not be Unicode.

from __future__ import annotations

import os
import stat

from cutline.errors import PictureError, SampleError
from cutline.files import read_regular
from cutline.sidecars.encoding import MAX_BYTES


class LinkOutside(Exception):
    """A link leads out of the folder that may be read."""


def read_inside(file: str, root: str, *, folder: str) -> bytes | None:
    """The bytes of a text file below the real path ``root``; None where there is none.

    ``folder`` is the real path of the folder that it lies in. A link that is put in the file's place
    meanwhile is not followed.

    Raises:
        LinkOutside: it is, or lies behind, a link to a place elsewhere.
        SampleError: ``sidecar``, it cannot be read.
    """
    try:
        linked = stat.S_ISLNK(os.lstat(file).st_mode)
        file = os.path.realpath(file) if linked else file
        if os.path.commonpath([file if linked else folder, root]) != root:
            raise LinkOutside
        return read_regular(file, MAX_BYTES, follow=False)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SampleError("sidecar", f"the caption beside the picture: {error}") from error
    except PictureError as error:
        if error.kind == "missing":
            return None
        raise SampleError("sidecar", f"the caption beside the picture: {error}") from error
