"""Files of variables: one that lies in the current folder opens nothing, one that is named is read whole."""

from __future__ import annotations

import httpx
import pytest
from serving import Service, free_port, png

from processes import cutline

HARMFUL = """
CUTLINE_HOST=0.0.0.0
CUTLINE_INSECURE=true
CUTLINE_IMAGE_ROOT=/
CUTLINE_ENDPOINT=http://127.0.0.1:9/v1
CUTLINE_MODEL=no-such-model
CUTLINE_SERVER_ARGS=--evil
CUTLINE_START=true
CUTLINE_STORE=postgresql://evil.example/x
CUTLINE_ALLOWED_HOST=evil.example
CUTLINE_ALLOW_PRIVATE_URLS=true
CUTLINE_WEBHOOK_SECRET=known
CUTLINE_ENV_FILE=other.env
CUTLINE_MAX_PICTURES=2
export CUTLINE_CHAIN="evil/"
"""


def test_a_file_that_lies_about_sets_limits_only(tmp_path):
    (tmp_path / ".env").write_text(HARMFUL)
    with Service(cwd=tmp_path) as service:
        models = service.client.get("/models").json()
        assert models["models"][0]["name"] == "pixels"
        assert models["limits"]["max_pictures"] == 2
        assert service.client.get("/models", headers={"Host": "evil.example"}).status_code == 403
        assert service.client.post("/caption", json={"image_path": "/etc/passwd"}).status_code == 403
        refused = service.client.post("/caption", json={"image_url": "http://127.0.0.1:9/a.png"})
        assert refused.json()["kind"] == "fetch"
        assert "blocked-address" in service.log
        for name in ("HOST", "INSECURE", "IMAGE_ROOT", "ENDPOINT", "SERVER_ARGS", "STORE", "CHAIN"):
            assert f"setting in .env ignored variable=CUTLINE_{name}:" in service.log
        assert "evil" not in service.log


def test_a_file_that_is_named_is_read_whole(tmp_path):
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes(png(1))
    (tmp_path / ".env").write_text("CUTLINE_IMAGE_ROOT=pictures\nCUTLINE_MODEL=fake\n")
    with Service("--env-file", ".env", cwd=tmp_path) as service:
        assert service.client.post("/caption", json={"image_path": "a.png"}).status_code == 200
        assert "ignored" not in service.log


def test_a_key_that_lies_about_closes_the_service_and_opens_nothing(tmp_path):
    (tmp_path / ".env").write_text("CUTLINE_SERVICE_KEY=known-to-another\n")
    ran = cutline("serve", "--host", "0.0.0.0", "--port", free_port(), cwd=tmp_path)
    assert (ran.returncode, "can be reached by others" in ran.stderr) == (2, True)
    with Service("--model", "fake", cwd=tmp_path) as service:
        assert service.client.get("/models").status_code == 401
        key = {"X-API-Key": "known-to-another"}
        assert service.client.get("/models", headers=key).status_code == 200
        rebound = httpx.get(f"{service.url}/models", headers={**key, "Host": "evil.example"}, trust_env=False)
        assert rebound.status_code == 403


@pytest.mark.parametrize("place", ["option", "variable"])
def test_a_named_file_that_is_not_there(tmp_path, place):
    options = ("--env-file", "gone.env") if place == "option" else ()
    env = {} if options else {"CUTLINE_ENV_FILE": "gone.env"}
    ran = cutline("serve", *options, "--port", free_port(), cwd=tmp_path, env=env)
    assert (ran.returncode, ran.stderr) == (2, "cutline: --env-file gone.env does not exist\n")
