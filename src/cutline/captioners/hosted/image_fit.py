"""Pictures made to fit an endpoint's limits, on the event loop where that is quicker."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from cutline.imaging import Encoded, Limits, Picture
from cutline.worker_threads import in_thread


class ImageFit:
    """Reads and encodes pictures for receivers with ``limits``.

    Handing a picture to a thread costs more than reading one that the system has in memory. After a
    slow read (a cold disk, a network share) the next ones go to threads again.
    """

    _SLOW = 0.003  # seconds
    _PENALTY = 500  # pictures

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._in_threads = 0

    async def prepare(self, picture: Picture) -> None:
        """Read and encode the picture; on the event loop while reading is quick and nothing is decoded."""
        if not self._slow:
            with self._timed():
                if picture.fit_untouched(self.limits) is not None:
                    return
        await in_thread(picture.fit, self.limits)

    def fit(self, picture: Picture) -> Encoded:
        return picture.fit(self.limits)

    @property
    def _slow(self) -> bool:
        if self._in_threads:
            self._in_threads -= 1
        return self._in_threads > 0

    @contextlib.contextmanager
    def _timed(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if time.perf_counter() - start > self._SLOW:
            self._in_threads = self._PENALTY
