"""Where uvicorn's workers begin: the application for the settings that the command line left for them."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os

from fastapi import FastAPI

from cutline.errors import ConfigError
from cutline.garbage_collection import collect_rarely
from cutline.service.app import create_app
from cutline.service.lifecycle.shutdown import end_with_parent
from cutline.service.settings import Settings

_log = logging.getLogger("cutline.service")

ENVIRONMENT = "CUTLINE_SERVICE_SETTINGS"


def app() -> FastAPI:
    """The application of this process.

    Raises:
        ConfigError: its settings cannot be used. A process that others started says so itself, and ends.
    """
    end_with_parent()
    try:
        made = create_app(Settings.read(json.loads(os.environ.get(ENVIRONMENT, "{}"))))
    except ConfigError as error:
        if multiprocessing.parent_process() is None:
            raise
        _log.error("cannot start cause=%s", error)
        raise SystemExit(2) from None
    collect_rarely()
    return made
