"""Pictures made to fit an endpoint's limits, on the event loop where that is quicker."""

from __future__ import annotations

import time

from cutline.imaging import Encoded, Limits, Picture
from cutline.worker_threads import in_thread


class ImageFit:
    """Reads and encodes pictures for receivers with ``limits``.

    Handing a picture to a thread costs more than reading one that the system has in memory. After two
    slow reads in a row (a cold disk, a network share) the next ones go to threads again; one alone may be
    other programs that use the processor.
    """

    _SLOW = 0.003  # seconds
    _PENALTY = 500  # pictures

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._in_threads = 0
        self._slow_reads = 0

    async def prepare(self, picture: Picture) -> None:
        """Read and encode the picture; on the event loop while reading is quick and nothing is decoded."""
        if not self._are_slow():
            start = time.perf_counter()
            encoded = picture.fit_untouched(self.limits)
            self._note(time.perf_counter() - start)
            if encoded is not None:
                return
        await in_thread(picture.fit, self.limits)

    def fit(self, picture: Picture) -> Encoded:
        return picture.fit(self.limits)

    def _are_slow(self) -> bool:
        self._in_threads = max(self._in_threads - 1, 0)
        return self._in_threads > 0

    def _note(self, seconds: float) -> None:
        """Note the time of a read."""
        self._slow_reads = self._slow_reads + 1 if seconds > self._SLOW else 0
        if self._slow_reads > 1:
            self._slow_reads, self._in_threads = 0, self._PENALTY
