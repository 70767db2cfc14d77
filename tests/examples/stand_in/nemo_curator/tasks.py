"""Tasks: batches of pictures."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class ImageObject:
    image_path: str = ""
    image_id: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)
    image_bytes: bytes | None = None
    image_data: Any = None


@dataclass
class ImageBatch:
    dataset_name: str
    data: list[ImageObject] = field(default_factory=list)
