"""Whether the service is well, as probes ask it."""

from __future__ import annotations

import pytest
from serving import Service


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Service("--model", "fake", cwd=tmp_path_factory.mktemp("health")) as running:
        yield running


@pytest.mark.parametrize("path", ["/health", "/ready", "/", "/docs", "/page/page.css"])
def test_heads_are_answered_without_their_bodies(service, path):
    """As uptime checks, ``curl --head`` and ``wget --spider`` ask."""
    asked, got = service.client.head(path), service.client.get(path)
    assert (asked.status_code, asked.content) == (200, b"")
    for name in ("content-type", "content-length", "content-security-policy"):
        assert asked.headers[name] == got.headers[name]
