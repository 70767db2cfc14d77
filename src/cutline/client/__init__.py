"""A client of ``cutline serve``: asynchronous, and as plain calls."""

from cutline.client.asynchronous import AsyncClient
from cutline.client.blocking import Client
from cutline.client.shapes import Described, Image, ServerPath, TaskProgress, Wishes

__all__ = ["AsyncClient", "Client", "Described", "Image", "ServerPath", "TaskProgress", "Wishes"]
