"""Where uvicorn's workers begin: the application for the settings that the command line left for them."""

from __future__ import annotations

import os

from fastapi import FastAPI

from cutline.service.app import create_app
from cutline.service.settings import Settings

ENVIRONMENT = "CUTLINE_SERVICE_SETTINGS"


def app() -> FastAPI:
    """The application of this process."""
    text = os.environ.get(ENVIRONMENT)
    return create_app(Settings.from_json(text) if text else Settings())
