"""HTTP as clients and attackers speak it: upgrades, expectations, two lengths, no host."""

from __future__ import annotations

import base64
import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from serving import Service, png

from processes import PATIENCE


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("protocol")
    arguments = ("--model", "fake", "--host", "127.0.0.1", "--allowed-host", "captions.example")
    with Service(*arguments, cwd=folder) as service:
        yield service


def body_of(number, size=(24, 16)):
    return json.dumps({"image_base64": base64.b64encode(png(number, size)).decode()}).encode()


def exchanged(service, *pieces):
    """All that the service sends until it closes the connection."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as connection:
        for piece in pieces:
            connection.sendall(piece)
        received = b""
        while data := connection.recv(65_536):
            received += data
    return received


def statuses(received):
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d+) ", received)]


def request(service, body, *headers, path="/caption", method="POST"):
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{service.port}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


JSON = "Content-Type: application/json"
LAST = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


@pytest.mark.skipif(shutil.which("java") is None, reason="no JDK")
def test_the_client_of_the_jdk(service, tmp_path):
    bodies = [tmp_path / f"{number}.json" for number in range(3)]
    for number, path in enumerate(bodies):
        path.write_bytes(body_of(number) + b" " * (number * 200_000))
    source = Path(__file__).with_name("JdkClient.java")
    command = ["java", str(source), f"{service.url}/caption", *map(str, bodies)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    lines = done.stdout.splitlines()
    assert [line[:4] for line in lines] == ["200 "] * 3, done.stderr + done.stdout


@pytest.mark.parametrize("upgrade", ["h2c", "websocket", "TLS/1.0, h2c", "anything"])
@pytest.mark.parametrize("connection", ["Upgrade, HTTP2-Settings", "keep-alive, upgrade"])
@pytest.mark.parametrize("pieces", [1, 7])
def test_an_upgrade_is_ignored(service, upgrade, connection, pieces):
    body = body_of(1)
    headers = (f"Connection: {connection}", "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA")
    sent = request(service, body, *headers, f"Upgrade: {upgrade}", JSON, f"Content-Length: {len(body)}")
    sent += LAST
    size = len(sent) // pieces + 1
    received = exchanged(service, *(sent[start : start + size] for start in range(0, len(sent), size)))
    assert statuses(received) == [200, 200]
    assert b'"caption":' in received


def test_a_body_behind_an_upgrade_is_no_second_request(service):
    smuggled = b"GET /models HTTP/1.1\r\nHost: 127.0.0.1\r\nX: y\r\n\r\n"
    for how in ((f"Content-Length: {len(smuggled)}",), ("Transfer-Encoding: chunked",)):
        body = smuggled if len(how[0]) < 25 else b"%x\r\n%b\r\n0\r\n\r\n" % (len(smuggled), smuggled)
        received = exchanged(
            service,
            request(service, b"", "Connection: Upgrade", "Upgrade: h2c", JSON, *how) + body + LAST,
        )
        assert statuses(received) == [400, 200]
        assert b"models" not in received


def test_an_upgrade_without_a_body(service):
    sent = request(service, b"", "Connection: Upgrade", "Upgrade: websocket", path="/health", method="GET")
    assert statuses(exchanged(service, sent + LAST)) == [200, 200]


@pytest.mark.parametrize(
    "headers",
    [
        ("Content-Length: 5", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 5"),
        ("Content-Length: 5", "Content-Length: 6"),
        ("Content-Length: 5", "Transfer-Encoding: chunked", "Connection: Upgrade", "Upgrade: h2c"),
        ("Transfer-Encoding: chunked, identity",),
        ("Content-Length: -5",),
    ],
    ids=["length first", "coding first", "two lengths", "with an upgrade", "coding unknown", "negative"],
)
def test_a_body_of_two_lengths_is_refused_and_the_connection_closed(service, headers):
    body = b"0\r\n\r\n"
    received = exchanged(service, request(service, body, JSON, *headers) + LAST)
    assert statuses(received) == [400]


def test_connect_is_refused(service):
    received = exchanged(service, b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" + LAST)
    assert statuses(received) == [400]


def test_a_client_that_expects_100(service):
    body = body_of(2)
    head = request(service, b"", "Expect: 100-continue", JSON, f"Content-Length: {len(body)}")
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as connection:
        connection.sendall(head)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.sendall(body)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200 OK")


def test_a_client_that_expects_100_is_refused_before_it_sends(service):
    head = request(service, b"", "Expect: 100-continue", JSON, "Content-Length: 999999999")
    received = exchanged(service, head)
    assert statuses(received) == [413]


@pytest.mark.parametrize("path", ["/health", "/ready"])
@pytest.mark.parametrize(
    "head",
    [
        "GET {} HTTP/1.0",
        "GET {} HTTP/1.1\r\nHost: 10.42.0.17:8000",
        "HEAD {} HTTP/1.1\r\nHost: [fd00::7]:80",
    ],
    ids=["1.0 without a host", "by the pod's address", "by its IPv6 address"],
)
def test_a_probe_is_answered_by_whatever_host(service, path, head):
    received = exchanged(service, f"{head.format(path)}\r\nConnection: close\r\n\r\n".encode())
    assert statuses(received) == [200]


@pytest.mark.parametrize("path", ["/models", "/tasks", "/metrics", "/", "/health/../models"])
def test_other_paths_are_guarded(service, path):
    for head in (f"GET {path} HTTP/1.0", f"GET {path} HTTP/1.1\r\nHost: evil.example"):
        received = exchanged(service, f"{head}\r\nConnection: close\r\n\r\n".encode())
        assert statuses(received)[0] in {400, 403}


def test_a_probe_of_another_site_gets_nothing_readable(service):
    """A page of another site must not learn that the service is here."""
    head = (
        b"GET /health HTTP/1.1\r\nHost: 10.0.0.1\r\nOrigin: https://evil.example\r\nConnection: close\r\n\r\n"
    )
    assert statuses(exchanged(service, head)) == [403]


def test_an_idle_connection_outlives_what_clients_keep(service):
    """HTTPX keeps idle connections for 5 seconds: a server that closes them as soon meets its next request."""
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=PATIENCE)
    connection.connect()
    used = connection.sock
    for pause in (0, 6):
        time.sleep(pause)
        connection.request("GET", "/health")
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True)
        assert connection.sock is used
    connection.close()


def test_a_slash_at_the_end_of_a_path_is_no_redirect(service):
    body = body_of(901)
    for path in ("/caption/", "/caption//"):
        received = exchanged(
            service,
            request(service, body, JSON, f"Content-Length: {len(body)}", "Connection: close", path=path),
        )
        assert statuses(received) == [200], received
        assert json.loads(received.partition(b"\r\n\r\n")[2])["caption"]
    assert service.client.get("/health/").json() == {"status": "healthy"}
    assert service.client.get("/nowhere/").status_code == 404
    unknown = service.client.get("/tasks/?limt=3")
    assert unknown.status_code == 422
    assert "limit" in unknown.text  # the query is still read
