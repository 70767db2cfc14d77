"""The description of the API at ``/docs``: complete, from this machine alone, and its curl lines work."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Service, png

from pages import opened

CURL = "Object.fromEntries([...document.querySelectorAll('article[aria-label]')].map(one => [one.getAttribute('aria-label'), one.querySelector('.copyable code').textContent]))"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    (folder / "photos" / "a").mkdir(parents=True)
    for number, name in enumerate(("sunset.jpg", "a/harbour.jpg")):
        (folder / "photos" / name).write_bytes(png(number))
    with Service("--model", "fake", "--image-root", folder / "photos", cwd=folder) as running:
        yield running


def test_it_tells_every_endpoint_and_its_curl_lines_work(
    browser: Any, service: Service, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(png(1))
    with opened(browser, f"{service.url}/docs") as page:
        page.until("document.querySelectorAll('article').length > 0")
        lines: dict[str, str] = page.evaluate(CURL)
        text = page.evaluate("document.body.innerText")
        anchors = page.evaluate(
            "[...document.querySelectorAll('a[href^=\"#\"]')].filter(one => !document.getElementById(one.hash.slice(1))).length"
        )
        assert page.evaluate("document.documentElement.scrollWidth") <= 1280
        page.resize(390)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    api = service.client.get("/openapi.json").json()
    known = {f"{method.upper()} {path}" for path, item in api["paths"].items() for method in item}
    assert set(lines) == known
    for name in (
        "image_path",
        "image_base64",
        "wish.prompt",
        "max_tokens",
        "Idempotency-Key",
        "Captioned",
        "multipart/form-data",
    ):
        assert name in text
    assert anchors == 0
    assert page.complaints == []
    assert {url.startswith(service.url) for url in page.requests} == {True}
    if not shutil.which("curl"):
        pytest.skip("needs curl")
    answers = {}
    for name in (
        "GET /health",
        "GET /models",
        "POST /caption",
        "POST /batch-caption",
        "POST /async-batch-caption",
        "GET /tasks",
    ):
        # In a shell, as people paste them.
        line = f"{lines[name]} --fail-with-body --silent --show-error --noproxy '*'"
        ran = subprocess.run(["sh", "-c", line], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, (name, line, ran.stdout, ran.stderr)
        answers[name] = ran.stdout
    assert "checksum" in answers["POST /caption"]
    assert answers["POST /batch-caption"].count("checksum") == 2
    assert "task_id" in answers["POST /async-batch-caption"]


def test_it_asks_for_the_key(browser: Any, tmp_path: Path) -> None:
    with (
        Service("--model", "fake", cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": "sesame"}) as service,
        opened(browser, f"{service.url}/docs") as page,
    ):
        page.until("!document.querySelector('#locked').hidden")
        assert page.evaluate("document.querySelectorAll('article').length") == 0
        page.evaluate("document.querySelector('#key').value = 'sesame'")
        page.evaluate("document.querySelector('#key-form button').click()")
        page.until("document.querySelectorAll('article').length > 5")
        lines: dict[str, str] = page.evaluate(CURL)
    assert '"Authorization: Bearer $KEY"' in lines["POST /caption"]
    assert "sesame" not in "".join(lines.values())
