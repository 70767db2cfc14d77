"""The limits of a service, so that a job that is too large is refused before it is sent."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Sequence
from typing import Self

from cutline.client.uploads import ImageInput
from cutline.errors import ConfigError
from cutline.records import JSON


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes of a request and pictures of a job; infinite if an older service does not report them."""

    max_body: float = math.inf
    max_pictures: float = math.inf

    @classmethod
    def from_models(cls, models: JSON) -> Self:
        """The limits in the response of `/models`."""
        limits = models.get("limits", {})
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: float(limits[name]) for name in names if name in limits})

    async def check(self, pictures: Sequence[ImageInput]) -> None:
        """Raises ConfigError if the pictures are too many or too large for one job."""
        if len(pictures) > self.max_pictures:
            raise ConfigError(
                f"{len(pictures):,} pictures are too many for one job: the service accepts "
                f"{self.max_pictures:,.0f}; split the job, or raise CUTLINE_MAX_PICTURES on the server"
            )
        size = await asyncio.to_thread(lambda: sum(picture.size for picture in pictures))
        if size > self.max_body:
            raise ConfigError(
                f"{size / 1e6:,.0f} MB are too much for one job: the service accepts "
                f"{self.max_body / 1e6:,.0f} MB in a request; split the job, use ServerPath, or raise "
                "CUTLINE_MAX_BODY on the server"
            )
