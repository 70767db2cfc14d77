"""What a public host may lead to, tried with public addresses that exist only in a network of this test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

PUBLIC = "198.41.0.4"  # given to the loopback device of a network namespace: no packet leaves the machine

SCRIPT = """
import asyncio, sys, threading, http.server
from pathlib import Path
from cutline.errors import PictureError
from cutline.locations.http import Fetcher

PUBLIC = sys.argv[1]
PHOTO = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
private = []

class Public(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path[4:])
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(PHOTO)))
        self.end_headers()
        self.wfile.write(PHOTO)

    def log_message(self, *_):
        pass

class Private(Public):
    def do_GET(self):
        private.append(self.path)
        super().do_GET()

for address, handler in ((PUBLIC, Public), ("127.0.0.1", Private)):
    server = http.server.ThreadingHTTPServer((address, 8080), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

async def main():
    fetcher = Fetcher()
    print(len((await fetcher.fetch(f"http://{PUBLIC}:8080/photo.jpg")).data) == len(PHOTO))
    print(len((await fetcher.fetch(f"http://{PUBLIC}:8080/to/http://{PUBLIC}:8080/moved.jpg")).data) == len(PHOTO))
    for target in sys.argv[2:]:
        try:
            await fetcher.fetch(f"http://{PUBLIC}:8080/to/{target}")
            print("fetched", target)
        except PictureError as error:
            print(error.kind)
    # A name with a public and a private address must never lead to the private one.
    for name in ("rebinding.example", "inside.example"):
        try:
            print(len((await fetcher.fetch(f"http://{name}:8080/photo.jpg")).data) == len(PHOTO))
        except PictureError as error:
            print(error.kind)
    print(private)
    await fetcher.aclose()

asyncio.run(main())
"""


@pytest.fixture
def in_own_network(tmp_path):
    """Runs a script in a network namespace where ``PUBLIC`` and two names lead to this machine."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("needs unshare and ip to make a network of its own")
    hosts = tmp_path / "hosts"
    hosts.write_text(
        f"127.0.0.1 localhost\n127.0.0.1 rebinding.example\n{PUBLIC} rebinding.example\n127.0.0.1 inside.example\n"
    )
    setting_up = (
        'ip link set lo up && ip addr add $0/32 dev lo && mount --bind $1 /etc/hosts && shift && exec "$@"'
    )

    def run(*arguments):
        command = ["unshare", "--net", "--mount", "bash", "-c", setting_up, PUBLIC, str(hosts)]
        return subprocess.run(
            [*command, sys.executable, "-c", SCRIPT, PUBLIC, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    tried = subprocess.run(
        ["unshare", "--net", "--mount", "true"], capture_output=True, text=True, check=False
    )
    if tried.returncode:
        pytest.skip(f"may not make a network of its own: {tried.stderr.strip()}")
    return run


def test_a_public_host_cannot_lead_to_a_private_one(in_own_network):
    targets = [
        "http://127.0.0.1:8080/secret.jpg",
        "http://localhost:8080/secret.jpg",
        "http://2130706433:8080/secret.jpg",
        "http://[::1]:8080/secret.jpg",
        "http://[::ffff:127.0.0.1]:8080/secret.jpg",
        "http://inside.example:8080/secret.jpg",
        "file:///etc/passwd",
    ]
    done = in_own_network(*targets)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[:2] == ["True", "True"], "a public host is fetched from, also through a redirect"
    never = {
        "http://2130706433:8080/secret.jpg",
        "file:///etc/passwd",
    }  # in a form that is not fetched at all
    kinds = ["bad-url" if target in never else "blocked-address" for target in targets]
    assert said[2 : 2 + len(targets)] == kinds
    assert said[-3] in {"True", "blocked-address"}, "only the public address of two may be connected to"
    assert said[-2] == "blocked-address"
    assert said[-1] == "[]", "nothing private was asked"
