"""A client of ``cutline serve``: asynchronous, and as plain calls."""

from cutline.client.async_client import AsyncClient
from cutline.client.records import CaptionOptions, CaptionResult, Image, ServerPath, TaskProgress
from cutline.client.sync_client import Client

__all__ = ["AsyncClient", "CaptionOptions", "CaptionResult", "Client", "Image", "ServerPath", "TaskProgress"]
