"""What remote storage says of the versions of objects, from one listing of each folder."""

from __future__ import annotations

import logging
from typing import Final

from cutline.storage import explained, object_version, open_storage

_MAX_SPARSE: Final = 1_000
"""Folders with hardly a picture each that are listed at most: then it would be a request for each picture."""
_PICTURES_OF_FOLDER: Final = 4
_MAX_OBJECTS: Final = 2_000_000

_log = logging.getLogger(__name__)


class RemoteVersions:
    """The versions of the objects of folders that were listed; each folder is listed once."""

    def __init__(self) -> None:
        self._folders: dict[str, dict[str, str]] = {}
        self._objects = self._found = 0
        self._ended = False

    def version(self, url: str) -> str:
        """As ``object_version``; empty for an object that is not there, or whose folder is not listed."""
        folder, _, name = url.rpartition("/")
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = {} if self._is_enough() else self._list(folder)
            self._objects += len(known)
        version = known.get(name, "")
        self._found += bool(version)
        return version

    def _is_enough(self) -> bool:
        """Whether no more folders are listed."""
        listed = len(self._folders)
        sparse = listed > _MAX_SPARSE and self._found < _PICTURES_OF_FOLDER * listed
        self._ended = self._ended or sparse or self._objects > _MAX_OBJECTS
        return self._ended

    def _list(self, folder: str) -> dict[str, str]:
        try:
            system, path = open_storage(folder)
            system.invalidate_cache(path)  # what an earlier run in this process saw
            infos = system.ls(path, detail=True)
            system.invalidate_cache(path)
        except FileNotFoundError:
            return {}  # fetching reports each
        except Exception as error:  # noqa: BLE001 - drivers share no base class; pictures may be readable
            _log.info("%s is not listed: %s", folder, explained(error))
            self._ended = True
            return {}
        return {str(info["name"]).rpartition("/")[2]: object_version(info) for info in infos}
