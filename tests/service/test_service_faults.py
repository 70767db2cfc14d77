"""A fault of the service itself: its client learns that there was one, the log learns which."""

from __future__ import annotations

import base64
import logging

import httpx
import pytest
from serving import png

from cutline.service.app import create_app
from cutline.service.settings import Settings


@pytest.mark.parametrize("path", ["/caption", "/batch-caption"])
async def test_an_unexpected_exception(path, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = create_app(Settings(model="fake"))

    async def broken(*_):
        raise RuntimeError("the password of the database is rosebud")

    app.state.desk.caption = broken
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        with caplog.at_level(logging.ERROR, "cutline.service"):
            if path == "/caption":
                body = {"image_base64": base64.b64encode(png(1)).decode()}
                answer = await client.post(path, json=body)
            else:
                answer = await client.post(path, files={"images": ("a.png", png(1))})
    assert answer.status_code == 500
    assert answer.json() == {"detail": "internal error"}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "rosebud" in caplog.text, "whoever runs it learns the cause"
    assert f"path={path}" in caplog.text
