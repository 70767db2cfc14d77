"""Who is answered: names, origins, keys; and what answers and logs never hold."""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess

import httpx
import pytest
from serving import Service, free_port, png

from processes import Endpoint, command, cutline, environment

KEY = "sesame-4711-open"


@pytest.fixture(scope="module")
def keyed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keyed")
    with Service("--log-level", "debug", cwd=folder, env={"CUTLINE_SERVICE_KEY": KEY}) as service:
        yield service


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    with Service(cwd=tmp_path_factory.mktemp("plain")) as service:
        yield service


def test_every_method_and_path_needs_the_key(keyed):
    paths = keyed.client.get("/openapi.json", headers={"X-API-Key": KEY}).json()["paths"]
    asked = {*paths, "/openapi.json", "/metrics", "/nowhere", "/metrics/", "/caption//", "/HEALTH"} - {
        "/health"
    }
    for path in asked:
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
            for headers in ({}, {"X-API-Key": KEY[:-1]}, {"Authorization": f"Basic {KEY}"}):
                answer = keyed.client.request(method, path, headers=headers)
                assert answer.status_code == 401, (method, path, headers)
                assert KEY not in answer.text
    assert keyed.client.get("/health").status_code == keyed.client.get("/health/").status_code == 200
    assert keyed.client.post("/health").status_code == 405


def test_the_page_loads_without_a_key_and_holds_no_data(keyed):
    assert keyed.client.get("/").status_code == 200
    assert keyed.client.post("/").status_code == 401


def test_both_ways_to_send_the_key(keyed):
    assert keyed.client.get("/models", headers={"X-API-Key": KEY}).status_code == 200
    assert keyed.client.get("/models", headers={"Authorization": f"bearer {KEY}"}).status_code == 200
    odd = keyed.client.get("/models", headers=[(b"X-API-Key", "schlüssel".encode())])
    assert odd.status_code == 401


def test_the_key_is_never_written_down(keyed):
    keyed.client.get(f"/models?key={KEY}&token={KEY}")
    keyed.client.post("/caption", content=b"{", headers={"X-API-Key": KEY})
    keyed.client.get(f"/nowhere/{KEY}?{KEY}", headers={"X-API-Key": KEY})
    keyed.client.get("/models", headers={"Authorization": f"Bearer {KEY}"})
    assert keyed.log
    assert KEY not in keyed.log


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.nip.io"]
)
def test_foreign_names_are_refused(plain, host):
    for path in ("/", "/health", "/models", "/openapi.json"):
        assert plain.client.get(path, headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://[", ""])
def test_foreign_origins_are_refused(plain, origin):
    for method, path in (
        ("GET", "/models"),
        ("POST", "/caption"),
        ("OPTIONS", "/caption"),
        ("GET", "/health"),
    ):
        answer = plain.client.request(method, path, headers={"Origin": origin})
        assert answer.status_code == 403, (method, path)
        assert "access-control-allow-origin" not in answer.headers


def test_the_own_origin_is_answered(plain):
    assert plain.client.get("/models", headers={"Origin": plain.url}).status_code == 200


def test_another_name_can_be_allowed(tmp_path):
    with Service("--allowed-host", "captions.example", cwd=tmp_path) as service:
        for host in ("captions.example", "Captions.Example:8000"):
            assert service.client.get("/health", headers={"Host": host}).status_code == 200
        assert service.client.get("/health", headers={"Host": "evil.example"}).status_code == 403


def test_only_this_machine_is_listened_to(plain):
    listening = subprocess.run(["ss", "-Hltn"], capture_output=True, text=True, check=False).stdout
    if not listening:
        pytest.skip("needs the program ss")
    own = [line.split()[3] for line in listening.splitlines() if line.split()[3].endswith(f":{plain.port}")]
    assert own == [f"127.0.0.1:{plain.port}"]


@pytest.mark.parametrize(
    ("origin", "status"), [("https://captions.example", 200), ("https://evil.example", 403)]
)
def test_a_proxy_that_asks_by_our_address(tmp_path, origin, status):
    """As nginx does by itself; the browser says what it calls us."""
    with Service("--model", "fake", "--allowed-host", "captions.example", cwd=tmp_path) as service:
        asked = service.client.post(
            "/caption", files={"image": ("a.png", png(1))}, headers={"Origin": origin}
        )
    assert asked.status_code == status


@pytest.mark.parametrize("key", ["schlüssel", "two words"])
def test_a_key_that_nobody_can_send(tmp_path, key):
    ran = cutline("serve", "--port", free_port(), cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": key})
    assert ran.returncode == 2
    assert "the key holds a blank, a line break or an invalid letter" in ran.stderr
    assert key not in ran.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "machine.example"])
def test_other_addresses_need_a_key(tmp_path, host):
    ran = subprocess.run(
        command("serve", "--host", host, "--port", free_port()),
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert "--api-key" in ran.stderr
    assert "--insecure" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_insecure_is_possible_when_it_is_said(tmp_path):
    with Service("--host", "0.0.0.0", "--insecure", cwd=tmp_path) as service:
        assert service.client.get("/models").status_code == 200
        address = socket.gethostbyname(socket.gethostname())
        assert httpx.get(f"http://{address}:{service.port}/models", trust_env=False).status_code == 200


def test_every_answer_has_the_headers_that_protect_browsers(plain):
    for path in ("/", "/health", "/models", "/nowhere", "/openapi.json", "/metrics"):
        headers = plain.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert "default-src" in headers["content-security-policy"], path
        assert headers["x-frame-options"] == "DENY", path
        assert "server" not in headers, path


def test_errors_hold_no_path_and_no_stack(plain):
    broken = b"\x89PNG\r\n\x1a\n" + b"broken" * 50
    answers = [
        plain.client.post("/caption", files={"image": ("a.png", broken)}),
        plain.client.post("/caption", files={"image": ("../../etc/passwd", png(1)[:60])}),
        plain.client.post("/caption", content=b"\xff\xfe{", headers={"Content-Type": "application/json"}),
        plain.client.post("/caption", json={"image_base64": "AAAA", "schema": {"type": 5}}),
        plain.client.post("/caption", json={"image_base64": "AAAA", "prompt": "/etc/passwd"}),
        plain.client.get("/task-status/../../etc/passwd"),
        plain.client.post("/caption", content=b"x", headers={"Content-Type": "multipart/form-data"}),
    ]
    for answer in answers:
        assert 400 <= answer.status_code < 500, answer.text
        assert isinstance(answer.json()["detail"], str)
        assert not re.search(r"Traceback|File \"|/site-packages|/tmp/|root:|0x[0-9a-f]{6}", answer.text)


def status(service, key):
    return service.client.get("/models", headers={"X-API-Key": key}).status_code


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_key_can_be_in_a_file(tmp_path, workers):
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    with Service("--workers", workers, cwd=tmp_path, env={"CUTLINE_SERVICE_KEY_FILE": str(file)}) as service:
        assert [status(service, "another"), status(service, KEY)] == [401, 200]
        assert KEY not in service.log


def test_an_option_goes_before_the_environment(tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY)
    with Service("--api-key-file", file, cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": "another"}) as service:
        assert [status(service, "another"), status(service, KEY)] == [401, 200]
    environment = {"CUTLINE_SERVICE_KEY_FILE": str(tmp_path / "missing"), "CUTLINE_MODEL_KEY_FILE": ""}
    with Service("--api-key", "given", cwd=tmp_path, env=environment) as service:
        assert [status(service, KEY), status(service, "given")] == [401, 200]


@pytest.mark.parametrize("name", ["API_KEY", "API_KEY_FILE", "CUTLINE_API_KEY"])
def test_keys_of_others_are_not_the_services(tmp_path, name):
    """CUTLINE_API_KEY is what an endpoint is sent: clients must neither need nor learn it."""
    with Service("--model", "fake", cwd=tmp_path, env={name: KEY}) as service:
        assert service.client.get("/models").status_code == 200
    (tmp_path / ".env").write_text(f"{name}={KEY}\n")
    ran = cutline("serve", "--host", "0.0.0.0", "--port", free_port(), cwd=tmp_path, env={name: KEY})
    assert ran.returncode == 2
    assert "can be reached by others" in ran.stderr


@pytest.mark.parametrize("option", ["--api-key", "--model-key", "--webhook-secret"])
def test_an_empty_key_does_not_mean_none(tmp_path, option):
    """``--api-key "$KEY"`` where the variable is not set."""
    ran = cutline("serve", "--port", free_port(), option, "", cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": KEY})
    assert ran.returncode == 2
    assert ran.stderr == f"cutline: {option} is empty: give a key, or remove it\n"


def test_the_models_key_can_be_in_a_file(tmp_path):
    file = tmp_path / "model-key"
    file.write_text(KEY)
    with contextlib.ExitStack() as stack:
        endpoint = stack.enter_context(Endpoint(key=KEY))
        model = ("--model", "openai:m", "--endpoint", endpoint.url, "--model-key-file", file)
        service = stack.enter_context(Service(*model, cwd=tmp_path))
        answer = service.client.post("/caption", files={"image": ("a.png", png(1))})
        assert answer.status_code == 200, answer.text
        assert answer.json()["caption"]


@pytest.mark.parametrize(
    ("options", "env", "said"),
    [
        (["--api-key-file", "missing"], {}, "missing does not exist"),
        (["--api-key-file", "empty"], {}, "empty is empty"),
        (["--api-key-file", "key", "--api-key", "k"], {}, "--api-key and --api-key-file exclude"),
        ([], {"CUTLINE_MODEL_KEY": "k", "CUTLINE_MODEL_KEY_FILE": "key"}, "--model-key and --model-key-file"),
        (["--webhook-secret-file", "key"], {}, "whsec_"),
    ],
)
def test_what_is_wrong_with_a_keys_file(tmp_path, options, env, said):
    (tmp_path / "key").write_text("whsec_%")
    (tmp_path / "empty").write_text(" \n")
    ran = subprocess.run(
        command("serve", "--port", free_port(), *options),
        cwd=tmp_path, env=environment(**env), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 2, ran.stderr
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1
