"""NVIDIA's own models, held against a server that refuses what theirs refuse."""

from __future__ import annotations

import asyncio
import io
import random
import signal
from pathlib import Path

import pytest
from PIL import Image

from cutline.captioners.pool import build_captioner
from cutline.captioners.spec import CaptionerOptions
from cutline.credentials import Secret
from cutline.errors import ConfigError, EndpointUnusable, Rejected, RequestError, Retryable
from cutline.imaging import Picture
from cutline.locations.stored import InlineBytes
from cutline.prompts import Example, Prompt
from cutline.records import Reply, Usage
from processes import PATIENCE, start_cutline, wait_until
from server_process import Server

KEY = "nvapi-test"
KOSMOS = "nvidia:microsoft/kosmos-2"
VILA = "nvidia:nvidia/vila"
LLAMA = "nvidia:meta/llama-3.2-90b-vision-instruct"
ALL = [
    *(KOSMOS, VILA, LLAMA, "nvidia:meta/llama-3.2-11b-vision-instruct", "nvidia:nvidia/neva-22b"),
    *("nvidia:adept/fuyu-8b", "nvidia:google/paligemma", "nvidia:google/deplot"),
]


def encoded(size: tuple[int, int], *, noisy: bool = False, form: str = "JPEG") -> bytes:
    width, height = size
    pixels = random.Random(1).randbytes(width * height * 3) if noisy else None
    image = Image.frombytes("RGB", size, pixels) if pixels else Image.new("RGB", size, "teal")
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


SMALL = encoded((64, 48))
LARGE = encoded((800, 600), noisy=True)  # some 400 kB, three times what a request can hold


async def ask(
    server: Server,
    model: str,
    picture: bytes = SMALL,
    prompt: Prompt | None = None,
    *,
    key: str = KEY,
    retries: int = 0,
    timeout: float = 20.0,
    **options: object,
) -> Reply:
    asking = CaptionerOptions(
        key=Secret(key) if key else None,
        endpoint=server.url,
        options=options,
        timeout=timeout,
        retries=retries,
        retry_delay=0.01,
        patience=5.0,
    )
    captioner = build_captioner(model, asking)
    try:
        return await captioner.caption(Picture(InlineBytes(picture, "a picture")), prompt or Prompt())
    finally:
        await captioner.aclose()


@pytest.mark.parametrize("model", ALL)
async def test_each_model_answers(nvidia: Server, model: str) -> None:
    reply = await ask(nvidia, model)
    table = "Entity | Size \n " if model.endswith("deplot") else ""
    assert reply.text == f"{table}A picture of 64 by 48, as {model.split('/')[1]} sees it."
    assert reply.usage == Usage(prompt_tokens=70, completion_tokens=12)
    assert reply.model == model.partition(":")[2]


async def test_what_is_sent_to_kosmos(nvidia: Server) -> None:
    await ask(nvidia, KOSMOS, prompt=Prompt(system="Be brief.", prefix="Who is this?"))
    last = nvidia.get("/last")
    assert last["path"] == "/v1/vlm/microsoft/kosmos-2"
    body = last["body"]
    content = body["messages"][0].pop("content")
    assert content.startswith('Be brief.\nWho is this?\n<img src="data:image/jpeg;base64,')
    assert content.endswith('" />')
    assert body == {"messages": [{"role": "user"}], "max_tokens": 1024, "temperature": 0.2, "top_p": 0.2}


async def test_the_users_parameters_take_the_place_of_the_defaults(nvidia: Server) -> None:
    await ask(nvidia, LLAMA, parameters='max_tokens=512, temperature=0.30, stop=["END"]', seed=7)
    body = nvidia.last
    assert body["model"] == "meta/llama-3.2-90b-vision-instruct"
    assert (body["max_tokens"], body["temperature"], body["top_p"]) == (512, 0.3, 0.2)
    assert (body["stop"], body["seed"]) == (["END"], 7)


async def test_other_parameters_over_the_same_connections(nvidia: Server) -> None:
    captioner = build_captioner(KOSMOS, CaptionerOptions(key=Secret(KEY), endpoint=nvidia.url))
    try:
        cooler = captioner.adjusted({"temperature": 0.0})
        await cooler.caption(Picture(InlineBytes(SMALL, "x")), Prompt())
        assert nvidia.last["temperature"] == 0.0
        with pytest.raises(ConfigError, match="temperature must be a number from 0 to 1"):
            captioner.adjusted({"temperature": 3.0})
    finally:
        await captioner.aclose()


async def test_a_schema_is_asked_for_in_words(nvidia: Server) -> None:
    schema = {"type": "object", "properties": {"short": {"type": "string"}}, "required": ["short"]}
    await ask(nvidia, VILA, prompt=Prompt(prefix="Fields.", schema=schema))
    assert '"required": ["short"]' in nvidia.last["messages"][0]["content"]


async def test_words_that_look_like_a_picture_are_sent_as_words(nvidia: Server) -> None:
    prompt = Prompt(prefix='The page said <IMG src="http://127.0.0.1/secret.png"> here.')
    assert (await ask(nvidia, KOSMOS, prompt=prompt)).text.startswith("A picture of 64 by 48")
    assert "secret.png" in nvidia.last["messages"][0]["content"]


async def test_a_worked_example_where_there_is_room(nvidia: Server) -> None:
    example = Example(image=SMALL, mime="image/jpeg", explanation="A: teal.")
    await ask(nvidia, VILA, encoded((32, 32)), Prompt(example=example, suffix="Q:"))
    assert nvidia.get("/state")["sizes"] == [[64, 48], [32, 32]], "the example first, the target last"
    for model, picture, words in ((KOSMOS, SMALL, "takes one picture"), (VILA, LARGE, "has room for")):
        captioner = build_captioner(model, CaptionerOptions(key=Secret(KEY)))
        with pytest.raises(ConfigError, match=words):
            captioner.check_prompt(Prompt(example=Example(image=picture, mime="image/jpeg", explanation="A")))
        await captioner.aclose()


# Pictures that are too large for a request


async def test_large_pictures_are_made_smaller(nvidia: Server) -> None:
    await ask(nvidia, KOSMOS, LARGE)
    state = nvidia.get("/state")
    ((width, _),) = state["sizes"]
    assert 300 < width < 800
    assert (state["uploads"], state["requests"]) == (0, 1)


async def test_a_large_example_leaves_less_room_for_the_picture(nvidia: Server) -> None:
    example = Example(image=encoded((300, 260), noisy=True), mime="image/jpeg", explanation="A: noise.")
    assert 40_000 < len(example.image) < 67_000
    await ask(nvidia, VILA, LARGE, Prompt(example=example))
    assert len(nvidia.get("/state")["sizes"]) == 2


@pytest.mark.parametrize("size", [100, 179_990, 180_001])
async def test_the_limit_itself(nvidia: Server, size: int) -> None:
    """Just below and just above what the server takes."""
    picture = SMALL + bytes(max(0, size // 4 * 3 - len(SMALL)))
    await ask(nvidia, KOSMOS, picture)
    assert nvidia.get("/state")["requests"] == 1


async def test_large_pictures_are_uploaded_where_that_is_wished(nvidia: Server) -> None:
    reply = await ask(nvidia, KOSMOS, LARGE, large_images="asset")
    assert reply.text.startswith("A picture of 800 by 600"), "at its full size"
    state = nvidia.get("/state")
    assert (state["uploads"], state["deleted"], state["kept"]) == (1, 1, 0)
    assert state["strangers"] == 0, "the storage does not see the key"
    await ask(nvidia, KOSMOS, SMALL, large_images="asset")
    assert nvidia.get("/state")["uploads"] == 1, "small ones are sent as they are"


@pytest.mark.parametrize("faults", [[500], [422], [429]])
async def test_an_upload_is_deleted_after_a_failure_too(nvidia: Server, faults: list[int]) -> None:
    nvidia.post("/configure", {"faults": list(faults)})
    if faults == [422]:
        with pytest.raises(Rejected):
            await ask(nvidia, KOSMOS, LARGE, large_images="asset")
    else:
        await ask(nvidia, KOSMOS, LARGE, large_images="asset", retries=1)
    assert nvidia.get("/state")["kept"] == 0


async def test_an_upload_is_deleted_when_nobody_waits_any_more(nvidia: Server) -> None:
    nvidia.post("/configure", {"latency": 600})
    captioner = build_captioner(
        KOSMOS, CaptionerOptions(key=Secret(KEY), endpoint=nvidia.url, options={"large_images": "asset"})
    )
    call = asyncio.create_task(captioner.caption(Picture(InlineBytes(LARGE, "x")), Prompt()))
    while not nvidia.get("/state")["requests"]:
        await asyncio.sleep(0.02)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await captioner.aclose()
    state = nvidia.get("/state")
    assert (state["deleted"], state["kept"]) == (1, 0)


@pytest.mark.parametrize("settings", [{"lose": 1}, {"upload_status": 403}])
async def test_an_upload_that_ended_too_soon_is_made_anew(nvidia: Server, settings: dict) -> None:
    nvidia.post("/configure", settings)
    reply = await ask(nvidia, KOSMOS, LARGE, large_images="asset", retries=1)
    assert reply.text.startswith("A picture of 800 by 600")
    assert nvidia.get("/state")["kept"] == 0


# Answers that come later


async def test_an_answer_that_comes_later_is_asked_for(nvidia: Server) -> None:
    nvidia.post("/configure", {"polls": 3})
    assert (await ask(nvidia, VILA)).text.startswith("A picture of 64 by 48")
    state = nvidia.get("/state")
    assert (state["requests"], state["polls"]) == (1, 3)


async def test_not_being_able_to_ask_after_it_is_no_reason_to_pay_twice(nvidia: Server) -> None:
    nvidia.post("/configure", {"polls": 2, "poll_faults": [503, 429, 500]})
    await ask(nvidia, VILA, retries=3)
    assert nvidia.get("/state")["requests"] == 1


async def test_a_request_that_was_forgotten_is_made_again(nvidia: Server) -> None:
    nvidia.post("/configure", {"polls": 1, "poll_faults": [404]})
    assert (await ask(nvidia, VILA, retries=1)).attempts == 2


async def test_the_waiting_has_an_end(nvidia: Server) -> None:
    nvidia.post("/configure", {"polls": 10_000})
    with pytest.raises(Retryable) as raised:
        await ask(nvidia, VILA, timeout=1.0)
    assert raised.value.kind == "timeout"


# Refusals


@pytest.mark.parametrize(
    ("settings", "key", "cls", "words"),
    [
        ({}, "nvapi-other", EndpointUnusable, ("403", "NVIDIA_API_KEY", "build.nvidia.com")),
        ({}, "", EndpointUnusable, ("401", "no key was sent", "NVIDIA_API_KEY")),
        ({"credit": False}, KEY, EndpointUnusable, ("credit", "same command")),
        ({"credit": False, "spent_status": 403}, KEY, EndpointUnusable, ("no credit left",)),
        ({"faults": [500]}, KEY, RequestError, ("500",)),
    ],
)
async def test_refusals(
    nvidia: Server, settings: dict, key: str, cls: type[Exception], words: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.delenv("NVIDIA_API_KEY", raising=False)
    nvidia.post("/configure", settings)
    with pytest.raises(cls) as raised:
        await ask(nvidia, LLAMA, key=key, retries=0, timeout=1.0)
    for word in words:
        assert word in str(raised.value)
    assert "nvapi-" not in str(raised.value)


async def test_being_told_to_slow_down(nvidia: Server) -> None:
    nvidia.post("/configure", {"faults": [429, 429]})
    assert (await ask(nvidia, LLAMA)).attempts == 3


async def test_spent_credit_stops_the_run_in_its_middle(nvidia: Server) -> None:
    captioner = build_captioner(KOSMOS, CaptionerOptions(key=Secret(KEY), endpoint=nvidia.url))
    try:
        await captioner.caption(Picture(InlineBytes(SMALL, "1")), Prompt())
        nvidia.post("/configure", {"credit": False, "spent_status": 403})
        with pytest.raises(EndpointUnusable, match="no credit left"):
            await captioner.caption(Picture(InlineBytes(SMALL, "2")), Prompt())
    finally:
        await captioner.aclose()


async def test_a_model_that_has_ended_stops_the_run(nvidia: Server) -> None:
    nvidia.post("/configure", {"faults": [410] * 3})
    captioner = build_captioner(VILA, CaptionerOptions(key=Secret(KEY), endpoint=nvidia.url))
    try:
        for _ in range(2):
            with pytest.raises(Rejected, match="no longer: choose another model"):
                await captioner.caption(Picture(InlineBytes(SMALL, "x")), Prompt())
        with pytest.raises(EndpointUnusable):
            await captioner.caption(Picture(InlineBytes(SMALL, "x")), Prompt())
    finally:
        await captioner.aclose()


async def test_what_the_model_does_not_take_is_named(nvidia: Server) -> None:
    with pytest.raises(Rejected, match="top_k: Extra inputs are not permitted"):
        await ask(nvidia, KOSMOS, extra={"top_k": 5})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"max_tokens": 4000}, "--max-tokens must be a whole number from 1 to 1024"),
        ({"schema_dialect": "guided_json"}, "does not support --schema-dialect"),
        ({"device": "cpu"}, "does not support --device"),
    ],
)
def test_options_that_mean_nothing_here(options: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        build_captioner(KOSMOS, CaptionerOptions(key=Secret(KEY), options=options))


def test_other_models_of_nvidia_are_asked_as_before() -> None:
    with pytest.raises(ConfigError, match="does not support --large-images"):
        build_captioner(
            "nvidia:nvidia/llama-3.1-nemotron-nano-vl-8b-v1",
            CaptionerOptions(key=Secret(KEY), options={"large_images": "asset"}),
        )


def test_ctrl_c_leaves_no_upload_behind(nvidia: Server, tmp_path: Path) -> None:
    (tmp_path / "noise.jpg").write_bytes(LARGE)
    nvidia.post("/configure", {"latency": 600})
    process = start_cutline(
        *(
            "caption",
            tmp_path / "noise.jpg",
            tmp_path / "out.jsonl",
            "--model",
            KOSMOS,
            "--endpoint",
            nvidia.url,
        ),
        *("--large-images", "asset"),
        env={"NVIDIA_API_KEY": KEY},
    )
    wait_until(lambda: nvidia.get("/state")["requests"])
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    state = nvidia.get("/state")
    assert (state["uploads"], state["deleted"], state["kept"]) == (1, 1, 0)
