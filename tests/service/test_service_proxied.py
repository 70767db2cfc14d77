"""Behind a proxy and called from other sites: prefix, origins, logs, and other ASGI servers."""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import sys

import httpx
import pytest
from serving import Service, free_port, png

from processes import PATIENCE, cutline, environment, wait_until

SITE = "https://app.example:8443"
KEY = "key-of-the-service"


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    options = ("--model", "fake", "--allowed-origin", SITE, "--root-path", "/captions", "--keep-alive", "90")
    logs = ("--access-log", "--log-format", "json")
    env = {"CUTLINE_SERVICE_KEY": KEY}
    with Service(*options, *logs, cwd=tmp_path_factory.mktemp("proxied"), env=env) as service:
        service.client.headers["X-API-Key"] = KEY
        yield service


def preflight(service, path="/caption", origin=SITE, **headers):
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST", **headers}
    return httpx.options(f"{service.url}{path}", headers=asked, trust_env=False)


def test_a_preflight_needs_no_key(service):
    answer = preflight(
        service,
        **{
            "Access-Control-Request-Headers": "content-type,x-api-key",
            "Access-Control-Request-Private-Network": "true",
        },
    )
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == SITE
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["access-control-allow-headers"] == "content-type,x-api-key"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["access-control-allow-private-network"] == "true"
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-private-network" not in preflight(service).headers


@pytest.mark.parametrize(
    "origin", ["https://app.example", "http://app.example:8443", "null", f"{SITE}.evil.example"]
)
def test_other_origins_are_refused(service, origin):
    for answer in (
        preflight(service, origin=origin),
        service.client.post("/caption", files={"image": png(1)}, headers={"Origin": origin}),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


def test_pages_of_the_site_read_answers_and_errors(service):
    origin = {"Origin": SITE}
    assert service.client.post("/caption", files={"image": png(1)}, headers=origin).status_code == 200
    refused = service.client.post("/caption", json={}, headers=origin)
    keyless = httpx.post(f"{service.url}/caption", headers=origin, trust_env=False)
    assert (refused.status_code, keyless.status_code) == (422, 401)
    for answer in (refused, keyless):
        assert answer.headers["access-control-allow-origin"] == SITE


@pytest.mark.parametrize("prefix", ["", "/captions"])
def test_paths_with_and_without_the_prefix(service, prefix):
    """As the proxy hands them on."""
    assert service.client.get(f"{prefix}/health").json() == {"status": "healthy"}
    assert service.client.get(f"{prefix}/").status_code == 200
    assert service.client.get(f"{prefix}/page/page.js").status_code == 200
    assert service.client.post(f"{prefix}/caption", files={"image": png(1)}).status_code == 200
    missing = service.client.post(f"{prefix}/v1/chat/completions", json={})
    assert "error" in missing.json(), "OpenAI's shape"
    assert httpx.get(f"{service.url}{prefix}/models", trust_env=False).status_code == 401
    assert service.client.get("/openapi.json").json()["servers"] == [{"url": "/captions"}]


def test_every_request_is_a_json_object_in_the_log(service):
    service.client.get("/tasks?limit=7&secret=4711")
    wait_until(lambda: "/tasks" in service.log)
    lines = [json.loads(line) for line in service.log.splitlines()]
    (found,) = [line for line in lines if line.get("fields", {}).get("route") == "/tasks"]
    assert (found["level"], found["event"]) == ("info", "request")
    assert (found["fields"]["method"], found["fields"]["status"]) == ("GET", "422")
    assert "4711" not in service.log
    assert KEY not in service.log


@pytest.mark.parametrize(
    ("option", "value"),
    [("--allowed-origin", "app.example"), ("--allowed-origin", "https://a/b"), ("--root-path", "captions")],
)
def test_values_that_cannot_work(tmp_path, option, value):
    ran = cutline("serve", "--port", free_port(), option, value, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"cutline: {option} or ")


def test_every_origin_needs_a_key(tmp_path):
    ran = cutline("serve", "--port", free_port(), "--allowed-origin", "*", cwd=tmp_path)
    assert (ran.returncode, "set --api-key as well" in ran.stderr) == (2, True)


@pytest.mark.parametrize(("parser", "status"), [("auto", 400), ("h11", 200)])
def test_another_asgi_server_runs_the_application(tmp_path, parser, status):
    """With any parser, what stands behind a head with Upgrade is never another request."""
    port = free_port()
    options = ["--http", parser, "--port", str(port), "--timeout-keep-alive", "1"]
    command = [sys.executable, "-m", "uvicorn", *options, "cutline.service.asgi:app"]
    env = environment(CUTLINE_MODEL="fake", CUTLINE_SERVICE_KEY=KEY)
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=tmp_path, env=env, stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}"

    def is_ready():
        try:
            return httpx.get(f"{url}/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(is_ready)
        answer = httpx.post(
            f"{url}/caption", files={"image": png(1)}, headers={"X-API-Key": KEY}, trust_env=False
        )
        assert answer.status_code == 200
        inner = f"GET /models HTTP/1.1\r\nHost: 127.0.0.1\r\nX-API-Key: {KEY}\r\n\r\n"
        for path in ("/caption", "/health", "/nothing"):
            for announced, body in (
                (f"Content-Length: {len(inner)}", inner),
                ("Transfer-Encoding: chunked", f"{len(inner):x}\r\n{inner}\r\n0\r\n\r\n"),
            ):
                received = upgraded(port, f"POST {path} HTTP/1.1", announced, body)
                assert received.count(b"\r\n\r\n") == 1
                assert b'"models"' not in received
        body = json.dumps({"image_base64": base64.b64encode(png(1)).decode()})
        received = upgraded(port, "POST /caption HTTP/1.1", f"Content-Length: {len(body)}", body)
        assert received.startswith(f"HTTP/1.1 {status} ".encode())
    finally:
        process.terminate()
        process.wait(PATIENCE)


def upgraded(port, line, announced, body):
    """What comes back for a request that wants HTTP/2, as the JDK's client sends it, in two segments."""
    names = ["Host: 127.0.0.1", f"X-API-Key: {KEY}", "Content-Type: application/json", announced]
    switch = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAEAAEAAAAIAAAAB"]
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as connection:
        connection.sendall("\r\n".join([line, *names, *switch, "", ""]).encode())
        connection.sendall(body.encode())
        received = b""
        while data := connection.recv(65_536):
            received += data
    return received
