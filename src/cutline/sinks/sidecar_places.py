"""Where the sidecar of a sample belongs: beside its picture, or in its key's folders below the output."""

from __future__ import annotations

import os
from pathlib import Path

from cutline.errors import SampleError
from cutline.files import text_to_name
from cutline.records import Sample
from cutline.serialization import valid_unicode
from cutline.sidecars.names import relative_place


class SidecarPlaces:
    """Below ``root``; None for beside every picture. Folders behind links out of it are refused."""

    def __init__(self, root: Path | None, ending: str, *, follow_links: bool) -> None:
        self._root, self._ending, self._follow_links = root, ending, follow_links
        self._safe_folder: Path | None = None

    def of(self, sample: Sample) -> tuple[Path, str] | None:
        """The folder of the sidecar and the picture's name in it; None where there is no folder."""
        file = sample.location.file() if sample.location else None
        if file is None and sample.location and Path(text_to_name(sample.path)).is_file():
            file = text_to_name(sample.path)
        if isinstance(file, str):
            path = Path(os.path.abspath(file))  # noqa: PTH100 - removes "..", follows no link
            if self._root is None or path.is_relative_to(self._root):
                self._check_inside(path.parent)
                return path.parent, path.name
        if self._root is None:
            return None
        folders, name = relative_place(sample.key, self._ending)
        folder = self._root.joinpath(*folders)
        if folder != self._safe_folder:
            if not folder.resolve().is_relative_to(self._root.resolve()):
                raise SampleError(
                    "sidecar",
                    f"{folder} leads out of the output folder by a link: remove it, or choose another output",
                )
            self._safe_folder = folder
        return folder, name

    def _check_inside(self, folder: Path) -> None:
        """Raise SampleError for a folder that leads out of the output by a link."""
        if self._root is None or self._follow_links or folder == self._safe_folder:
            return
        if not folder.resolve().is_relative_to(self._root.resolve()):
            raise SampleError(
                "sidecar", f"{folder} leads out of {self._root} by a link; --follow-links writes there too"
            )
        self._safe_folder = folder


def homeless(sample: Sample) -> SampleError:
    """The failure of a sample that has no picture on this machine, where no output folder is given."""
    path = valid_unicode(sample.path)
    return SampleError("sidecar", f"{path} has no folder for a sidecar beside it: name an output folder")
