"""URLs in requests: pictures of the public internet, and no word about the network behind the service."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from listening import Listening
from serving import Service, png

SCRIPT = Path(__file__).parent / "inside_network.py"
APART = ["unshare", "--map-root-user", "--net", "--mount"]
PUBLIC = "93.184.215.14"
REBOUND = "http://rebound.example/picture.png"
FETCHED = [
    f"http://{PUBLIC}/picture.png",
    "http://public.example/picture.png",
    "http://both.example/picture.png",
    REBOUND,
]
REFUSED = [
    "http://127.0.0.1:8123/secret.png",
    "http://localhost:8123/secret.png",
    "http://inner.example:8123/secret.png",
    "http://ten.example/secret.png",
    "http://0.0.0.0:8123/secret.png",
    "http://0:8123/secret.png",
    "http://127.1:8123/secret.png",
    "http://2130706433:8123/secret.png",
    "http://0x7f000001:8123/secret.png",
    "http://0177.0.0.1:8123/secret.png",
    "http://[::1]:8123/secret.png",
    "http://[::]:8123/secret.png",
    "http://[::ffff:127.0.0.1]:8123/secret.png",
    "http://[::ffff:7f00:1]:8123/secret.png",
    "http://[64:ff9b::7f00:1]:8123/secret.png",
    "http://10.0.0.1/secret.png",
    "http://172.16.0.1/secret.png",
    "http://192.168.1.1/secret.png",
    "http://169.254.169.254/latest/meta-data",
    "http://100.64.0.1/secret.png",
    "http://[fe80::1]/secret.png",
    "http://[fd00::1]/secret.png",
    f"http://{PUBLIC}\\@127.0.0.1:8123/secret.png",
    f"http://127.0.0.1:8123\\@{PUBLIC}/secret.png",
    f"http://{PUBLIC}@127.0.0.1:8123/secret.png",
    f"http://{PUBLIC}#@127.0.0.1:8123/secret.png",
    "file:///etc/passwd",
    "ftp://127.0.0.1/secret.png",
    "gopher://127.0.0.1:8123/secret.png",
    "//127.0.0.1:8123/secret.png",
    "data:image/png;base64,AAAA",
    "no URL",
    f"http://{PUBLIC}/loopback",
    f"http://{PUBLIC}/name",
    f"http://{PUBLIC}/decimal",
    f"http://{PUBLIC}/mapped",
    f"http://{PUBLIC}/file",
    f"http://{PUBLIC}/twice",
    f"http://{PUBLIC}/closed",
    f"http://{PUBLIC}/circle",
    "http://127.0.0.1:1/nobody-listens.png",
    "http://absent.example/secret.png",
    "http://turned.example/secret.png",
]
TOO_MUCH = [f"http://{PUBLIC}/bomb.png", f"http://{PUBLIC}/endless.png"]
SLOW = [f"http://{PUBLIC}/slow.png"]


@pytest.fixture(scope="module")
def found():
    if not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("needs the programs unshare and ip")
    if subprocess.run([*APART, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine allows no network namespaces")
    asked = json.dumps(FETCHED + REFUSED + TOO_MUCH + SLOW)
    ran = subprocess.run(
        [*APART, sys.executable, SCRIPT],
        input=asked,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_public_pictures_are_fetched(found):
    for url in FETCHED:
        status, body, _ = found["answers"][url]
        assert status == 200, body
        assert body["caption"]


@pytest.mark.parametrize("kind", ["batch", "job"])
def test_several_urls_at_once(found, kind):
    """By a job as by a batch: each fails by itself, and the inner server stays out of reach."""
    first, inner, last = found[kind]
    assert first["caption"]
    assert last["caption"]
    assert (inner["caption"], inner["kind"]) == (None, "fetch")
    assert [one["image_path"] for one in (first, last)] == FETCHED[:2]
    assert found["reached"] == 0


def test_the_inner_server_is_never_asked(found):
    assert found["reached"] == 0


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(found):
    """Its second answer would lead inside, to a server that waits on the same port."""
    assert found["resolved"]["rebound.example"] == 1
    assert found["answers"][REBOUND][0] == 200
    assert found["reached"] == 0


def test_refusals_do_not_tell_what_is_there(found):
    said = {json.dumps(found["answers"][url][:2]) for url in REFUSED}
    assert len(said) == 1, "an open port, a closed one and a name that is not there look alike"
    status, body = json.loads(said.pop())
    assert status == 422
    assert not any(word in str(body) for word in ("127.0", "private", "resolve", "refused", "secret"))


@pytest.mark.parametrize("url", TOO_MUCH)
def test_too_much_is_stopped(found, url):
    status, _, seconds = found["answers"][url]
    assert status == 413
    assert seconds < 100


def test_a_drip_is_given_up(found):
    status, _, seconds = found["answers"][SLOW[0]]
    assert status == 422
    assert seconds < 100


class Inside(Listening):
    """A web server on this machine: a picture at /picture.png, and faults; ``asked`` lists the paths."""

    def __init__(self):
        asked = self.asked = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                path = self.path.partition("?")[0]
                asked.append(path)
                body = png(1) if path == "/picture.png" else b"<html>"
                self.send_response({"/gone.png": 404, "/away.png": 302}.get(path, 200))
                if path == "/away.png":
                    self.send_header("Location", "/gone.png")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        super().__init__(Handler)


def urls_of(inside):
    """One that is there, and several that are not, each for another reason."""
    names = ("picture.png", "gone.png", "away.png", "page.png")
    return [f"http://{inside.host}/{name}?signature=4711" for name in names] + [
        "http://127.0.0.1:1/closed.png?signature=4711",
        "http://nobody:s3cret@127.0.0.1:1/a.png",
    ]


@pytest.mark.parametrize("env", [{}, {"CUTLINE_ALLOW_PRIVATE_URLS": "true"}])
def test_urls_of_ones_own_network_where_they_are_allowed(tmp_path, env):
    options = () if env else ("--allow-private-urls",)
    with Inside() as inside, Service("--model", "fake", *options, cwd=tmp_path, env=env) as service:
        there, *absent = urls_of(inside)
        answer = service.client.post("/caption", json={"image_url": there})
        assert answer.status_code == 200, answer.text
        assert answer.json()["caption"]
        task = service.client.post("/async-batch-caption", json={"image_urls": [there, absent[0]]}).json()
        results = service.ended(task["task_id"])["results"]
        assert [one["caption"] is None for one in results] == [False, True]
        assert results[0]["image_path"] == f"http://{inside.host}/picture.png?signature=…"
        with contextlib.closing(sqlite3.connect(tmp_path / "cutline-jobs.db")) as store:
            names = [name for (name,) in store.execute("SELECT name FROM cutline_items ORDER BY place")]
        assert names == [result["image_path"] for result in results], "no signature stays in the store"
        asked = [service.client.post("/caption", json={"image_url": url}) for url in absent]
        assert {answer.status_code for answer in asked} == {422}
        assert len({answer.text for answer in asked}) == 1
        for host, cause in (
            (inside.host, "the server returned 404"),
            (inside.host, "the response is a web page, not a picture"),
            ("127.0.0.1:1", "cannot connect .*"),
        ):
            assert re.search(f"picture failed kind=fetch host={host} cause={cause}\n", service.log)
        assert "host=127.0.0.1:1 cause=a URL with a user name or password in it\n" in service.log
        for word in ("4711", "s3cret", "nobody", "png"):
            assert word not in service.log


def test_urls_of_ones_own_network_are_refused_by_default_and_only_the_log_says_why(tmp_path):
    with Inside() as inside, Service("--model", "fake", cwd=tmp_path) as service:
        port = inside.host.rpartition(":")[2]
        urls = [*urls_of(inside), f"http://localhost:{port}/picture.png"]
        asked = [service.client.post("/caption", json={"image_url": url}) for url in urls]
        assert {answer.status_code for answer in asked} == {422}
        assert len({answer.text for answer in asked}) == 1
        assert inside.asked == []
        cause = "a private or reserved address; --allow-private-urls permits it"
        assert f"kind=blocked-address host={inside.host} cause={cause}\n" in service.log
        assert re.search(f"host=localhost:{port} cause=.*{cause}\n", service.log)
