"""What is sent, held against the request that OpenAI's own client makes of the same question."""

from __future__ import annotations

import base64
import io
import random
from typing import Any

import openai
import pytest
from PIL import Image

from cutline.captioners.hosted.openai import OpenAIChat
from cutline.captioners.hosted.preset import Parameters
from cutline.captioners.hosted.presets import PRESETS
from cutline.credentials import Secret
from cutline.imaging import Limits, Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Example, Prompt
from cutline.records import Reply, Usage
from server_process import Server

SCHEMA = {"type": "object", "properties": {"short": {"type": "string"}}, "required": ["short"]}


def encoded(colour: str, size: tuple[int, int] = (32, 24)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG")
    return buffer.getvalue()


def noise() -> bytes:
    """A picture of 170 KB, above what is sent in one piece."""
    buffer = io.BytesIO()
    pixels = random.Random(1).randbytes(480 * 480 * 3)
    Image.frombytes("RGB", (480, 480), pixels).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


PICTURE = encoded("teal")
NOISE = noise()


def url_of(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(picture).decode()


URL = url_of(PICTURE)


async def ask(
    server: Server, prompt: Prompt, *, preset: str = "openai", picture: bytes = PICTURE, **parameters: Any
) -> Reply:
    chat = OpenAIChat(
        preset=PRESETS[preset],
        model="gpt-4o-mini",
        endpoint=server.url,
        key=Secret("sk-1"),
        parameters=Parameters(**parameters),
        limits=Limits(),
    )
    try:
        return await chat.caption(Picture(InlineBytes(picture, "a picture")), prompt)
    finally:
        await chat.aclose()


@pytest.mark.parametrize("picture", [PICTURE, NOISE], ids=["small", "large"])
async def test_same_request_and_reply_as_the_official_client(scripted: Server, picture: bytes) -> None:
    scripted.post("/script", {"content": "Teal, all of it."})
    prompt = Prompt(system="Be brief.", prefix="What is this?")
    ours = await ask(scripted, prompt, picture=picture, max_tokens=50, temperature=0.2, top_p=0.9, seed=7)
    our_request, our_headers = scripted.last, scripted.last_headers

    client = openai.AsyncOpenAI(base_url=scripted.url, api_key="sk-1", max_retries=0)
    theirs = await client.chat.completions.create(
        model="gpt-4o-mini",
        messages=[
            {"role": "system", "content": "Be brief."},
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": url_of(picture)}},
                    {"type": "text", "text": "What is this?"},
                ],
            },
        ],
        max_completion_tokens=50,
        temperature=0.2,
        top_p=0.9,
        seed=7,
        stream=False,
    )
    await client.close()
    assert our_request == scripted.last
    assert scripted.get("/last")["path"] == "/v1/chat/completions"
    for name in ("Authorization", "Content-Type"):
        assert our_headers[name] == scripted.last_headers[name]
    choice, usage = theirs.choices[0], theirs.usage
    assert usage is not None
    assert (ours.text, ours.finish_reason, ours.model) == (
        choice.message.content,
        choice.finish_reason,
        theirs.model,
    )
    assert ours.usage == Usage(prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens)


async def test_structured_request_is_what_the_official_client_sends(scripted: Server) -> None:
    await ask(scripted, Prompt(prefix="Fields, please.", schema=SCHEMA))
    ours = scripted.last
    client = openai.AsyncOpenAI(base_url=scripted.url, api_key="sk-1", max_retries=0)
    await client.chat.completions.create(
        model="gpt-4o-mini",
        messages=ours["messages"],
        response_format={"type": "json_schema", "json_schema": {"name": "caption", "schema": SCHEMA}},
        stream=False,
    )
    await client.close()
    assert ours == scripted.last


async def test_example_comes_before_the_picture(scripted: Server) -> None:
    example = Example(image=encoded("red"), mime="image/jpeg", explanation="A: red.")
    await ask(scripted, Prompt(prefix="Look:", suffix="Q:", example=example))
    assert [message["role"] for message in scripted.last["messages"]] == ["user"]
    content = scripted.last["messages"][0]["content"]
    assert [part.get("text", "picture") for part in content] == [
        "Look:",
        "picture",
        "A: red.",
        "Q:",
        "picture",
    ]
    shown, asked = (part["image_url"]["url"] for part in content if part["type"] == "image_url")
    assert base64.b64decode(shown.partition(",")[2]) == encoded("red")
    assert asked == URL


@pytest.mark.parametrize(
    ("preset", "setting"),
    [
        (
            "openai",
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "caption", "schema": SCHEMA},
                }
            },
        ),
        ("nim", {"guided_json": SCHEMA}),
        ("nvidia", {"guided_json": SCHEMA}),
        ("vllm", {"structured_outputs": {"json": SCHEMA}}),
    ],
)
async def test_schema_in_each_dialect(scripted: Server, preset: str, setting: dict) -> None:
    await ask(scripted, Prompt(prefix="Fields.", schema=SCHEMA), preset=preset)
    assert {name: scripted.last.get(name) for name in setting} == setting
    others = {"response_format", "guided_json", "structured_outputs"} - setting.keys()
    assert not others & scripted.last.keys()


async def test_further_parameters_reach_the_endpoint(scripted: Server) -> None:
    await ask(scripted, Prompt(), extra={"min_p": 0.1, "chat_template_kwargs": {"thinking": False}})
    assert scripted.last["min_p"] == 0.1
    assert scripted.last["chat_template_kwargs"] == {"thinking": False}


async def test_large_pictures_are_sent_smaller(scripted: Server) -> None:
    await ask(scripted, Prompt(), picture=encoded("navy", (3000, 1500)))
    url = scripted.last["messages"][0]["content"][0]["image_url"]["url"]
    with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
        assert image.size == (1024, 512)
