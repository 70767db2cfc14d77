"""The previews that pages have open; the latest few are kept."""

from __future__ import annotations

from typing import Final

from cutline.dataset.preview import Preview
from cutline.service.errors import ServiceError

_KEPT: Final = 4


class Previews:
    """Previews by number."""

    def __init__(self) -> None:
        self._previews: dict[int, Preview] = {}
        self._last = 0

    def add(self, preview: Preview) -> int:
        self._last += 1
        self._previews[self._last] = preview
        for number in list(self._previews)[:-_KEPT]:
            del self._previews[number]
        return self._last

    def get(self, number: int) -> Preview:
        """ServiceError 404: it is too old."""
        if number not in self._previews:
            raise ServiceError(404, "this preview is not kept any more: make it anew")
        return self._previews[number]
