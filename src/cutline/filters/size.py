"""Skips pictures that are too small or too narrow."""

from __future__ import annotations

import dataclasses

from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.interfaces import Filter, Rejection
from cutline.records import Sample
from cutline.worker_threads import in_thread


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SizeOptions:
    """Limits of the upright picture, in pixels; None for no limit."""

    side: int | None = None
    """Minimum of the shorter side."""
    width: int | None = None
    """Minimum width."""
    height: int | None = None
    """Minimum height."""
    pixels: int | None = None
    """Minimum of width times height."""
    aspect: float | None = None
    """Maximum of the longer side divided by the shorter one."""


class Size(Filter):
    """Checks the header only; the limits are inclusive."""

    name = "size"
    Options = SizeOptions

    def __init__(self, options: SizeOptions) -> None:
        super().__init__(options)
        limits = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
        self._limits = {name: limit for name, limit in limits.items() if limit is not None}
        if not self._limits:
            raise ConfigError("--filter size needs a limit, such as size=256 or size:width=640,aspect=3")
        for name, limit in self._limits.items():
            if not limit >= 1:  # so that nan is refused too
                raise ConfigError(f"--filter size: {name} must be 1 or more, not {limit}")

    async def filter(self, sample: Sample, picture: Picture) -> Rejection | None:  # noqa: ARG002
        """Raises PictureError for one that cannot be opened."""
        info = await in_thread(picture.info)
        width, height = info.width, info.height
        measures = {
            "side": min(width, height),
            "width": width,
            "height": height,
            "pixels": width * height,
            "aspect": max(width, height) / max(1, min(width, height)),
        }
        for name, limit in self._limits.items():
            if measures[name] > limit if name == "aspect" else measures[name] < limit:
                reason = f"{name} {'above' if name == 'aspect' else 'below'} {limit:g}"
                return Rejection(reason=reason, value={"width": width, "height": height})
        return None
