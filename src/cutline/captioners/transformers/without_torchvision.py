"""Lets processors that know videos load where torchvision is not installed.

Their class asks for a video processor, which only torchvision can provide, although pictures need
none. It is left out. Source: transformers, ``ProcessorMixin.get_attributes``, a private interface:
where a later version has another, nothing is changed, and such a model says that it needs torchvision.
"""

from __future__ import annotations

import importlib.util
from typing import Any


def make_it_work() -> None:
    """Changes transformers once, and only where torchvision is absent."""
    if importlib.util.find_spec("torchvision") is not None:
        return
    from transformers.processing_utils import ProcessorMixin

    asked: Any = getattr(ProcessorMixin, "get_attributes", None)
    if asked is None or getattr(asked, "leaves_out_videos", False):
        return

    def get_attributes(cls: Any) -> list[str]:
        return [name for name in asked.__func__(cls) if name != "video_processor"]

    made: Any = classmethod(get_attributes)
    get_attributes.leaves_out_videos = True  # type: ignore[attr-defined]  # so that it is done once
    ProcessorMixin.get_attributes = made  # type: ignore[method-assign]
