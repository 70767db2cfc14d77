"""Ray: runs on a cluster, and a captioner for datasets of Ray."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cutline.ray.captioner import Captioner as Captioner

__all__ = ["Captioner"]


def __getattr__(name: str) -> Any:
    if name == "Captioner":
        from cutline.ray.captioner import Captioner

        return Captioner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
