"""NVIDIA's three hosts in one process: models with img tags, assets, and answers that come later.

    python tests/servers/nvidia.py

Prints ``ready PORT``. What the real ones refuse is refused here: another key, a content that is not text,
pictures of 180,000 characters and more, assets that are not there, unknown models and parameters.
``POST /configure`` takes ``key``, ``credit``, ``polls`` (202 so often before the answer), ``faults`` (a list
of statuses, one for each next request), ``poll_faults``, ``upload_status`` and ``lose`` (so many assets are
gone before they are looked at). ``GET /state`` tells what happened, ``GET /last`` the last request.
"""

from __future__ import annotations

import asyncio
import base64
import io
import re
import uuid

from aiohttp import web
from PIL import Image
from ready import on_a_port
from refusing import Refusal, configuring, refusing

TAG = re.compile(r'<img src="data:(image/[a-z]+);(base64|asset_id),([^"]*)" />')
MODELS = {
    "vlm/microsoft/kosmos-2": 1,
    "vlm/nvidia/vila": 8,
    "vlm/nvidia/neva-22b": 1,
    "vlm/adept/fuyu-8b": 1,
    "vlm/google/paligemma": 1,
    "vlm/google/deplot": 1,
    "gr/meta/llama-3.2-11b-vision-instruct/chat/completions": 1,
    "gr/meta/llama-3.2-90b-vision-instruct/chat/completions": 1,
}
NAMED = {"vlm/nvidia/vila", *(path for path in MODELS if path.startswith("gr/"))}
RANGES = {"max_tokens": (1, 1024), "temperature": (0, 1), "top_p": (1e-9, 1), "seed": (-(2**63), 2**63)}
START = {"key": "nvapi-test", "credit": True, "polls": 0, "faults": [], "poll_faults": []}
START |= {"upload_status": 200, "lose": 0, "latency": 0.0}


class Refused(Refusal):
    def __init__(self, status: int, detail: object, title: str = "Unprocessable Entity") -> None:
        super().__init__(detail)
        self.response = problem(status, detail, title)


def problem(status: int, detail: object, title: str = "Error") -> web.Response:
    body = {"type": "about:blank", "status": status, "title": title, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")


def invalid(name: str, message: str) -> Refused:
    return Refused(422, [{"loc": ["body", name], "msg": message, "type": "value_error"}])


class Nvidia:
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.settings = dict(START)
        self.assets: dict[str, dict] = {}
        self.pending: dict[str, dict] = {}
        self.state = {"requests": 0, "uploads": 0, "deleted": 0, "polls": 0, "strangers": 0, "sizes": []}
        self.last: dict = {}

    def check_key(self, request: web.Request) -> None:
        sent = request.headers.get("Authorization", "")
        if not sent:
            raise Refused(401, "Header of type `authorization` was missing", "Unauthorized")
        if sent != f"Bearer {self.settings['key']}":
            raise Refused(403, f"Authorization failed for {sent}", "Forbidden")
        if not self.settings["credit"]:
            detail = "Account 'QPJ8': Cloud credits expired - Please contact NVIDIA representatives"
            raise Refused(int(self.settings.get("spent_status", 402)), detail, "Payment Required")

    async def infer(self, request: web.Request) -> web.Response:
        self.check_key(request)
        self.state["requests"] += 1
        path = request.match_info["path"]
        body = await request.json()
        self.last = {"path": request.path, "headers": dict(request.headers), "body": body}
        if self.settings["latency"]:
            await asyncio.sleep(self.settings["latency"])
        if self.settings["faults"]:
            return problem(self.settings["faults"].pop(0), "injected")
        if path not in MODELS:
            raise Refused(404, f"Function '{path}': Not found for account 'QPJ8'", "Not Found")
        self.check_body(path, body)
        pictures = self.pictures(path, body["messages"][0]["content"], request)
        self.state["sizes"] = [*self.state["sizes"], *(list(size) for size in pictures)]
        answer = reply(path, pictures)
        if not self.settings["polls"]:
            return web.json_response(answer)
        identity = str(uuid.uuid4())
        self.pending[identity] = {"left": self.settings["polls"], "answer": answer}
        return web.Response(status=202, headers={"NVCF-REQID": identity, "NVCF-STATUS": "pending-evaluation"})

    def check_body(self, path: str, body: dict) -> None:
        allowed = {"messages", *RANGES, *(["model"] if path in NAMED else [])}
        ranges = dict(RANGES)
        if path.startswith("gr/"):
            allowed |= {"frequency_penalty", "presence_penalty", "stop"}
            ranges |= {"temperature": (0, 2), "max_tokens": (1, 4096)}
        elif path == "vlm/nvidia/vila":
            ranges["max_tokens"] = (1, 4096)
        for name in body:
            if name not in allowed:
                raise invalid(name, "Extra inputs are not permitted")
        for name, (least, most) in ranges.items():
            if name in body and not least <= body[name] <= most:
                raise invalid(name, f"Input should be between {least} and {most}")
        if path in NAMED and body.get("model") not in path:
            raise invalid("model", "Field required")
        messages = body.get("messages")
        if not isinstance(messages, list) or [message.get("role") for message in messages] != ["user"]:
            raise invalid("messages", "One message of the user is taken")
        if not isinstance(messages[0].get("content"), str):
            raise invalid("messages.0.content", "Input should be a valid string")

    def pictures(self, path: str, content: str, request: web.Request) -> list[tuple[int, int]]:
        found = TAG.findall(content)
        if not found or len(found) != len(re.findall(r"<img\b", content)):
            raise invalid("messages", "Every picture must be an img tag with a data URL")
        if len(found) > MODELS[path]:
            raise invalid("messages", f"At most {MODELS[path]} pictures are taken")
        if sum(len(data) for _, form, data in found if form == "base64") >= 180_000:
            raise invalid("messages", "To upload larger images, use the assets API")
        return [self.size(mime, form, data, request) for mime, form, data in found]

    def size(self, mime: str, form: str, data: str, request: web.Request) -> tuple[int, int]:
        if mime not in {"image/png", "image/jpeg"}:
            raise invalid("messages", f"{mime} is not taken")
        if form == "base64":
            content = base64.b64decode(data, validate=True)
        else:
            for header in ("NVCF-INPUT-ASSET-REFERENCES", "NVCF-FUNCTION-ASSET-IDS"):
                if data not in request.headers.get(header, "").split(","):
                    raise invalid(header, "The asset is not referred to")
            if self.settings["lose"]:
                self.settings["lose"] -= 1
                self.assets.pop(data, None)
            content = self.assets.get(data, {}).get("content")
            if content is None:
                raise Refused(404, f"Asset '{data}': Not found, it may have expired", "Not Found")
        with Image.open(io.BytesIO(content)) as image:
            if Image.MIME[image.format] != mime:
                raise invalid("messages", "The picture is not of the type that its URL names")
            return image.size

    async def create(self, request: web.Request) -> web.Response:
        self.check_key(request)
        body = await request.json()
        if body.get("contentType") not in {"image/png", "image/jpeg"} or not body.get("description"):
            raise Refused(400, "contentType and description are needed", "Bad Request")
        identity = str(uuid.uuid4())
        self.assets[identity] = {**body, "content": None}
        url = f"{request.scheme}://{request.host}/storage/{identity}?X-Amz-Signature=SIGNED"
        return web.json_response({"assetId": identity, "uploadUrl": url, **body})

    async def upload(self, request: web.Request) -> web.Response:
        asset = self.assets.get(request.match_info["id"])
        self.state["strangers"] += "Authorization" in request.headers
        if self.settings["upload_status"] != 200:
            status, self.settings["upload_status"] = self.settings["upload_status"], 200
            return web.Response(
                status=status, text="<Error><Code>AccessDenied</Code>Request has expired</Error>"
            )
        described = request.headers.get("x-amz-meta-nvcf-asset-description")
        same = asset and (request.content_type, described) == (asset["contentType"], asset["description"])
        if not same or request.query.get("X-Amz-Signature") != "SIGNED" or "Authorization" in request.headers:
            return web.Response(status=403, text="<Error><Code>SignatureDoesNotMatch</Code></Error>")
        asset["content"] = await request.read()
        self.state["uploads"] += 1
        return web.Response()

    async def delete(self, request: web.Request) -> web.Response:
        self.check_key(request)
        if self.assets.pop(request.match_info["id"], None) is None:
            return problem(404, "Asset not found")
        self.state["deleted"] += 1
        return web.Response(status=204)

    async def status(self, request: web.Request) -> web.Response:
        self.check_key(request)
        self.state["polls"] += 1
        if self.settings["poll_faults"]:
            return problem(self.settings["poll_faults"].pop(0), "injected")
        pending = self.pending.get(request.match_info["id"])
        if pending is None:
            return problem(404, "Request not found")
        pending["left"] -= 1
        if pending["left"] > 0:
            return web.Response(status=202, headers={"NVCF-REQID": request.match_info["id"]})
        return web.json_response(self.pending.pop(request.match_info["id"])["answer"])

    async def tell_state(self, _: web.Request) -> web.Response:
        return web.json_response({**self.state, "kept": len(self.assets), "pending": len(self.pending)})

    async def tell_last(self, _: web.Request) -> web.Response:
        return web.json_response(self.last)


def reply(path: str, pictures: list[tuple[int, int]]) -> dict:
    width, height = pictures[-1]
    name = path.split("/")[2]
    message = {"role": "assistant", "content": f"A picture of {width} by {height}, as {name} sees it."}
    if name == "deplot":
        message["content"] = f"Entity | Size <0x0A> {message['content']}"
    if name == "kosmos-2":
        message["entities"] = [{"phrase": "a picture", "bboxes": [[0.1, 0.1, 0.9, 0.9]]}]
    return {
        "id": "cmpl-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 70, "completion_tokens": 12, "total_tokens": 82},
    }


async def serve() -> None:
    nvidia = Nvidia()
    app = web.Application(client_max_size=64 << 20, middlewares=[refusing])
    app.router.add_post("/v1/{path:(?:vlm|gr)/.+}", nvidia.infer)
    app.router.add_post("/v2/nvcf/assets", nvidia.create)
    app.router.add_put("/storage/{id}", nvidia.upload)
    app.router.add_delete("/v2/nvcf/assets/{id}", nvidia.delete)
    app.router.add_get("/v2/nvcf/pexec/status/{id}", nvidia.status)
    app.router.add_get("/state", nvidia.tell_state)
    app.router.add_get("/last", nvidia.tell_last)
    app.router.add_post("/configure", configuring(nvidia))
    await on_a_port(app)


if __name__ == "__main__":
    asyncio.run(serve())
