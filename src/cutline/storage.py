"""What lies on storage that fsspec reaches, such as ``s3://bucket/photos``."""

from __future__ import annotations


def is_remote(path: str) -> bool:
    """Whether fsspec has to open it, as ``s3://…``."""
    return "://" in path
