"""URLs in requests: pictures of the public internet, and no word about the network behind the service."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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
        timeout=150,
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
    assert seconds < 20


def test_a_drip_is_given_up(found):
    status, _, seconds = found["answers"][SLOW[0]]
    assert status == 422
    assert seconds < 30
