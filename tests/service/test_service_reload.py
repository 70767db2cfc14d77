"""`--reload`: what the service is made of changes, and it begins again."""

from __future__ import annotations

import shutil
from pathlib import Path

import httpx
import pytest
from serving import Service, png

import cutline
from processes import wait_until

PLUGIN = """
from cutline import register_model


@register_model("echo")
class Echo:
    def infer(self, prompt, image, image_name):
        return "first words"
"""
CHAIN = '[[step]]\nname = "only"\nmodel = "fake"\n'


@pytest.fixture
def service(tmp_path):
    """Of sources, settings, a plug-in and a chain that the test may change."""
    shutil.copytree(Path(cutline.__file__).parent, tmp_path / "source" / "cutline")
    (tmp_path / "own.py").write_text(PLUGIN)
    (tmp_path / "chains").mkdir()
    (tmp_path / "chains" / "one.toml").write_text(CHAIN)
    options = ("--reload", "--plugin", "own.py", "--model", "echo", "--chain", "chains")
    with Service(*options, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path / "source")}) as running:
        yield running


def asked(service, method, path, **options):
    """The answer; None while there is nobody."""
    try:
        return httpx.request(method, service.url + path, trust_env=False, timeout=20, **options)
    except httpx.TransportError:
        return None


def becomes(service, expected, method="GET", path="/health", **options):
    """Wait until the answer is so."""
    wait_until(
        lambda: (answer := asked(service, method, path, **options)) is not None and expected(answer), 30, 0.1
    )


def test_all_that_it_is_made_of_is_watched(service, tmp_path):
    picture = {"files": {"image": ("a.png", png(1))}}
    assert asked(service, "POST", "/caption", **picture).json()["caption"] == "first words"

    (tmp_path / "own.py").write_text(PLUGIN.replace("first", "other"))
    becomes(
        service, lambda answer: answer.json().get("caption") == "other words", "POST", "/caption", **picture
    )

    (tmp_path / "chains" / "two.toml").write_text(CHAIN)
    becomes(service, lambda answer: len(answer.json().get("chains", [])) == 2, path="/models")

    health = tmp_path / "source" / "cutline" / "service" / "routes" / "health.py"
    health.write_text(health.read_text().replace('"healthy"', '"splendid"'))
    becomes(service, lambda answer: answer.json() == {"status": "splendid"})

    # A mistake is one line, and mending it is enough.
    (tmp_path / ".env").write_text("CUTLINE_MAX_BODY=many\n")
    wait_until(lambda: "cannot start cause=CUTLINE_MAX_BODY: must be a whole number" in service.log)
    (tmp_path / ".env").write_text("CUTLINE_SERVICE_KEY=sesame\n")
    becomes(service, lambda answer: answer.status_code == 401, path="/models")
    assert asked(service, "GET", "/models", headers={"X-API-Key": "sesame"}).status_code == 200
    assert "Traceback" not in service.log
    assert "sesame" not in service.log
    assert service.stop() == 0


def test_reload_runs_one_process_and_says_so(tmp_path):
    with Service("--model", "fake", "--reload", "--workers", 2, cwd=tmp_path) as service:
        assert service.client.get("/ready").status_code == 200
        assert service.log.startswith("cutline: --reload runs one process and ignores --workers\n")
        assert service.log.count("startup complete") == 1
