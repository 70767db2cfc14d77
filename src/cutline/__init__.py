"""Captions image datasets with any vision-language model, losing nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cutline.api import Captions, acaption, caption
    from cutline.batches import batch_cancel, batch_collect, batch_status, batch_submit
    from cutline.captioners.plugins import register_model
    from cutline.client import AsyncClient, Client, ServerPath
    from cutline.comparison.call import compare
    from cutline.job import Job

__version__ = "0.1.0"
__all__ = [
    "AsyncClient",
    "Captions",
    "Client",
    "Job",
    "ServerPath",
    "__version__",
    "acaption",
    "batch_cancel",
    "batch_collect",
    "batch_status",
    "batch_submit",
    "caption",
    "compare",
    "register_model",
]

_HOMES = {
    "AsyncClient": "cutline.client",
    "Client": "cutline.client",
    "ServerPath": "cutline.client",
    "Captions": "cutline.api",
    "acaption": "cutline.api",
    "batch_cancel": "cutline.batches",
    "batch_collect": "cutline.batches",
    "batch_status": "cutline.batches",
    "batch_submit": "cutline.batches",
    "caption": "cutline.api",
    "compare": "cutline.comparison.call",
    "Job": "cutline.job",
    "register_model": "cutline.captioners.plugins",
}


def __getattr__(name: str) -> Any:
    """Import the public names when they are first used, so that ``import cutline`` costs nothing."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'cutline' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(home), name)
