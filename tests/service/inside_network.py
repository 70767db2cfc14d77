"""Asks `cutline serve` for URLs within a network of its own, and prints what came as JSON.

Run by test_service_urls.py as ``unshare --map-root-user --net --mount``: there, this machine has the public address
PUBLIC besides loopback, and names that lead to either. Nothing leaves it.
"""

from __future__ import annotations

import gzip
import json
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
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        (folder / "hosts").write_text(HOSTS)
        subprocess.run(["mount", "--bind", folder / "hosts", "/etc/hosts"], check=True)
        for address, kind in ((("127.0.0.1", INNER), Inner), ((PUBLIC, 80), Outer)):
            server = ThreadingHTTPServer(address, kind)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        asked = json.loads(sys.stdin.read())
        with Service(cwd=folder) as service:
            answers = {}
            for url in asked:
                began = time.monotonic()
                answer = service.client.post("/caption", json={"image_url": url})
                answers[url] = [answer.status_code, answer.json(), time.monotonic() - began]
            found = {"answers": answers, "reached": Inner.reached, "log": service.log}
        print(json.dumps(found))


main()
