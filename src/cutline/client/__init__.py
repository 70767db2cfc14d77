"""A client of ``cutline serve``: asynchronous, and as plain calls."""

from cutline.client.async_client import AsyncClient
from cutline.client.records import Described, Image, ServerPath, TaskProgress, Wishes
from cutline.client.sync_client import Client

__all__ = ["AsyncClient", "Client", "Described", "Image", "ServerPath", "TaskProgress", "Wishes"]
