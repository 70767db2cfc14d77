"""Load processors with video support without their video part.

That needs torchvision and files that a folder of weights may lack. It is skipped, so that a model behaves
equally with torchvision and without. Source: transformers, ``ProcessorMixin.get_attributes`` and
``_get_arguments_from_pretrained``, private interfaces: where a later version has others, nothing is
changed, and loading such a model reports what is missing.
"""

from __future__ import annotations

import functools
import inspect
from typing import Any


def skip_video_processors() -> None:
    """Patch transformers, once."""
    from transformers.processing_utils import ProcessorMixin

    original: Any = getattr(ProcessorMixin, "get_attributes", None)
    if (
        original is None
        or not hasattr(ProcessorMixin, "_get_arguments_from_pretrained")
        or getattr(original, "leaves_out_videos", False)
    ):
        return

    loaded: Any = ProcessorMixin._get_arguments_from_pretrained  # noqa: SLF001 - transformers has no public name for it

    def get_attributes(cls: Any) -> list[str]:
        return [name for name in original.__func__(cls) if name != "video_processor"]

    def arguments(cls: Any, *args: Any, **kwargs: Any) -> list[Any]:
        """Pass None where a class requires the argument."""
        made: list[Any] = loaded.__func__(cls, *args, **kwargs)
        wanted = list(inspect.signature(cls.__init__).parameters)[1:]
        if "video_processor" in wanted:
            made.insert(wanted.index("video_processor"), None)
        return made

    get_attributes.leaves_out_videos = True  # type: ignore[attr-defined]  # so that it is done once
    mixin: Any = ProcessorMixin
    mixin.get_attributes = classmethod(get_attributes)
    mixin._get_arguments_from_pretrained = classmethod(arguments)  # noqa: SLF001 - transformers has no public name for it


def chat_template(processor: Any) -> Any:
    """The processor's ``apply_chat_template``; some with video support require the video processor."""
    if hasattr(processor, "video_processor"):
        return processor.apply_chat_template
    from transformers.processing_utils import ProcessorMixin

    return functools.partial(ProcessorMixin.apply_chat_template, processor)
