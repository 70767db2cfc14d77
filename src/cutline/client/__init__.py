"""A client of ``cutline serve``: asynchronous, and as plain calls."""

from cutline.client.async_client import AsyncClient
from cutline.client.records import Image, ServerPath, TaskProgress
from cutline.client.sync_client import Client

__all__ = ["AsyncClient", "Client", "Image", "ServerPath", "TaskProgress"]
