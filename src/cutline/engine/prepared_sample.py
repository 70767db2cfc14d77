"""A sample between its preparation and the chain."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cutline.engine.content import SampleContent
from cutline.imaging import Picture
from cutline.records import Sample, Step


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A sample that is ready for the chain. ``existing`` is the text to join the caption with.

    ``content`` is as it was just before it was read; ``known`` steps are an earlier run's replies.
    """

    sample: Sample
    content: SampleContent
    picture: Picture
    existing: str | None
    variables: Mapping[str, Any]
    known: tuple[Step, ...] = ()
