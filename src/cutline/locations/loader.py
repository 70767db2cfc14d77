"""From a sample to the place its picture can be read from, downloaded where that is a URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cutline.errors import PictureError
from cutline.records import Location, Sample

if TYPE_CHECKING:
    from cutline.locations.fetched import FetchedPictures
    from cutline.locations.http import Fetcher, FetchLimits


class PictureLoader:
    """Locates pictures for one run; its HTTP client opens with the first download, in that event loop.

    Those in ``fetched`` are not downloaded again.
    """

    def __init__(
        self,
        *,
        allow_private: bool = False,
        user_agent: str | None = None,
        limits: FetchLimits | None = None,
        fetched: FetchedPictures | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._user_agent = user_agent
        self._limits = limits
        self._fetched = fetched
        self._fetcher: Fetcher | None = None

    async def locate(self, sample: Sample) -> Location:
        """The location to read the bytes from; PictureError: the sample's problem, or the download's."""
        found = await self.locate_changed(sample, "")
        assert found is not None
        return found

    async def locate_changed(self, sample: Sample, validator: str) -> Location | None:
        """As ``locate``, but None where the server still has the version that a download once had."""
        location = sample.location
        if location is None:
            problem = sample.problem
            kind, message = (problem.kind, problem.message) if problem else ("missing", "there is no picture")
            raise PictureError(kind, message)
        url = location.url()
        if url is None:
            return location
        kept = None if self._fetched is None else self._fetched.take(url)
        if kept is not None:
            return None if validator and kept.validator == validator else kept
        if self._fetcher is None:
            from cutline.locations.http import Fetcher

            self._fetcher = Fetcher(
                allow_private=self._allow_private, user_agent=self._user_agent, limits=self._limits
            )
        return await self._fetcher.fetch_changed(url, validator)

    async def aclose(self) -> None:
        if self._fetcher is not None:
            await self._fetcher.aclose()
