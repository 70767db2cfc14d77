"""OpenAI's batch API in a process of its own: files, batches, and a day that passes when it is told to.

    python tests/servers/batch_service.py

Prints ``ready PORT``. ``POST /configure`` changes settings (see ``Settings``); ``POST /advance`` with
``{"to": STATUS, "share": 0.5}`` takes every batch that is under way there, having answered that share of
its requests; ``GET /stats`` tells what was asked. ``/v1/chat/completions`` answers at once. The same is to
be had as of Gemini, below ``/v1beta``: its files go by Google's API, and not by OpenAI's.
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import hashlib
import itertools
import random
import time

import orjson
from aiohttp import web
from endpoint import completion, error
from ready import on_a_port

OVER = {"completed", "expired", "cancelled", "failed"}
STAGES = ("validating", "in_progress", "finalizing", "completed")


@dataclasses.dataclass
class Settings:
    """``lose`` or ``hold`` an answer ("upload", "create", "output") after what it is about is done;
    ``hold_from``: which of them is the first to be held.

    ``auto``: each look at a batch takes it one stage further. ``faults`` are shares of the answers by the
    names of ``endpoint.py``, or by HTTP status. ``content`` is the text of every answer in place of the usual one. ``batches``: whether there is a batch API at all.
    So many requests are answered 429 as ``refuse`` says, each to be asked again in ``retry_after`` seconds.
    """

    max_requests: int = 50_000
    max_bytes: int = 200_000_000
    models: tuple[str, ...] = ("test",)
    key: str = ""
    lose: str = ""
    hold: str = ""
    hold_from: int = 1
    auto: bool = False
    batches: bool = True
    refuse: int = 0
    retry_after: int = 0
    faults: dict[str, float] = dataclasses.field(default_factory=dict)
    junk: bool = False
    spoil: tuple[str, ...] = ()
    content: str = ""


class Service:
    def __init__(self) -> None:
        self.forget_all()

    def forget_all(self) -> None:
        self.settings = Settings()
        self.files: dict[str, dict] = {}
        self.contents: dict[str, bytes] = {}
        self.batches: dict[str, dict] = {}
        self.chance = random.Random(7)
        self.numbers = itertools.count(1)
        self.uploads = self.creations = self.chats = self.looks = 0
        self.held = ""
        self.asked: collections.Counter[str] = collections.Counter()  # pictures in batches that were begun
        self.answered: collections.Counter[str] = collections.Counter()
        self.deleted: list[str] = []
        self.begun_uploads: dict[str, tuple[str, int]] = {}
        self.last_headers: dict[str, str] = {}

    # What the service offers

    async def upload(self, request: web.Request) -> web.StreamResponse:
        refused = self.refused(request)
        if refused is not None:
            return refused
        if not request.content_type.startswith("multipart/form-data"):
            return error(400, "a file is sent as multipart/form-data")
        purpose, name, content = "", "", b""
        async for part in await request.multipart():
            if part.name == "purpose":
                purpose = await part.text()
            elif part.name == "file":
                name, content = part.filename or "", bytes(await part.read())
        if purpose != "batch":
            return error(400, f"'{purpose}' is not one of ['batch'] - 'purpose'")
        if not name.endswith(".jsonl"):
            return error(400, "Invalid file format for Batch API. Must be .jsonl")
        if len(content) > self.settings.max_bytes:
            return error(413, f"Maximum content size limit ({self.settings.max_bytes}) exceeded")
        self.uploads += 1
        return await self.said("upload", request, self.keep(name, content, "batch"))

    async def files_list(self, request: web.Request) -> web.StreamResponse:
        purpose = request.query.get("purpose", "")
        rows = [file for file in self.files.values() if not purpose or file["purpose"] == purpose]
        return self.refused(request) or self.page(request, rows)

    async def file_content(self, request: web.Request) -> web.StreamResponse:
        content = self.contents.get(request.match_info["id"])
        if (refused := self.refused(request)) is not None:
            return refused
        if content is None:
            return error(404, "No such File object: " + request.match_info["id"])
        if self.lost("output"):
            half = web.StreamResponse(headers={"Content-Length": str(len(content))})
            await half.prepare(request)
            await half.write(content[: len(content) // 2])
            request.transport.abort()
            return half
        return web.Response(
            body=spoilt(content, self.settings.spoil), content_type="application/octet-stream"
        )

    async def file_delete(self, request: web.Request) -> web.StreamResponse:
        number = request.match_info["id"]
        if (refused := self.refused(request)) is not None:
            return refused
        if number not in self.files:
            return error(404, "No such File object: " + number)
        del self.files[number], self.contents[number]
        self.deleted.append(number)
        return web.json_response({"id": number, "object": "file", "deleted": True})

    async def create(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.refused(request)) is not None:
            return refused
        wish = await request.json()
        if wish.get("input_file_id") not in self.files:
            return error(400, f"No such file {wish.get('input_file_id')}")
        if wish.get("endpoint") != "/v1/chat/completions" or wish.get("completion_window") != "24h":
            return error(400, "Invalid value for 'endpoint' or 'completion_window'")
        self.creations += 1
        now = int(time.time())
        batch = {
            "id": f"batch_{next(self.numbers)}",
            "object": "batch",
            "endpoint": wish["endpoint"],
            "input_file_id": wish["input_file_id"],
            "completion_window": "24h",
            "status": "validating",
            "errors": None,
            "output_file_id": None,
            "error_file_id": None,
            "created_at": now,
            "expires_at": now + 86400,
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": wish.get("metadata"),
        }
        self.batches[batch["id"]] = batch
        self.asked.update(picture(line) for line in self.lines(batch))
        return await self.said("create", request, batch)

    async def batches_list(self, request: web.Request) -> web.StreamResponse:
        return self.refused(request) or self.page(request, list(reversed(self.batches.values())))

    async def batch(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.refused(request)) is not None:
            return refused
        self.looks += 1
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return error(404, "No batch found with id " + request.match_info["id"])
        if self.settings.auto and batch["status"] not in OVER:
            self.take(batch, STAGES[STAGES.index(batch["status"]) + 1], 1.0)
        return web.json_response(batch)

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.refused(request)) is not None:
            return refused
        batch = self.batches.get(request.match_info["id"])
        if batch is None:
            return error(404, "No batch found with id " + request.match_info["id"])
        if batch["status"] in OVER:
            return error(409, f"Cannot cancel a batch with status '{batch['status']}'.")
        batch["status"] = "cancelling"
        return web.json_response(batch)

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        self.chats += 1
        digest = digest_of(body)
        self.answered[digest] += 1
        return web.Response(body=completion(digest, ""), content_type="application/json")

    # The same of Gemini

    async def gemini_upload(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.refused(request)) is not None:
            return refused
        wanted = {
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Type": "application/jsonl",
        }
        if any(request.headers.get(name) != value for name, value in wanted.items()):
            return error(400, "Upload has already been terminated.")
        wish = await request.json()
        number = f"{next(self.numbers)}"
        size = int(request.headers["X-Goog-Upload-Header-Content-Length"])
        self.begun_uploads[number] = (wish["file"]["display_name"], size)
        url = f"http://{request.host}/upload/v1beta/files?upload_id={number}&upload_protocol=resumable"
        return web.Response(headers={"X-Goog-Upload-URL": url})

    async def gemini_bytes(self, request: web.Request) -> web.StreamResponse:
        begun = self.begun_uploads.pop(request.query.get("upload_id", ""), None)
        if begun is None:
            return await self.gemini_upload(request)
        name, size = begun
        content = await request.read()
        if request.headers.get("X-Goog-Upload-Command") != "upload, finalize" or len(content) != size:
            return error(400, "The upload does not have the size that was told.")
        self.uploads += 1
        file = self.keep(name, content, "batch", prefix="files/")
        return await self.said("upload", request, {"file": native(file)})

    async def gemini_files(self, request: web.Request) -> web.StreamResponse:
        if (refused := self.refused(request)) is not None:
            return refused
        files = [native(file) for file in self.files.values()]
        start = int(request.query.get("pageToken") or 0)
        end = start + min(int(request.query.get("pageSize", "10")), 100)
        more = {"nextPageToken": str(end)} if end < len(files) else {}
        return web.json_response({"files": files[start:end], **more})

    # How it does that

    def refused(self, request: web.Request) -> web.Response | None:
        self.last_headers = {str(name): value for name, value in request.headers.items()}
        settings = self.settings
        if not settings.batches:
            return error(404, "Not Found")
        native = "/openai" not in request.path and "/v1beta/" in request.path
        name, value = (
            ("x-goog-api-key", settings.key) if native else ("Authorization", f"Bearer {settings.key}")
        )
        if settings.key and request.headers.get(name) != value:
            return error(401, "Incorrect API key provided: " + request.headers.get("Authorization", "")[7:])
        if settings.refuse:
            settings.refuse -= 1
            return error(429, "slow down", {"Retry-After": str(settings.retry_after)})
        return None

    def page(self, request: web.Request, rows: list[dict]) -> web.Response:
        after, limit = request.query.get("after"), int(request.query.get("limit", "20"))
        start = next((at + 1 for at, row in enumerate(rows) if row["id"] == after), 0)
        shown = rows[start : start + min(limit, 100)]
        more = start + len(shown) < len(rows)
        return web.json_response({"object": "list", "data": shown, "has_more": more})

    async def said(self, what: str, request: web.Request, data: dict) -> web.StreamResponse:
        times = self.uploads if what == "upload" else self.creations
        if self.settings.hold == what and times >= self.settings.hold_from:
            self.held = what
            await asyncio.sleep(3600)
        if self.lost(what):
            request.transport.abort()
        return web.json_response(data)

    def lost(self, what: str) -> bool:
        if self.settings.lose != what:
            return False
        self.settings.lose = ""
        return True

    def keep(self, name: str, content: bytes, purpose: str, prefix: str = "file-") -> dict:
        number = f"{prefix}{next(self.numbers)}"
        self.contents[number] = content
        self.files[number] = {
            "id": number,
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": name,
            "purpose": purpose,
        }
        return self.files[number]

    def lines(self, batch: dict) -> list[dict]:
        return [orjson.loads(line) for line in self.contents[batch["input_file_id"]].splitlines()]

    def take(self, batch: dict, status: str, share: float) -> None:
        """Take a batch to a status; one that is not valid fails first."""
        if batch["status"] == "validating":
            lines = self.lines(batch)
            faults = list(self.faults_of(lines))
            if faults:
                batch |= {"status": "failed", "errors": {"object": "list", "data": faults}}
                return
            batch["request_counts"]["total"] = len(lines)
        batch["status"] = status
        if status in OVER - {"failed"}:
            self.answer(batch, status, share)
        elif status == "failed":
            batch["errors"] = {
                "data": [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}]
            }

    def faults_of(self, lines: list[dict]):
        settings = self.settings
        if len(lines) > settings.max_requests:
            yield fault("too_many_tasks", f"The batch has more than {settings.max_requests} requests.", None)
        names = collections.Counter(line.get("custom_id") for line in lines)
        for number, line in enumerate(lines, 1):
            name = line.get("custom_id")
            if not isinstance(name, str) or not name or len(name) > 64:
                yield fault(
                    "invalid_custom_id", "custom_id must be a string of 64 characters at most.", number
                )
            elif names[name] > 1:
                yield fault("duplicate_custom_id", f"The custom_id {name} is used more than once.", number)
            if line.get("url") != "/v1/chat/completions" or line.get("method") != "POST":
                yield fault("url_mismatch", "The url does not match the batch's endpoint.", number)
            if line.get("body", {}).get("model") not in settings.models:
                yield fault(
                    "model_not_found", "The provided model is not supported by the Batch API.", number
                )

    def answer(self, batch: dict, status: str, share: float) -> None:
        lines = self.lines(batch)
        self.chance.shuffle(lines)
        done = round(len(lines) * share) if status != "completed" else len(lines)
        good, bad = [], []
        for line in lines[:done]:
            digest = picture(line)
            self.answered[digest] += 1
            name = self.fault(digest)
            if name.isdigit():
                body = {"error": {"message": f"injected {name}", "type": "test", "code": None}}
                bad.append(answered(line, int(name), body))
            else:
                reply = orjson.loads(completion(digest, name))
                if self.settings.content:
                    reply["choices"][0]["message"]["content"] = self.settings.content
                good.append(answered(line, 200, reply))
        if self.settings.junk:
            good = junk(good)
            batch["expires_at"] = "soon"
        code = {"expired": "batch_expired", "cancelled": "batch_cancelled"}.get(status, "")
        words = "This request could not be executed before the completion window expired."
        for line in lines[done:]:
            left = {"id": "batch_req_0", "custom_id": line["custom_id"], "response": None}
            bad.append({**left, "error": {"code": code, "message": words}})
        for field, rows in (("output_file_id", good), ("error_file_id", bad)):
            if rows:
                content = b"".join(
                    row if isinstance(row, bytes) else orjson.dumps(row) + b"\n" for row in rows
                )
                prefix = "files/" if batch["input_file_id"].startswith("files/") else "file-"
                file = self.keep(f"{batch['id']}_{field}.jsonl", content, "batch_output", prefix)
                batch[field] = file["id"]
        batch["request_counts"] = {"total": len(lines), "completed": len(good), "failed": len(bad)}
        if self.settings.junk:
            batch["request_counts"] = {"total": [], "completed": "all", "failed": -3}

    def fault(self, digest: str) -> str:
        place = int(hashlib.blake2b(digest.encode(), digest_size=4).hexdigest(), 16) / 2**32
        for name, share in self.settings.faults.items():
            if place < share:
                return name
            place -= share
        return ""

    # How tests steer it

    async def configure(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            setattr(self.settings, name, value)
        self.held = ""
        return web.json_response({})

    async def advance(self, request: web.Request) -> web.Response:
        wish = await request.json()
        chosen = wish.get("batches") or list(self.batches)
        for number in chosen:
            batch = self.batches[number]
            if batch["status"] not in OVER:
                self.take(batch, wish["to"], wish.get("share", 1.0))
        return web.json_response({})

    async def reset(self, _: web.Request) -> web.Response:
        self.forget_all()
        return web.json_response({})

    async def forget(self, _: web.Request) -> web.Response:
        self.batches.clear()
        return web.json_response({})

    async def stats(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "uploads": self.uploads,
                "creations": self.creations,
                "chats": self.chats,
                "looks": self.looks,
                "held": self.held,
                "files": list(self.files.values()),
                "batches": list(self.batches.values()),
                "deleted": self.deleted,
                "asked": self.asked,
                "answered": self.answered,
                "headers": self.last_headers,
                "requests": [
                    len(self.contents[b["input_file_id"]].splitlines())
                    for b in self.batches.values()
                    if b["input_file_id"] in self.contents
                ],
            }
        )


def native(file: dict) -> dict:
    """A file as Google's API describes it."""
    told = {"name": file["id"], "displayName": file["filename"], "sizeBytes": str(file["bytes"])}
    return {**told, "mimeType": "application/jsonl", "state": "ACTIVE"}


def spoilt(content: bytes, how: tuple[str, ...]) -> bytes:
    """A file of answers as editors, other systems and broken disks leave it."""
    if "crlf" in how:
        content = content.replace(b"\n", b"\r\n")
    if "garbled" in how:
        first, _, rest = content.partition(b"\n")
        content = first[: len(first) // 2] + b"\n" + rest
    if "cut" in how:
        content = content[:-20]
    return b"\xef\xbb\xbf" + content if "bom" in how else content


def junk(rows: list) -> list:
    """Answers of a service that has lost its mind: the last four stay sound."""
    names = [row["custom_id"] for row in rows]
    ok = {"status_code": 200, "body": None}
    return [
        b"no JSON\n",
        b"[1, 2]\n",
        b"\n",
        {"custom_id": "cutline-9999999-0", "response": ok},
        {"custom_id": "cutline-1-99999", "response": ok},
        {"custom_id": None},
        {"custom_id": names[0], "response": ok, "error": None},
        {"custom_id": names[1], "response": {"status_code": "fine", "body": {}}},
        {"custom_id": names[2], "response": None, "error": None},
        {"custom_id": names[3], "response": None, "error": {"code": "server_error", "message": "oh\nno"}},
        {
            "custom_id": names[4],
            "response": {"status_code": 402, "body": {"error": {"message": "no credit"}}},
        },
        {"custom_id": names[5]},
        *rows[7:],
    ]


def answered(line: dict, status: int, body: dict) -> dict:
    response = {"status_code": status, "request_id": "req_1", "body": body}
    return {"id": "batch_req_1", "custom_id": line["custom_id"], "response": response, "error": None}


def fault(code: str, message: str, line: int | None) -> dict:
    return {"code": code, "message": message, "param": None, "line": line}


def picture(line: dict) -> str:
    return digest_of(orjson.dumps(line["body"]))


def digest_of(body: bytes) -> str:
    start = body.rfind(b";base64,")
    return hashlib.blake2b(body[start : body.find(b'"', start)], digest_size=6).hexdigest()


async def serve() -> None:
    service = Service()
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/v1/files", service.upload)
    app.router.add_get("/v1/files", service.files_list)
    app.router.add_get("/v1/files/{id}/content", service.file_content)
    app.router.add_delete("/v1/files/{id}", service.file_delete)
    for face in ("/v1", "/v1beta/openai"):
        app.router.add_post(f"{face}/batches", service.create)
        app.router.add_get(f"{face}/batches", service.batches_list)
        app.router.add_get(f"{face}/batches/{{id}}", service.batch)
        app.router.add_post(f"{face}/batches/{{id}}/cancel", service.cancel)
        app.router.add_post(f"{face}/chat/completions", service.chat)
    app.router.add_post("/upload/v1beta/files", service.gemini_bytes)
    app.router.add_get("/v1beta/files", service.gemini_files)
    app.router.add_delete("/v1beta/{id:files/[^/:]+}", service.file_delete)
    app.router.add_get("/download/v1beta/{id:files/[^/:]+}:download", service.file_content)
    app.router.add_post("/configure", service.configure)
    app.router.add_post("/advance", service.advance)
    app.router.add_post("/forget", service.forget)
    app.router.add_post("/reset", service.reset)
    app.router.add_get("/stats", service.stats)
    await on_a_port(app)


if __name__ == "__main__":
    asyncio.run(serve())
