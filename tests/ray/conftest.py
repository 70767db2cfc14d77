from __future__ import annotations

import pytest
from local_ray import Cluster

from engine_pictures import own_pictures, pictures  # noqa: F401 - fixtures


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    started = Cluster(tmp_path_factory.mktemp("cluster") / "log")
    yield started
    started.stop()
