"""What requests send: too much, too slowly, lies, bombs. Memory stays bounded and others are answered."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import threading
import time
import zlib

import httpx
import psutil
import pytest
from serving import Service, png

MOST = 20_000_000
MORE = 100_000_000  # bytes of memory that nothing here may cost


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bodies")
    with Service(cwd=folder, env={"CUTLINE_MAX_BODY": str(MOST)}) as service:
        for _ in range(5):
            service.client.post("/caption", files={"image": ("a.png", png(1, (640, 480)))})
        yield service


class Watch:
    """Asks /health all the time, and looks at the service's memory and work.

    How long an answer takes is counted in the service's own work meanwhile, which is the same on a busy machine.
    """

    def __init__(self, service):
        self.seconds, self.work = [], []
        self._process = psutil.Process(service.process.pid)
        self._before = self._process.memory_info().rss
        self._url = f"{service.url}/health"
        self._ended = threading.Event()
        self.more = 0
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        time.sleep(0.2)
        self._ended.set()
        self._thread.join()

    def _run(self):
        with httpx.Client(trust_env=False, timeout=30) as client:
            while not self._ended.is_set():
                began, work = time.perf_counter(), self._worked()
                assert client.get(self._url).status_code == 200
                self.seconds.append(time.perf_counter() - began)
                self.work.append(self._worked() - work)
                self.more = max(self.more, self._process.memory_info().rss - self._before)
                time.sleep(0.005)

    def _worked(self):
        """Seconds of processor time, of all its threads."""
        times = self._process.cpu_times()
        return times.user + times.system

    def check(self):
        work, seconds = p99(self.work), p99(self.seconds)
        assert work < 0.2, f"p99 {work:.3f} s of work, {seconds:.3f} s"
        assert seconds < 10, "it waits for something else"
        assert self.more < MORE, f"{self.more:,} bytes more"


def p99(values):
    return sorted(values)[int(0.99 * len(values))]


def raw(service, head, chunks=(), *, wait=30.0):
    """Send bytes as they are; the status that came, None for a connection that was closed without one."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=wait) as connection:
        try:
            connection.sendall(head.replace("\n", "\r\n").encode())
            for chunk in chunks:
                connection.sendall(chunk)
        except OSError:
            pass
        try:
            line = connection.recv(4096).split(b"\r\n")[0]
        except OSError:
            return None
        return int(line.split()[1]) if line else None


POST = "POST /caption HTTP/1.1\nHost: localhost\nContent-Type: application/json\n"


def parts(count, *, file=False):
    """A form with many parts."""
    field = b'--b\r\nContent-Disposition: form-data; name="images"' + (b'; filename="a"' if file else b"")
    return (field + b"\r\n\r\nx\r\n") * count + b"--b--\r\n"


FORM = {"Content-Type": "multipart/form-data; boundary=b"}


def test_a_body_that_says_it_is_too_large_is_not_read(service):
    with Watch(service) as watch:
        assert raw(service, f"{POST}Content-Length: {MOST + 1}\n\n") == 413
        assert raw(service, f"{POST}Content-Length: {10**30}\n\n") in {400, 413}
        for content in (b"x" * (MOST + 1), b'{"image_base64": "' + b"A" * (MOST + 1) + b'"}'):
            assert service.client.post("/caption", content=content).status_code == 413
    watch.check()


def test_chunks_without_end(service):
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    with Watch(service) as watch:
        for _ in range(3):
            assert raw(service, f"{POST}Transfer-Encoding: chunked\n\n", [chunk] * 200) == 413
    watch.check()


@pytest.mark.parametrize("length", ["-1", "+5", "1e3", "0x10", "5, 5", "٣", " "])
def test_content_length_that_is_no_number(service, length):
    assert raw(service, f"{POST}Content-Length: {length}\n\nhello") in {400, None}


@pytest.mark.parametrize(
    "lines",
    ["Content-Length: 5\nContent-Length: 6\n", "Content-Length: 5\nTransfer-Encoding: chunked\n"],
)
def test_two_lengths(service, lines):
    assert raw(service, f"{POST}{lines}\n0\n\n") in {400, None}


@pytest.mark.parametrize("path", ["/caption", "/batch-caption"])
@pytest.mark.parametrize("file", [False, True])
def test_a_hundred_thousand_parts(service, path, file):
    with Watch(service) as watch:
        for _ in range(3):
            answer = service.client.post(path, content=parts(100_000, file=file), headers=FORM)
            assert answer.status_code in {400, 413, 422}, answer.text
    watch.check()


def test_heads_of_parts_without_end(service):
    line = b"--b\r\n" + b"X-Name: value\r\n" * 500_000
    name = b'--b\r\nContent-Disposition: form-data; name="' + b"a" * 10_000_000 + b'"\r\n\r\nx\r\n--b--'
    preamble = b"-" * 10_000_000
    with Watch(service) as watch:
        for content in (line, name, preamble):
            assert service.client.post("/caption", content=content, headers=FORM).status_code in {400, 422}
    watch.check()


def test_depth_and_width_bombs(service):
    deep = b'{"schema":' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}"
    wide = json.dumps({f"a{number}": 1 for number in range(300_000)}).encode()
    digits = b'{"seed":' + b"9" * 5_000_000 + b"}"
    with Watch(service) as watch:
        for content in (deep, wide, digits, b"[" * 5_000_000, b'{"a":' * 1_000_000):
            assert service.client.post("/caption", content=content).status_code in {400, 413, 422}
        many = {"image_paths": ["a"] * 1_000_000}
        assert service.client.post("/batch-caption", json=many).status_code in {403, 413}
        schema = {"schema": "[" * 50_000}
        answer = service.client.post("/caption", data=schema, files={"image": ("a.png", png(1))})
        assert answer.status_code == 422
    watch.check()


def test_patterns_are_not_run_for_clients(service):
    evil = {"type": "object", "properties": {"a": {"type": "string", "pattern": "(a+)+$"}}}
    body = {"image_base64": base64.b64encode(png(1)).decode(), "schema": evil}
    answer = service.client.post("/caption", json=body)
    assert answer.status_code == 422
    assert "pattern" in answer.json()["detail"]


def test_schemas_with_numbers_beyond_all_bounds(service):
    picture = {"image_base64": base64.b64encode(png(1)).decode()}
    for number in (2**64, -(2**70), 10**400):
        schema = {"type": "object", "properties": {"a": {"type": "integer", "maximum": number}}}
        answer = service.client.post("/caption", json={**picture, "schema": schema})
        assert answer.status_code == 422, answer.text
        assert "64 bits" in answer.json()["detail"] or number == 10**400


def test_packed_bodies_are_not_unpacked(service):
    packed = gzip.compress(bytes(50_000_000))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    with Watch(service) as watch:
        answer = service.client.post("/caption", content=packed, headers=headers)
        assert answer.status_code == 415
        assert "without Content-Encoding" in answer.json()["detail"]
    watch.check()


def bomb(width, height):
    """A PNG that says it is that large, with few bytes of pixels in it."""

    def chunk(kind, data):
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\x00\x00\x00"
    pixels = zlib.compress(bytes(10_000_000), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_pictures_that_are_bombs(service):
    data = bomb(50_000, 50_000)
    with Watch(service) as watch:
        answers = [
            service.client.post("/caption", files={"image": ("a.png", data)}),
            service.client.post("/caption", json={"image_base64": base64.b64encode(data).decode()}),
        ]
        for answer in answers:
            assert answer.status_code in {413, 415}, answer.text
    watch.check()


@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
def test_base64_in_lines(service, head):
    """As ``base64`` and MIME write it."""
    text = head + base64.encodebytes(png(1, (300, 200))).decode().replace("\n", "\r\n")
    assert service.client.post("/caption", json={"image_base64": text}).status_code == 200


def test_base64_that_is_none(service):
    for text in ("A" * 5_000_001, "!" * 1_000_000, "=" * 1000, "data:image/png;base64", "data:,", "Ä" * 1000):
        answer = service.client.post("/caption", json={"image_base64": text})
        assert answer.status_code in {415, 422}, answer.text


def test_endless_heads(service):
    lines = [b"X-A: " + b"a" * 1000 + b"\r\n"] * 5000
    with Watch(service) as watch:
        assert raw(service, "GET /health HTTP/1.1\nHost: localhost\n", lines) in {400, 431, None}
        assert raw(service, f"GET /{'a' * 3_000_000} HTTP/1.1\nHost: localhost\n\n") in {400, 404, 414, None}
    watch.check()


def test_nothing_is_left_behind(service):
    """After all of the above: no descriptors, no waiting requests, no bytes held."""
    process = psutil.Process(service.process.pid)
    for _ in range(50):
        numbers = dict(
            line.split() for line in service.client.get("/metrics").text.splitlines() if line[0] != "#"
        )
        if numbers["cutline_held_bytes"] == "0.0" and process.num_fds() < 40:
            break
        time.sleep(0.2)
    assert numbers["cutline_held_bytes"] == "0.0"
    assert numbers["cutline_waiting_requests"] == "0.0"
    assert process.num_fds() < 40
    assert not any(file.path.startswith("/tmp/") and "serve" not in file.path and "pytest" not in file.path
                   for file in process.open_files())  # fmt: skip
    assert "Traceback" not in service.log


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_json_from_files_of_powershell(service, encoding):
    """Which begin with a byte-order mark."""
    encoded = base64.b64encode(png(7)).decode()
    headers = {"Content-Type": "application/json"}
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}}
    inputs = [
        {"role": "user", "content": [{"type": "input_image", "image_url": picture["image_url"]["url"]}]}
    ]
    for path, body in (
        ("/caption", {"image_base64": encoded}),
        ("/batch-caption", {"images_base64": [encoded]}),
        ("/v1/chat/completions", {"model": "pixels", "messages": [{"role": "user", "content": [picture]}]}),
        ("/v1/responses", {"model": "pixels", "input": inputs}),
    ):
        answer = service.client.post(path, content=json.dumps(body).encode(encoding), headers=headers)
        assert answer.status_code == 200, answer.text
