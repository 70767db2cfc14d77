"""Refusals in all faces: no path of the server in them, impossible shapes of their own kind, and soon."""

from __future__ import annotations

import base64
import os
import socket
import threading
import time

import pytest
from serving import Service, png

from cutline.service.errors import with_field_names
from cutline.service.schema_bounds import check_bounds
from processes import PATIENCE

PLUGIN = """
from cutline import register_model
from cutline.errors import PictureError, ReplyError, SampleError

@register_model("refusing")
class Refusing:
    def infer(self, prompt, image, image_name):
        number = image.getpixel((0, 0))[0]
        secret = FOLDER + "/top secret/weights.bin"
        if number == 1:
            open(secret)
        if number == 2:
            raise SampleError("odd", f"cannot open {secret}")
        if number == 3:
            raise PictureError("decode", f"{secret}: damaged")
        if number == 4:
            raise ReplyError("refused", f"see '{secret}' for the rules")
        if number == 5:
            raise ValueError("absolute aspect ratio must be smaller than 200, got 204.8")
        if number == 6:
            raise ValueError("height and width must be larger than factor 28, got 15")
        return f"{image.width} x {image.height}"
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("srv")
    root = folder / "pictures"
    (root / "folder.png").mkdir(parents=True)
    (root / "text.png").write_text("no picture")
    (root / "locked").mkdir()
    (root / "locked" / "a.png").write_bytes(png(1))
    (root / "locked" / "a.png").chmod(0)
    os.mkfifo(root / "pipe.png")
    (root / "circle.png").symlink_to(root / "circle.png")
    (folder / "refusing.py").write_text(PLUGIN.replace("FOLDER", repr(str(folder))))
    arguments = ("--model", "refusing", "--plugin", folder / "refusing.py", "--image-root", root)
    with Service(*arguments, cwd=folder) as service:
        service.folder = folder
        yield service


def answers(service, picture=None, path=None):
    """The responses of all faces for one picture."""
    text = base64.b64encode(picture).decode() if picture else None
    one = {"image_base64": text} if picture else {"image_path": path}
    many = {"images_base64": [text]} if picture else {"image_paths": [path]}
    found = [service.client.post("/caption", json=one), service.client.post("/batch-caption", json=many)]
    task = service.client.post("/async-batch-caption", json=many).json()["task_id"]
    service.ended(task)
    found.append(service.client.get(f"/task-status/{task}"))
    if picture:
        url = {"url": f"data:image/png;base64,{text}"}
        content = [{"type": "image_url", "image_url": url}, {"type": "text", "text": "Look."}]
        body = {"model": "refusing", "messages": [{"role": "user", "content": content}]}
        found.append(service.client.post("/v1/chat/completions", json=body))
    return found


def check_no_path(service, found):
    for response in found:
        for word in (str(service.folder), str(service.folder.parent), "top secret", "Traceback"):
            assert word not in response.text


@pytest.mark.parametrize("number", range(1, 7))
def test_no_refusal_of_a_model_holds_a_path(service, number):
    check_no_path(service, answers(service, png(number)))


@pytest.mark.parametrize(
    "path",
    ["folder.png", "text.png", "locked/a.png", "pipe.png", "circle.png", "x" * 300, "a/../../b.png", "~"],
)
def test_no_refusal_of_a_path_holds_another_path(service, path):
    check_no_path(service, answers(service, path=path))


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no weights in /models/x/y.bin (my.py, line 7)", "no weights in y.bin (my.py, line 7)"),
        ("No such file: '/srv/my photos/x y.png'", "No such file: 'x y.png'"),
        ("hf:/opt/models/x does not support --max-tokens", "hf:x does not support max_tokens"),
        ("cannot open /srv/my photos/of us/a.bin now", "cannot open a.bin now"),
        ("C:\\models\\big\\m.bin failed", "m.bin failed"),
        ("there is no such path: /docs lists them", "there is no such path: /docs lists them"),
        (
            "use Qwen/Qwen2-VL, and/or https://example.com/a/b",
            "use Qwen/Qwen2-VL, and/or https://example.com/a/b",
        ),
    ],
    ids=["plain", "quoted", "model", "blanks", "windows", "own path", "names"],
)
def test_paths_in_messages(message, shown):
    assert with_field_names(message) == shown


@pytest.mark.parametrize("number", [5, 6])
def test_an_impossible_shape_is_a_kind_of_its_own(service, number):
    one, many, task, chat = answers(service, png(number))
    assert (one.status_code, one.json()["kind"]) == (422, "shape")
    assert many.json()[0]["kind"] == task.json()["results"][0]["kind"] == "shape"
    assert 400 <= chat.status_code < 500
    assert chat.json()["error"]["code"] == "shape"


@pytest.mark.parametrize("size", [(2900, 15), (15, 2900), (1999, 10), (4000, 21), (1100, 1)])
def test_no_picture_becomes_longer_by_our_rounding(service, size):
    (answer, *_) = answers(service, png(9, size))
    width, height = map(int, answer.json()["caption"].split(" x "))
    assert max(width, height) / min(width, height) <= max(size) / min(size)


# Soon


def large(fields):
    """A schema of some 50 KB."""
    return {"type": "object", "properties": {f"field_{one}": {"type": "string"} for one in range(fields)}}


def test_a_large_schema_holds_up_nobody(service):
    body = {"image_base64": base64.b64encode(png(9)).decode()}
    schemas = [{**large(1_300), "title": str(number)} for number in range(6)]
    threads = [
        threading.Thread(
            target=service.client.post, args=("/caption",), kwargs={"json": {**body, "schema": schema}}
        )
        for schema in schemas
    ]
    for thread in threads:
        thread.start()
    waits = []
    while any(thread.is_alive() for thread in threads):
        began = time.perf_counter()
        assert service.client.get("/health").status_code == 200
        waits.append(time.perf_counter() - began)
    assert len(waits) > 12, "on the event loop, no more than one between two schemas"


def doubling(levels):
    definitions = {f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)}
    return {"type": "object", "$defs": {**definitions, f"d{levels}": {}}, "allOf": [{"$ref": "#/$defs/d0"}]}


def nested(levels):
    schema = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (doubling(40), "the references in a schema make it too large"),
        (nested(60), "nested at most"),
        ({"type": "object", "properties": {str(one): {} for one in range(3_000)}}, "at most 2000 parts"),
        ({"type": "object", "required": [str(one) for one in range(3_000)]}, "at most 2000 items"),
        ({"type": "object", "patternProperties": {"(a+)+$": {}}}, "pattern"),
        ({"type": "object", "properties": {"a": {"pattern": "(a+)+$"}}}, "pattern"),
        ({"type": "object", "properties": {"a": {"$dynamicRef": "#a"}}}, "$dynamicRef"),
        ({"type": "object", "$ref": "http://127.0.0.1:1/schema"}, "only references within it"),
        ({"type": "object", "$ref": "#"}, "leads back to itself"),
        ({"type": "object", "properties": {"a": {"anyOf": [{"not": {"$ref": "#/properties/a"}}]}}}, "itself"),
        ({"type": "object", "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}}, "itself"),
    ],
    ids=[
        *("doubling", "deep", "wide", "long list", "names", "pattern", "dynamic", "remote"),
        *("itself", "itself within", "each other"),
    ],
)
def test_schemas_beyond_bounds_are_refused(service, schema, reason):
    body = {"image_base64": base64.b64encode(png(9)).decode(), "schema": schema}
    for path in ("/caption", "/async-batch-caption"):
        if path == "/async-batch-caption":
            body["images_base64"] = [body.pop("image_base64")]
        answer = service.client.post(path, json=body)
        assert answer.status_code == 422
        assert reason in answer.json()["detail"]


def test_usual_schemas_are_within_the_bounds():
    tree = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "children": {"items": {"$ref": "#"}}},
    }
    check_bounds(tree)
    check_bounds(doubling(5))
    check_bounds({"type": "object", "properties": {"pattern": {"type": "string"}, "$id": {"type": "string"}}})


@pytest.mark.parametrize("path", ["/caption", "/v1/chat/completions", "/async-batch-caption"])
def test_json_of_too_many_values_is_refused_while_it_comes(service, path):
    """Its sender takes minutes for the rest."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        "Content-Length: 5000000\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode() + b'{"messages": [' + b'{"type": "text"}, ' * 12_000)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("path", ["/caption", "/batch-caption"])
@pytest.mark.parametrize("name", ['name="images"; filename="a.png"', 'name="prompt"', 'name=""; filename=""'])
def test_forms_of_too_many_parts_are_refused_while_they_come(service, path, name):
    part = f"--x\r\nContent-Disposition: form-data; {name}\r\n\r\na\r\n".encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: multipart/form-data; boundary=x\r\n"
        f"Content-Length: {100_000 * len(part)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", service.port), timeout=PATIENCE) as connection:
        connection.sendall(head.encode() + part * 1_100)
        received = connection.recv(65_536)
    assert received.startswith((b"HTTP/1.1 413 ", b"HTTP/1.1 400 "))
