"""Programs that behave as vllm, sglang, llama-server and ollama do, as far as starting them is concerned.

Each takes the options that its documentation names and refuses others, can be asked only after a while,
has processes of its own, and answers as its real one does. What goes wrong is told by variables:

LIKE_NOTES    folder to which the command, a few variables and all process ids are written
LIKE_DELAY    seconds until it can be asked
LIKE_SAYS     text that it prints while it gets ready
LIKE_DIES     text that it prints before it ends with code 1, instead of getting ready
LIKE_ASKED    so many answers, and it is gone
LIKE_SLOW     seconds for an answer
LIKE_STUBBORN any text: SIGTERM is ignored
LIKE_LINGER   seconds from SIGTERM to its end
LIKE_STORE    folder of the models that an ollama has

As a script, ``local_servers.py ollama`` is an Ollama on a free port that prints ``ready PORT``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NOTED = ("VLLM_API_KEY", "LLAMA_API_KEY", "OPENAI_API_KEY", "CUTLINE_API_KEY", "OLLAMA_HOST")
IDLE = [sys.executable, "-c", "import time; time.sleep(600)"]


def options(name: str, words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=name, allow_abbrev=False)
    if name == "llama-server":
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("-m", "--model", dest="file")
        which.add_argument("-hf", "-hfr", "--hf-repo", dest="repository")
        parser.add_argument("-mm", "--mmproj")
        parser.add_argument("-c", "--ctx-size", type=int)
        parser.add_argument("-ngl", "--n-gpu-layers")
    else:
        parser.add_argument("command", choices=["serve"])
    if name == "vllm":
        parser.add_argument("model")
        parser.add_argument("--max-model-len", type=int)
        parser.add_argument("--gpu-memory-utilization", type=float)
        parser.add_argument("--limit-mm-per-prompt")
    if name == "sglang":
        parser.add_argument("--model-path", dest="model", required=True)
        parser.add_argument("--mem-fraction-static", type=float)
        parser.add_argument("--context-length", type=int)
    if name != "ollama":
        parser.add_argument("--host", default="0.0.0.0")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--api-key")
    return parser.parse_args(words)


class Like(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, name: str, given: argparse.Namespace, at: tuple[str, int]) -> None:
        super().__init__(at, Handler)
        self.name = name
        self.model = getattr(given, "model", None) or getattr(given, "repository", None)
        self.sees = name != "llama-server" or bool(given.repository or given.mmproj)
        self.key = os.environ.get({"vllm": "VLLM_API_KEY", "llama-server": "LLAMA_API_KEY"}.get(name, ""), "")
        self.ready_at = time.monotonic() + float(os.environ.get("LIKE_DELAY", "0"))
        self.left = int(os.environ.get("LIKE_ASKED", "-1"))
        self.lock = threading.Lock()
        self.pulls = 0

    @property
    def ready(self) -> bool:
        return time.monotonic() >= self.ready_at

    @property
    def store(self) -> Path:
        folder = Path(os.environ["LIKE_STORE"])
        folder.mkdir(exist_ok=True)
        return folder

    def has(self, model: str) -> bool:
        if self.name != "ollama":
            return model == self.model or self.name != "vllm"
        name = model if ":" in model else f"{model}:latest"
        return (self.store / name.replace("/", "%").replace(":", "@")).exists()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Like

    def log_message(self, *_: Any) -> None:
        if "LIKE_SAYS" not in os.environ:
            print(f"INFO: {self.path} was asked for", flush=True)

    def answer(self, status: int, data: object) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        like = self.server
        if self.path == "/last":  # for tests
            self.answer(200, {"pulls": like.pulls})
        elif self.path == "/health" and like.name != "ollama":
            loading = {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}}
            self.answer(200, {"status": "ok"}) if like.ready else self.answer(503, loading)
        elif self.path == "/api/version" and like.name == "ollama":
            self.answer(200, {"version": "0.12.6"}) if like.ready else self.answer(503, {})
        elif self.path == "/api/tags" and like.name == "ollama":
            names = [path.name.replace("%", "/").replace("@", ":") for path in sorted(like.store.iterdir())]
            self.answer(200, {"models": [{"name": name, "model": name} for name in names]})
        else:
            self.answer(404, {"error": "not found"})

    def do_POST(self) -> None:
        like = self.server
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/pull" and like.name == "ollama":
            self.pull(body["model"])
        elif self.path != "/v1/chat/completions":
            self.answer(404, {"error": "not found"})
        elif like.key and self.headers.get("Authorization") != f"Bearer {like.key}":
            self.answer(401, {"error": "Unauthorized"})
        elif not like.has(body["model"]):
            self.answer(
                404, {"error": {"message": f"model {body['model']!r} not found", "type": "not_found_error"}}
            )
        elif not like.sees:
            said = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
            self.answer(500, {"error": {"code": 500, "message": said, "type": "server_error"}})
        else:
            self.caption(body)

    def caption(self, body: dict[str, Any]) -> None:
        picture = next(part for part in body["messages"][-1]["content"] if part["type"] == "image_url")
        data = picture["image_url"]["url"]
        assert data.startswith("data:image/")
        with self.server.lock:
            if self.server.left == 0:
                print("RuntimeError: the engine is gone: CUDA error", flush=True)
                os._exit(1)
            self.server.left -= 1
        time.sleep(float(os.environ.get("LIKE_SLOW", "0")))
        said = f"{self.server.name} saw {len(data)} characters."
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}
        usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
        self.answer(200, {"model": body["model"], "choices": [choice], "usage": usage})

    def pull(self, model: str) -> None:
        """As Ollama does: what goes wrong is told with status 200, and the stream just ends."""
        self.server.pulls += 1
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        layers = [("sha256:aa", 4_000_000_000), ("sha256:bb", 600_000_000)]
        self.event({"status": "pulling manifest"})
        if model.startswith("endless"):
            time.sleep(600)
        if model.startswith("hostile"):
            for total in ("many", -1, None, [1], 10**30):
                self.event(
                    {"status": "pulling \x1b[31m", "total": total, "completed": total, "digest": total}
                )
            self.event({"status": "x" * 3_000_000})
            self.event({"error": "pull \x1b[31m model\nmanifest"})
        if model.startswith("missing"):
            self.event({"error": "pull model manifest: file does not exist"})
        else:
            for digest, total in layers:
                for part in range(5):
                    event = {"status": f"pulling {digest[7:]}", "digest": digest, "total": total}
                    self.event(event | ({"completed": total * part // 4} if part else {}))
            if model.startswith("broken"):
                self.close_connection = True
                self.wfile.flush()
                self.connection.shutdown(2)
                return
            self.event({"status": "verifying sha256 digest"})
            self.event({"status": "writing manifest"})
            name = model if ":" in model else f"{model}:latest"
            (self.server.store / name.replace("/", "%").replace(":", "@")).touch()
            self.event({"status": "success"})
        self.wfile.write(b"0\r\n\r\n")

    def event(self, data: object) -> None:
        line = json.dumps(data).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()


def note(name: str, words: list[str], pids: list[int]) -> None:
    if folder := os.environ.get("LIKE_NOTES"):
        noted = {variable: os.environ[variable] for variable in NOTED if variable in os.environ}
        about = {"name": name, "words": words, "environment": noted, "pids": pids}
        path = Path(folder) / f"{os.getpid()}.json"
        path.with_suffix(".part").write_text(json.dumps(about))
        path.with_suffix(".part").rename(path)


def main(name: str) -> None:
    """Be that program."""
    words = sys.argv[1:]
    given = options(name, words)
    if os.environ.get("LIKE_STUBBORN"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if linger := os.environ.get("LIKE_LINGER"):
        signal.signal(signal.SIGTERM, lambda *_: (time.sleep(float(linger)), os._exit(0)))
    near = subprocess.Popen(IDLE)  # as an engine's
    far = subprocess.Popen(IDLE, start_new_session=True)  # that no group of ours reaches
    note(name, words, [os.getpid(), near.pid, far.pid])
    if name == "ollama":
        host, _, port = os.environ["OLLAMA_HOST"].partition(":")
        at = (host, int(port))
    else:
        at = (given.host, given.port)
    print(os.environ.get("LIKE_SAYS", f"INFO: {name} loads its model"), flush=True)
    if (words_of_death := os.environ.get("LIKE_DIES")) is not None:
        time.sleep(0.2)
        print(words_of_death, flush=True)
        sys.exit(1)
    Like(name, given, at).serve_forever()


def stand_alone(name: str) -> None:
    server = Like(name, options(name, ["serve"]), ("127.0.0.1", 0))
    print(f"ready {server.server_address[1]}", flush=True)
    with contextlib.redirect_stdout(sys.stderr):
        server.serve_forever()


if __name__ == "__main__":
    stand_alone(sys.argv[1])
