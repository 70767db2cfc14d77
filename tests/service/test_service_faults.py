"""A fault of the service itself: its client learns that there was one, the log learns which."""

from __future__ import annotations

import base64
import logging
import threading

import httpx
import pytest
from serving import Service, png

from cutline.service.app import create_app
from cutline.service.settings import Settings
from processes import PATIENCE, wait_until


@pytest.mark.parametrize("path", ["/caption", "/batch-caption"])
async def test_an_unexpected_exception(path, caplog, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    app = create_app(Settings(model="fake"))

    async def broken(*_):
        raise RuntimeError("the password of the database is rosebud")

    app.state.service.caption = broken
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


@pytest.mark.parametrize("path", ["/caption", "/v1/chat/completions"])
def test_whoever_waits_when_it_stops_is_told_to_come_again(tmp_path, path):
    with Service("--model", "fake:latency=600", cwd=tmp_path) as service:
        answers = []
        waiting = threading.Thread(target=lambda: answers.append(ask(service, path)))
        waiting.start()
        wait_until(lambda: "cutline_slots_in_use 1.0" in service.client.get("/metrics").text)
        service.client.close()
        service.stop()
        waiting.join(PATIENCE)
        (answer,) = answers
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert "the service is stopping: try again later" in answer.text
        assert "Traceback" not in service.log


def ask(service, path):
    text = base64.b64encode(png(1)).decode()
    part = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{text}"}}
    body = {"/caption": {"image_base64": text}}.get(
        path, {"model": "fake", "messages": [{"role": "user", "content": [part]}]}
    )
    return httpx.post(service.url + path, json=body, timeout=PATIENCE, trust_env=False)
