"""The studio is a server too: hostile values of every field of every route, and hostile requests."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio_process import PATIENCE, Studio, start_studio, stop_studio

NUMBERS = (2**63, -(10**30))
TEXTS = ("\0", "\ud800", "../../outside", "(" * 3000)
LOADING = ("/studio/objects", "/studio/map", "/studio/model")  # models, which takes long
OTHERS = (None, [[]], 1e308)
BODIES = (b"", b"{", b"[]", b"\xff\xfe", b'{"a":' * 5000, b"[" * 100_000, b"NaN", b"{}")


class Routes:
    """The description of a studio's routes, and requests by it."""

    def __init__(self, studio: Studio) -> None:
        self._host, self._port = (
            urllib.parse.urlsplit(studio.url).hostname,
            int(studio.url.rpartition(":")[2]),
        )
        self.description = json.loads(self.send("GET", "/openapi.json")[1])

    def send(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self._host or "", self._port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def variants(self, schema: Any) -> list[Any]:
        while "$ref" in schema:
            schema = self.description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        inner = schema.get("anyOf") or schema.get("oneOf")
        return [found for one in inner for found in self.variants(one)] if inner else [schema]

    def example(self, schema: Any) -> Any:
        """A value that the schema takes."""
        found = self.variants(schema)[0]
        if "default" in found or "const" in found or "enum" in found:
            return found.get("default", found.get("const", (found.get("enum") or [None])[0]))
        match found.get("type"):
            case "object":
                needed = found.get("required", [])
                fields = found.get("properties", {})
                return {name: self.example(each) for name, each in fields.items() if name in needed}
            case "array":
                return [self.example(found.get("items", {}))] * max(1, found.get("minItems", 0))
            case "integer" | "number":
                return max(0, found.get("minimum", 0))
            case "boolean":
                return True
        return "x" * max(1, found.get("minLength", 1))

    def fields(self, schema: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
        """Each field within a schema: its path, the object that has it, its own schema."""
        for found in self.variants(schema):
            for name, each in found.get("properties", {}).items():
                yield (*path, name), found, each
                yield from self.fields(each, (*path, name))

    def requests(self) -> Iterator[tuple[str, str, bytes | None]]:
        for path, operations in self.description["paths"].items():
            for method, operation in operations.items():
                if path != "/studio/events":  # which never ends
                    yield from self._requests(method.upper(), path, operation)

    def _requests(self, method: str, path: str, operation: Any) -> Iterator[tuple[str, str, bytes | None]]:
        parameters = operation.get("parameters", [])
        content = operation.get("requestBody", {}).get("content", {})
        schema = content.get("application/json", {}).get("schema")
        example = None if schema is None else self.example(schema)
        usual = None if schema is None else json.dumps(example).encode()
        for one in parameters:
            for value in (*NUMBERS, *(text for text in TEXTS if len(text) < 50_000)):
                yield method, self._target(path, parameters, {one["name"]: value}), usual
        if schema is None:
            return
        for body in BODIES:
            yield method, self._target(path, parameters, {}), body
        for place, parent, own in self.fields(schema):
            whole = placed(example, place[:-1], self.example(parent)) if len(place) > 1 else example
            is_list = any(each.get("type") == "array" for each in self.variants(own))
            values = (*NUMBERS, *TEXTS, *OTHERS, *([each] for each in (*NUMBERS, *TEXTS) if is_list))
            for value in values:
                body = json.dumps(placed(whole, place, value)).encode()
                yield method, self._target(path, parameters, {}), body

    def _target(self, path: str, parameters: list[Any], values: dict[str, Any]) -> str:
        query = {}
        for one in parameters:
            value = values.get(one["name"], self.example(one["schema"]))
            text = str(value).encode("utf-8", "surrogatepass")
            if one["in"] == "path":
                path = path.replace(f"{{{one['name']}}}", urllib.parse.quote(text, safe=""))
            elif value is not None:
                query[one["name"]] = text
        return f"{path}?{urllib.parse.urlencode(query)}" if query else path


def placed(whole: Any, path: tuple[str, ...], value: Any) -> Any:
    if not path:
        return value
    inside = dict(whole) if isinstance(whole, dict) else {}
    return {**inside, path[0]: placed(inside.get(path[0]), path[1:], value)}


def test_no_value_of_any_request_is_an_error_of_the_studio(own_studio: Studio) -> None:
    routes = Routes(own_studio)
    tried = 0
    for method, target, body in routes.requests():
        if target.startswith(LOADING):
            continue
        status, answer = routes.send(method, target, body)
        assert status < 500, (method, target[:200], (body or b"")[:200], answer[:200])
        tried += 1
    assert tried > 500
    assert own_studio.process.poll() is None


def test_a_key_in_a_cookie_may_be_any_bytes(photos: Path) -> None:
    studio = start_studio(photos, "--api-key", "key+%/=" + "x" * 20)
    try:
        for cookie in ("%ff%fe", "%", "%0d%0aX: y", "\xff", "a" * 20_000, ""):
            head = f"GET /studio/state HTTP/1.1\r\nHost: localhost\r\nCookie: cutline-studio={cookie}\r\n"
            with socket.create_connection(
                ("127.0.0.1", int(studio.url.rpartition(":")[2])), PATIENCE
            ) as line:
                line.sendall(head.encode("latin-1") + b"Connection: close\r\n\r\n")
                assert line.recv(100).startswith(b"HTTP/1.1 401 "), cookie
        key = urllib.parse.quote("key+%/=" + "x" * 20, safe="")
        assert studio.call("GET", "state", headers={"Cookie": f"cutline-studio={key}"})
    finally:
        stop_studio(studio)


def test_a_caption_has_a_longest_length(own_studio: Studio) -> None:
    own_studio.call("PUT", "captions/0", {"caption": "x" * 1_000_001, "before": None}, status=422)
    own_studio.call("POST", "accept", {"captions": {"0": "x" * 1_000_001}}, status=422)
    before = own_studio.call("POST", "rows", {"rows": [0]})[0]["caption"]
    own_studio.call("PUT", "captions/0", {"caption": "x" * 100_000, "before": before})
