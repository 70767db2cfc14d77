"""Answers and addresses as endpoints and users have them: usable, or one line with the cure."""

from __future__ import annotations

import json

import pytest

from cutline.captioners.pool import build_captioner
from cutline.captioners.spec import CaptionerOptions
from cutline.errors import ConfigError, CutlineError
from cutline.imaging import Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt

CAPTION = "A caption here."


def choice(**fields):
    return {"choices": [{"finish_reason": "stop", **fields}]}


def message(**fields):
    return choice(message={"role": "assistant", **fields})


WHOLE = json.dumps(message(content=CAPTION))


async def ask(server, script, address="/v1"):
    server.post("/script", script)
    options = CaptionerOptions(endpoint=server.root + address, retries=0)
    captioner = build_captioner("m", options)
    picture = Picture(InlineBytes(PIXEL, "pixel"))
    try:
        return (await captioner.caption(picture, Prompt())).text
    finally:
        await captioner.aclose()


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489"
    "0000000d49444154789c6360606060000000050001a5f645400000000049454e44ae426082"
)


@pytest.mark.parametrize(
    "script",
    [
        {"body": "\ufeff" + WHOLE},
        {"body": "\n " + WHOLE + " \n"},
        {"body": WHOLE, "status": 201},
        {"body": WHOLE, "headers": {"Content-Type": "text/plain"}},
        {"body": WHOLE[:-1] + ', "x": NaN}'},
        {"body": json.dumps(choice(text=CAPTION))},
        {"body": json.dumps(choice(delta={"content": CAPTION}))},
        {"body": json.dumps(message(content=[{"type": "reasoning", "text": "hm"}, CAPTION]))},
        {"body": json.dumps({"error": None, **message(content=CAPTION)})},
        {"body": json.dumps({**message(content=CAPTION), "usage": {"prompt_tokens": "many"}})},
        {"body": json.dumps({**message(content=CAPTION), "usage": "none"})},
    ],
    ids=range(11),
)
async def test_what_was_paid_for_is_used(script, scripted):
    assert await ask(scripted, script) == CAPTION


async def test_a_body_is_read_in_the_encoding_that_it_names(scripted):
    text = "Ein Café mit Tür und Fenster."
    body = json.dumps(message(content=text), ensure_ascii=False)
    headers = {"Content-Type": "application/json; charset=ISO-8859-1"}
    assert await ask(scripted, {"body": body, "headers": headers, "encoding": "latin-1"}) == text


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ({"body": ""}, "sent an empty body"),
        ({"body": "<!DOCTYPE html><title>x</title>"}, "an HTML page and no JSON; is the URL that of the API"),
        ({"body": "{}{}"}, "not JSON"),
        ({"body": '{"choices": []}'}, "it holds no choice"),
        ({"body": '{"message": {"content": "x"}, "done": true}'}, "it holds message, done; is the URL"),
        ({"body": '{"output": [{"type": "message"}]}'}, "it holds output; is the URL"),
        ({"body": '{"error": "still loading"}'}, "still loading"),
        ({"body": '{"error": {"message": "gone", "code": "404"}}'}, "is the model's name"),
        ({"body": '{"detail": {"error": {"message": "deep"}}}', "status": 400}, "answered 400: deep"),
        ({"body": '{"error": [{"message": "one"}, "two"]}', "status": 400}, "answered 400: one; two"),
        ({"body": '{"errors": ["one", "two"]}', "status": 400}, "answered 400: one; two"),
        ({"body": '{"Message": "not you"}', "status": 403}, "answered 403: not you"),
        (
            {"body": json.dumps({"error": {"message": '{"error": {"message": "inner"}}'}}), "status": 400},
            "answered 400: inner",
        ),
        ({"body": "<html></html>", "status": 404}, "an HTML page and no JSON"),
        ({"body": "", "status": 404}, "See `cutline models check`"),
        ({"body": WHOLE, "headers": {"Content-Encoding": "gzip"}}, "cannot be unpacked"),
        (
            {"body": "", "status": 302, "headers": {"Location": "/login?next=x"}},
            "/login, a page and no API: pass",
        ),
        ({"body": "", "status": 307}, "redirects, and does not say where"),
    ],
    ids=range(18),
)
async def test_the_line_of_an_answer_that_is_none(script, words, scripted):
    with pytest.raises(CutlineError) as failed:
        await ask(scripted, script)
    assert words in str(failed.value)
    assert "\n" not in str(failed.value)


@pytest.mark.parametrize(
    "path", ["", "/", "/v1/v1", "/v1/chat", "/v1/models", "/chat/completions", "/api/chat", "/V1"]
)
async def test_an_address_that_is_nearly_right_names_the_right_one(path, scripted):
    script = {"content": CAPTION}
    with pytest.raises(CutlineError) as failed:
        await ask(scripted, script, path)
    assert f"Try --endpoint {scripted.root}/v1" in str(failed.value).split(" ·")[0]
    assert await ask(scripted, script) == CAPTION


@pytest.mark.parametrize("path", ["/v1/", "/v1/chat/completions", "/v1/chat/completions/", "/v1#top", "/v1 "])
async def test_addresses_that_are_meant_right(path, scripted):
    assert await ask(scripted, {"content": CAPTION}, path) == CAPTION


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        ("localhost:8000/v1", "http://localhost:8000/v1"),
        ("http:/gpu/v1", "http://gpu/v1"),
        ("'http://gpu/v1'", "http://gpu/v1"),
        ("::1", "http://[::1]/v1"),
        ("http://::1:8000/v1", "http://[::1]:8000/v1"),
        ("unix:///tmp/x.sock", "http://host:port/v1"),
        ("http://a b/v1", "http://host:port/v1"),
        ("http://[::1/v1", "http://host:port/v1"),
        ("http://gpu:port/v1", "http://host:port/v1"),
    ],
)
def test_what_is_no_url_names_what_it_stands_for(text, instead):
    with pytest.raises(ConfigError) as refused:
        build_captioner("m", CaptionerOptions(endpoint=text))
    assert str(refused.value).endswith(f"is not a URL; pass --endpoint {instead}")
