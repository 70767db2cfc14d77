"""Asks `cutline serve` for URLs within a network of its own, and prints what came as JSON.

Run by test_service_urls.py as ``unshare --map-root-user --net --mount``: there, this machine has the public address
PUBLIC besides loopback, names that lead to either, and a name server whose answers change. Nothing leaves it.
"""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from serving import Service, png

PUBLIC = "93.184.215.14"
INNER = 8123
HOSTS = f"127.0.0.1 localhost\n127.0.0.1 inner.example\n10.1.2.3 ten.example\n{PUBLIC} public.example\n"
NAMES = {
    "rebound.example": ([PUBLIC], ["127.0.0.1"]),  # public when it is looked at, ours when it is asked again
    "turned.example": (["127.0.0.1"], [PUBLIC]),
    "both.example": (["127.0.0.1", PUBLIC], ["127.0.0.1", PUBLIC]),
}
"""What the name server answers to the first question for an address, and to every later one."""


class Inner(BaseHTTPRequestHandler):
    """What nobody may reach: every connection counts."""

    reached = 0

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(png(9))

    def setup(self):
        type(self).reached += 1
        super().setup()

    def log_message(self, *_):
        pass


class Names(threading.Thread):
    """A name server, with answers that may be kept for no time at all; ``asked`` counts questions by name."""

    def __init__(self):
        super().__init__(daemon=True)
        self.asked = dict.fromkeys(NAMES, 0)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 53))

    def run(self):
        while True:
            query, sender = self._socket.recvfrom(4096)
            self._socket.sendto(self.answer(query), sender)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode())
            at += 1 + query[at]
        question, name = query[12 : at + 5], ".".join(labels)
        kind = int.from_bytes(query[at + 1 : at + 3])
        addresses = []
        if kind == 1 and name in NAMES:
            first, later = NAMES[name]
            addresses = later if self.asked[name] else first
            self.asked[name] += 1
        known = name in NAMES
        head = query[:2] + (b"\x81\x80" if known else b"\x81\x83") + b"\x00\x01"
        records = b"".join(
            b"\xc0\x0c\x00\x01\x00\x01" + bytes(4) + b"\x00\x04" + socket.inet_aton(address)
            for address in addresses
        )
        return head + len(addresses).to_bytes(2) + bytes(4) + question + records


class Outer(BaseHTTPRequestHandler):
    def do_GET(self):
        where = {
            "/loopback": f"http://127.0.0.1:{INNER}/secret.png",
            "/name": f"http://inner.example:{INNER}/secret.png",
            "/decimal": f"http://2130706433:{INNER}/secret.png",
            "/mapped": f"http://[::ffff:127.0.0.1]:{INNER}/secret.png",
            "/file": "file:///etc/passwd",
            "/twice": f"http://{PUBLIC}/loopback",
            "/closed": "http://127.0.0.1:1/secret.png",
            "/circle": "/circle",
        }.get(self.path)
        if where:
            self.send_response(302)
            self.send_header("Location", where)
            self.end_headers()
        elif self.path == "/bomb.png":
            self.send_response(200)
            self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            self.wfile.write(gzip.compress(bytes(300_000_000), 6))
        elif self.path == "/endless.png":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(bytes(1_000_000))
            except OSError:
                pass
        elif self.path == "/slow.png":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(b"x")
                    time.sleep(0.5)
            except OSError:
                pass
        else:
            self.send_response(200 if self.path == "/picture.png" else 404)
            self.end_headers()
            self.wfile.write(png(5))

    def log_message(self, *_):
        pass


def main() -> None:
    for line in ("link set lo up", f"addr add {PUBLIC}/32 dev lo"):
        subprocess.run(["ip", *line.split()], check=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        files = {
            "hosts": HOSTS,
            "resolv.conf": "nameserver 127.0.0.1\n",
            "nsswitch.conf": "hosts: files dns\n",
        }
        for name, text in files.items():
            (folder / name).write_text(text)
            subprocess.run(["mount", "--bind", folder / name, Path("/etc", name)], check=True)
        names = Names()
        names.start()
        # The same port inside and outside: only the address tells them apart.
        for address, kind in (
            (("127.0.0.1", INNER), Inner),
            (("127.0.0.1", 80), Inner),
            ((PUBLIC, 80), Outer),
        ):
            server = ThreadingHTTPServer(address, kind)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = json.loads(sys.stdin.read())
        with Service(cwd=folder) as service:
            answers = {}
            for url in asked:
                began = time.monotonic()
                answer = service.client.post("/caption", json={"image_url": url})
                answers[url] = [answer.status_code, answer.json(), time.monotonic() - began]
            some = {"image_urls": [asked[0], f"http://127.0.0.1:{INNER}/secret.png", asked[1]]}
            batch = service.client.post("/batch-caption", json=some).json()
            job = service.client.post("/async-batch-caption", json=some).json()["task_id"]
            found = {
                "answers": answers,
                "batch": batch,
                "job": service.ended(job)["results"],
                "reached": Inner.reached,
                "resolved": names.asked,
                "log": service.log,
            }
        print(json.dumps(found))


main()
