"""The service through the official client of OpenAI's API, and through our own `--endpoint`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from unittest.mock import ANY

import httpx
import openai
import pytest
from PIL import Image
from serving import Service, png

from cutline.service.pictures import Pictures
from cutline.service.routes.messages import Message, conversation
from processes import cutline_here, wait_until

USUAL = "Describe this image in detail."
with_responses = pytest.mark.skipif(
    not hasattr(openai.OpenAI, "responses"),
    reason="needs a client with the responses API: openai 1.66 or newer",
)


def data_url(data=None):
    return "data:image/png;base64," + base64.b64encode(data or png(7)).decode()


def asked(text=USUAL, url=None):
    parts = [{"type": "image_url", "image_url": {"url": url or data_url()}}]
    return [{"role": "user", "content": [{"type": "text", "text": text}, *parts] if text else parts}]


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Service("--model", "fake", cwd=tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="module")
def pixels(tmp_path_factory):
    with Service("--model", "pixels:no-ocr", cwd=tmp_path_factory.mktemp("pixels")) as running:
        yield running


@pytest.fixture(scope="module")
def client(service):
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0) as made:
        yield made


def post(service, **body):
    return service.client.post("/v1/chat/completions", json={"model": "fake", "messages": asked()} | body)


# What the official client gets


def test_a_completion_is_what_the_client_expects(client):
    said = client.chat.completions.create(model="fake", messages=asked(), temperature=0.3, seed=4)
    choice = said.choices[0]
    assert said.object == "chat.completion"
    assert said.model == "fake"
    assert choice.message.role == "assistant"
    assert choice.message.content.startswith("A picture with checksum ")
    assert choice.finish_reason == "stop"
    assert said.usage.completion_tokens == len(choice.message.content.split())
    assert said.usage.total_tokens == said.usage.prompt_tokens + said.usage.completion_tokens


def test_the_asynchronous_client_gets_each_picture_its_own_words(service):
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0) as made:
            return await asyncio.gather(
                *(
                    made.chat.completions.create(model="fake", messages=asked(url=data_url(png(number))))
                    for number in [*range(20), *range(20)]
                )
            )

    texts = [said.choices[0].message.content for said in asyncio.run(ask())]
    assert texts[:20] == texts[20:]
    assert len(set(texts)) == 20


def test_a_stream_brings_the_same_words_in_pieces(client):
    whole = client.chat.completions.create(model="fake", messages=asked())
    stream = client.chat.completions.create(
        model="fake", messages=asked(), stream=True, stream_options={"include_usage": True}
    )
    *chunks, last = list(stream)
    assert len({chunk.id for chunk in [*chunks, last]}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [chunk.choices[0].delta.content for chunk in chunks[:-1]]
    assert len(pieces) > 5
    assert "".join(pieces) == whole.choices[0].message.content
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert last.choices == []
    assert last.usage == whole.usage


def test_the_asynchronous_client_streams_too(service):
    async def ask():
        async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="any", max_retries=0) as made:
            stream = await made.chat.completions.create(model="fake", messages=asked(), stream=True)
            return [chunk async for chunk in stream]

    chunks = asyncio.run(ask())
    assert all(chunk.usage is None and chunk.choices for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "stop"


def test_a_stream_is_made_of_events_and_ends_with_done(service):
    answer = post(service, stream=True)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.removesuffix("\n\n").split("\n\n")
    assert events[-1] == "data: [DONE]"
    assert all(json.loads(event.removeprefix("data: "))["choices"] for event in events[:-1])


def test_the_models_are_listed_and_found(client):
    (model,) = client.models.list().data
    assert model.id == "fake"
    assert client.models.retrieve("fake") == model
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("other/model:7b")
    assert caught.value.code == "model_not_found"


# What reaches the model


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A model that takes its time, and refuses every other picture."""
    with Service("--model", "fake:latency=14,rejected=0.5", cwd=tmp_path_factory.mktemp("slow")) as running:
        yield running


def refused_by_fake(data):
    return hashlib.blake2b(data, digest_size=8).digest()[0] < 128


def pictures_where(is_refused):
    return [data_url(png(number)) for number in range(50) if refused_by_fake(png(number)) == is_refused]


def test_streams_that_take_long_show_that_they_live(slow):
    """A comment comes before the answer, and what fails after it is an event; who leaves frees the place."""
    fine, other = pictures_where(False)[:2]

    def said():
        with openai.OpenAI(base_url=f"{slow.url}/v1", api_key="any", max_retries=0) as client:
            stream = client.chat.completions.create(model="fake", messages=asked(url=fine), stream=True)
            return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    def failed():
        with openai.OpenAI(base_url=f"{slow.url}/v1", api_key="any", max_retries=0) as client:
            url = pictures_where(True)[0]
            stream = client.chat.completions.create(model="fake", messages=asked(url=url), stream=True)
            with pytest.raises(openai.APIError, match="refused this request") as caught:
                list(stream)
            return caught.value.code

    def left():
        body = {"model": "fake", "messages": asked(url=other), "stream": True}
        with slow.client.stream("POST", "/v1/chat/completions", json=body) as answer:
            lines = answer.iter_lines()
            first = next(lines)
            before = slots_in_use(slow)
        wait_until(lambda: slots_in_use(slow) < before)
        assert not running[0].done(), "before the model has ended"
        return first

    with ThreadPoolExecutor(3) as threads:
        running = [threads.submit(work) for work in (said, failed, left)]
    assert [work.result() for work in running] == [ANY, "rejected", ": still at work"]
    assert running[0].result().startswith("A picture with checksum ")


def slots_in_use(service):
    lines = httpx.get(f"{service.url}/metrics", trust_env=False).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("cutline_slots_in_use"))


@pytest.fixture(scope="module")
def upstream():
    from server_process import Server

    with Server("scripted.py") as server:
        yield server


@pytest.fixture(scope="module")
def through(upstream, tmp_path_factory):
    """A service that asks another endpoint, which tells what it was asked."""
    folder = tmp_path_factory.mktemp("through")
    with Service("--model", "far-model", "--endpoint", upstream.url, cwd=folder) as running:
        yield running


def ask_through(through, **body):
    return through.client.post(
        "/v1/chat/completions", json={"model": "far-model", "messages": asked()} | body
    )


def test_words_and_parameters_reach_the_model(through, upstream):
    upstream.post("/script", {"content": "A red disc."})
    messages = [{"role": "system", "content": "Be {short}."}, *asked('Say {"caption": "…"} of {name}.')]
    answer = ask_through(
        through, messages=messages, max_completion_tokens=77, top_p=0.5, temperature=0, seed=3
    )
    assert answer.json()["choices"][0]["message"]["content"] == "A red disc."
    sent = upstream.last
    assert sent["messages"][0] == {"role": "system", "content": "Be {short}."}
    picture, text = sent["messages"][1]["content"]
    assert picture["image_url"]["url"] == data_url()
    assert text["text"] == 'Say {"caption": "…"} of {name}.'
    assert (sent["max_tokens"], sent["top_p"], sent["temperature"], sent["seed"]) == (77, 0.5, 0, 3)


def test_a_text_that_names_a_library_prompt_is_that_text(through, upstream):
    upstream.post("/script", {"content": "A disc."})
    ask_through(through, messages=asked("short"))
    assert upstream.last["messages"][0]["content"][1]["text"] == "short"


def test_turns_reach_the_model_as_turns(through, upstream):
    """With the pictures of each, in the order in which they were sent."""
    upstream.post("/script", {"content": "Red."})
    old, new = asked("Old?", data_url(png(1))), asked("New?")
    turns = [*old, {"role": "assistant", "content": "A {disc}."}, *new]
    answer = ask_through(through, messages=[{"role": "system", "content": "Be short."}, *turns])
    assert answer.json()["choices"][0]["message"]["content"] == "Red."
    assert upstream.last["messages"] == [{"role": "system", "content": "Be short."}, *turns]


def test_a_follow_up_is_about_the_picture_sent_before(through, upstream):
    upstream.post("/script", {"content": "Red."})
    turns = [*asked("What is it?"), {"role": "assistant", "content": "A disc."}]
    calls = [{"role": "assistant", "content": None, "tool_calls": []}, {"role": "tool", "content": "7"}]
    answer = ask_through(through, messages=[*turns, *calls, {"role": "user", "content": "Which colour?"}])
    assert answer.status_code == 200
    last = {"role": "user", "content": "Tool: 7\n\nWhich colour?"}
    assert upstream.last["messages"] == [*turns, last]


def test_a_model_of_one_message_gets_the_conversation_as_one():
    turns = [*asked("What is it?"), {"role": "assistant", "content": "A disc."}]
    messages = [*asked("Old?"), *turns, {"role": "user", "content": "Which colour?"}]
    found = conversation([Message.model_validate(message) for message in messages], Pictures(()))
    assert found.text == (
        "User: Old?\nWhat is it?\n\nAssistant: A disc.\n\nUser: Which colour?\n\nReply to the last message."
    )


def test_many_pictures_in_one_message(through, upstream, service, pixels, tmp_path):
    """Large and odd ones as the model can take them; a model of one picture says so."""
    upstream.post("/script", {"content": "They differ."})
    parts = [
        part for number in range(1, 5) for part in asked(f"{number}:", data_url(png(number)))[0]["content"]
    ]
    answer = ask_through(through, messages=[{"role": "user", "content": parts}])
    assert answer.json()["choices"][0]["message"]["content"] == "They differ."
    assert upstream.last["messages"] == [{"role": "user", "content": parts}]
    out = io.BytesIO()
    Image.new("RGB", (3_000, 20)).save(out, "BMP")
    picture = {"type": "image_url", "image_url": {"url": data_url(out.getvalue())}}
    ask_through(through, messages=[{"role": "user", "content": [picture, *parts]}])
    first, *others = upstream.last["messages"][0]["content"]
    assert others == parts
    encoded = base64.b64decode(first["image_url"]["url"].partition(",")[2])
    assert Image.open(io.BytesIO(encoded)).size == (1_024, 7)
    for broken in (data_url(b"no picture"), "http://127.0.0.1:9/a.png"):
        bad = {"type": "image_url", "image_url": {"url": broken}}
        answer = ask_through(through, messages=[{"role": "user", "content": [bad, *parts]}])
        assert answer.status_code == 400, answer.text
    refused = post(pixels, model="pixels:no-ocr", messages=[{"role": "user", "content": parts}])
    assert (refused.status_code, "takes one picture" in refused.text) == (400, True)
    picture = {"type": "image_url", "image_url": {"url": data_url()}}
    refused = post(service, messages=[{"role": "user", "content": [picture] * 51}])
    assert (refused.status_code, "at most 50 pictures" in refused.text) == (400, True)


def test_a_picture_before_the_last_one_is_shown_as_an_example(through, upstream):
    upstream.post("/script", {"content": "Two."})
    example, target = (asked(url=data_url(png(number)))[0]["content"][1] for number in (1, 2))
    parts = [{"type": "text", "text": "As here:"}, example, {"type": "text", "text": "One."}, target]
    ask_through(through, messages=[{"role": "user", "content": parts}])
    assert upstream.last["messages"][0]["content"] == parts


@pytest.mark.parametrize(("stop", "text"), [("disc", "A red "), (["moon", "red"], "A "), ("moon", None)])
def test_a_text_ends_before_the_first_stop_sequence(through, upstream, stop, text):
    upstream.post("/script", {"content": "A red disc."})
    choice = ask_through(through, stop=stop).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (text or "A red disc.", "stop")


def test_a_json_object_comes_back_alone(through, upstream):
    upstream.post("/script", {"content": 'Sure: {"any": [1]} Anything else?'})
    answer = ask_through(through, response_format={"type": "json_object"})
    assert json.loads(answer.json()["choices"][0]["message"]["content"]) == {"any": [1]}


def test_more_tokens_than_the_service_allows_are_its_limit(through, upstream):
    upstream.post("/script", {"content": "A disc."})
    ask_through(through, max_tokens=1_000_000, seed=-1)
    assert upstream.last["max_tokens"] == 1_024
    assert "seed" not in upstream.last
    picture = {"image_base64": base64.b64encode(png(7)).decode(), "max_tokens": 1_000_000}
    assert through.client.post("/caption", json=picture).status_code == 200
    assert upstream.last["max_tokens"] == 1_024
    cut = {"message": {"content": "A red disc on a"}, "finish_reason": "length"}
    upstream.post("/script", {"body": json.dumps({"choices": [cut]})})
    refused = through.client.post("/caption", json=picture).json()
    assert refused["detail"] == "the answer was cut after 1,024 tokens, the most that this service allows"


@pytest.mark.parametrize(
    "write",
    [
        lambda text: "DATA:image/png;base64," + text,
        lambda text: "data:image/png;name=a.png;charset=utf-8;base64," + text,
        lambda text: "data:image/png;base64," + text.replace("+", "-").replace("/", "_").rstrip("="),
        lambda text: (
            "data:image/png;BASE64," + "\n".join(text[at : at + 76] for at in range(0, len(text), 76))
        ),
        lambda text: "data:;base64," + text.replace("=", "%3D"),
    ],
    ids=["upper", "parameters", "url-safe", "lines", "percent"],
)
def test_base64_is_read_as_programs_write_it(through, upstream, write):
    upstream.post("/script", {"content": "A disc."})
    for number in range(250, 253):  # several remainders of the padding
        data = png(number)
        messages = asked(url=write(base64.b64encode(data).decode()))
        assert ask_through(through, messages=messages).status_code == 200
        assert upstream.last["messages"][0]["content"][0]["image_url"]["url"] == data_url(data)


def test_a_request_has_an_id_of_its_client_or_a_new_one(service):
    own = service.client.get("/v1/models", headers={"X-Request-ID": "trace-7"})
    assert own.headers["x-request-id"] == "trace-7"
    made = service.client.get("/v1/models", headers={"X-Request-ID": "a b"})
    assert made.headers["x-request-id"].startswith("req_")
    assert service.client.post("/v1/chat/completions/", json={}).status_code == 400  # not a redirect


def test_an_alias_is_the_model_under_another_name(tmp_path):
    with (
        Service(
            "--model", "fake", "--model-alias", "gpt-4o", "--model-alias", "a:b", cwd=tmp_path
        ) as running,
        openai.OpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0) as client,
    ):
        assert [model.id for model in client.models.list()] == ["fake", "gpt-4o", "a:b"]
        assert client.models.retrieve("a:b").id == "a:b"
        assert client.chat.completions.create(model="gpt-4o", messages=asked()).model == "fake"


SCHEMA = {
    "type": "json_schema",
    "json_schema": {
        "name": "caption",
        "schema": {"type": "object", "properties": {"short": {"type": "string"}}, "required": ["short"]},
    },
}


def test_json_of_a_schema_comes_back_alone(through, upstream):
    upstream.post("/script", {"content": 'Sure: {"short": "A disc."} Anything else?'})
    answer = ask_through(through, response_format=SCHEMA)
    assert json.loads(answer.json()["choices"][0]["message"]["content"]) == {"short": "A disc."}


def test_a_schema_may_be_true(pixels):
    schema = {"type": "object", "properties": {"short": True, "tags": True}, "additionalProperties": False}
    picture = {"image_base64": base64.b64encode(png(9)).decode()}
    answer = pixels.client.post("/caption", json={**picture, "schema": schema})
    assert answer.json()["fields"].keys() == {"short", "tags"}


def test_json_that_breaks_the_schema_is_no_answer(through, upstream):
    upstream.post("/script", {"content": '{"long": 1}'})
    answer = ask_through(through, response_format=SCHEMA)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "schema-miss"


def test_an_answer_that_was_cut_says_so(through, upstream):
    choice = {"message": {"content": "A red disc on a"}, "finish_reason": "length"}
    upstream.post("/script", {"body": json.dumps({"choices": [choice]})})
    choice = ask_through(through).json()["choices"][0]
    assert choice["finish_reason"] == "length"
    assert choice["message"]["content"] == "A red disc on a"


@pytest.mark.parametrize(
    ("upstreams", "ours"), [("MAX_TOKENS", "length"), ("safety", "content_filter"), ("end_turn", "stop")]
)
def test_finish_reasons_of_other_services_are_translated(through, upstream, upstreams, ours):
    choice = {"message": {"content": "A red disc on a"}, "finish_reason": upstreams}
    upstream.post("/script", {"body": json.dumps({"choices": [choice]})})
    assert ask_through(through).json()["choices"][0]["finish_reason"] == ours


REFUSED = {"message": {"content": None, "refusal": "I cannot describe people."}, "finish_reason": "stop"}


@pytest.mark.parametrize("options", [{}, {"response_format": SCHEMA}])
def test_a_refusal_apart_from_the_content_reaches_the_client(through, upstream, options):
    upstream.post("/script", {"body": json.dumps({"choices": [REFUSED]})})
    message = ask_through(through, **options).json()["choices"][0]["message"]
    assert (message["content"], message["refusal"]) == (None, "I cannot describe people.")
    upstream.post("/script", {"body": json.dumps({"choices": [REFUSED]})})
    with openai.OpenAI(base_url=f"{through.url}/v1", api_key="any", max_retries=0) as client:
        name = client.models.list().data[0].id
        stream = client.chat.completions.create(model=name, messages=asked(), stream=True)
        pieces = [chunk.choices[0].delta.refusal or "" for chunk in stream]
    assert "".join(pieces) == "I cannot describe people."


@with_responses
def test_a_refusal_in_a_response(through, upstream):
    content = [{"type": "input_image", "image_url": data_url()}, {"type": "input_text", "text": USUAL}]
    with openai.OpenAI(base_url=f"{through.url}/v1", api_key="any", max_retries=0) as client:
        asking = {"model": client.models.list().data[0].id, "input": [{"role": "user", "content": content}]}
        upstream.post("/script", {"body": json.dumps({"choices": [REFUSED]})})
        assert client.responses.create(**asking).output[0].content[0].refusal == "I cannot describe people."
        upstream.post("/script", {"body": json.dumps({"choices": [REFUSED]})})
        with client.responses.stream(**asking) as stream:
            deltas = [event.delta for event in stream if event.type == "response.refusal.delta"]
            assert "".join(deltas) == "I cannot describe people."
            assert stream.get_final_response().output[0].content[0].type == "refusal"


def test_a_tool_that_must_be_called_gets_its_arguments(through, upstream):
    """As clients that return typed objects request them."""
    upstream.post("/script", {"content": 'Sure: {"short": "A disc."}'})
    function = {"name": "describe", "parameters": SCHEMA["json_schema"]["schema"]}
    tools = {"tools": [{"type": "function", "function": function}], "parallel_tool_calls": False}
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "What?"}, *asked(text="")[0]["content"]]}
    ]
    for choice in ({"type": "function", "function": {"name": "describe"}}, "required"):
        with openai.OpenAI(base_url=f"{through.url}/v1", api_key="any", max_retries=0) as client:
            asked_for = {"model": "far-model", "messages": messages, **tools, "tool_choice": choice}
            whole = client.chat.completions.create(**asked_for).choices[0]
            chunks = list(client.chat.completions.create(**asked_for, stream=True))
        (call,) = whole.message.tool_calls
        assert (call.function.name, json.loads(call.function.arguments)) == ("describe", {"short": "A disc."})
        assert (whole.finish_reason, whole.message.content) == ("tool_calls", None)
        (streamed,) = [one for chunk in chunks for one in chunk.choices[0].delta.tool_calls or ()]
        assert streamed.function.arguments == call.function.arguments
        assert chunks[-1].choices[0].finish_reason == "tool_calls"
    assert upstream.last["response_format"]["json_schema"]["schema"] == function["parameters"]
    upstream.post("/script", {"content": "A disc."})
    assert ask_through(through, **tools, tool_choice="required").status_code == 422


# OpenAI's newer API


def given(text=USUAL):
    parts = [{"type": "input_text", "text": text}, {"type": "input_image", "image_url": data_url()}]
    return [{"role": "user", "content": parts}]


@with_responses
def test_a_response_is_what_the_client_expects(client):
    whole = client.responses.create(model="fake", input=given(), max_output_tokens=500, temperature=0.2)
    assert (whole.status, whole.model) == ("completed", "fake")
    assert (
        whole.output_text
        == client.chat.completions.create(model="fake", messages=asked()).choices[0].message.content
    )
    assert whole.usage.output_tokens == len(whole.output_text.split())


@with_responses
def test_the_events_of_a_response_bring_the_same_words(client):
    whole = client.responses.create(model="fake", input=given()).output_text
    with client.responses.stream(model="fake", input=given()) as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == whole
    assert (final.output_text, events[-1].type) == (whole, "response.completed")


def test_instructions_turns_and_formats_of_responses_reach_the_model(through, upstream):
    upstream.post("/script", {"content": '{"short": "A disc."}'})
    form = {"type": "json_schema", "name": "x", "schema": SCHEMA["json_schema"]["schema"]}
    turns = [*given("What?"), {"role": "assistant", "content": [{"type": "output_text", "text": "A disc."}]}]
    body = {
        "model": "far-model",
        "instructions": "Be short.",
        "text": {"format": form},
        "max_output_tokens": 9,
    }
    body["input"] = [*turns, {"role": "user", "content": "Which colour?"}]
    whole = through.client.post("/v1/responses", json=body).json()
    assert json.loads(whole["output"][0]["content"][0]["text"]) == {"short": "A disc."}
    system, user, answer, question = upstream.last["messages"]
    assert system["content"].startswith("Be short.")
    assert user["content"][0]["text"] == "What?"
    assert (answer, question["content"]) == ({"role": "assistant", "content": "A disc."}, "Which colour?")
    assert upstream.last["max_tokens"] == 9


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": "no picture"}, "messages[0].content"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"tools": [{"type": "web_search"}]}, "tools"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "input[0]"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content"),
        ({"temperature": 3}, "temperature"),
    ],
)
def test_what_a_response_cannot_be_is_refused_by_its_name(service, change, param):
    answer = service.client.post("/v1/responses", json={"model": "fake", "input": given()} | change)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


# What is refused, and how

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": TOOLS}, "tools"),
        ({"tools": TOOLS, "tool_choice": "auto"}, "tools"),
        ({"tools": TOOLS * 2, "tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, "tools"),
        ({"functions": [TOOLS[0]["function"]]}, "functions"),
        ({"audio": {"voice": "alloy", "format": "mp3"}}, "audio"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"logprobs": True}, "logprobs"),
        ({"stop": ["."] * 17}, "stop"),
        ({"frequency_penalty": 1}, "frequency_penalty"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages"),
        ({"messages": [{"role": "user", "content": "no picture"}]}, "messages[0].content"),
        ({"messages": asked(url="file:///etc/passwd")}, "messages[0].content"),
        ({"messages": asked(url="data:image/png,AA")}, "messages[0].content"),
        (
            {"messages": [{"role": "user", "content": [*asked()[0]["content"], {"type": "input_audio"}]}]},
            "messages[0].content",
        ),
        ({"messages": [{"role": "user", "content": asked()[0]["content"] * 51}]}, "messages[0].content"),
        ({"messages": [{**asked()[0], "role": "assistant"}, *asked()]}, "messages[0].content"),
        ({"messages": [*asked(), {"role": "user", "content": " "}]}, "messages[1].content"),
    ],
)
def test_what_cannot_be_done_is_refused_by_its_name(service, change, param):
    answer = post(service, **change)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "change",
    [
        {"user": "someone", "metadata": {"a": "b"}, "store": False, "invented_field": [1]},
        {"n": 1, "tools": [], "stop": None, "presence_penalty": 0, "logprobs": False},
        {"response_format": {"type": "text"}, "modalities": ["text"]},
        {"stream_options": {"include_usage": True}},
        {"seed": -1, "max_tokens": 1_000_000, "temperature": None, "top_p": None, "response_format": None},
        {"max_completion_tokens": 128_000, "tool_choice": "none", "parallel_tool_calls": True},
        {"tools": TOOLS, "tool_choice": "none"},
        {"functions": [TOOLS[0]["function"]], "function_call": "none"},
        {"tools": [], "tool_choice": "auto", "functions": [], "function_call": "auto", "n": None},
        {"store": True, "service_tier": "auto", "reasoning_effort": "low", "verbosity": "low"},
        {"max_tokens": -1, "top_logprobs": 0, "logit_bias": {}, "stop": [], "prompt_cache_key": "x"},
    ],
)
def test_what_changes_nothing_is_tolerated(service, change):
    assert post(service, **change).status_code == 200


@pytest.mark.parametrize(
    ("url", "code"),
    [
        (data_url(b"no picture"), "unsupported"),
        (data_url(png(3)[:60]), "decode"),
        ("http://127.0.0.1:9/a.png", "fetch"),
    ],
)
def test_a_picture_that_cannot_be_used_is_a_bad_request(pixels, url, code):
    answer = post(pixels, model="pixels:no-ocr", messages=asked(url=url))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_no_json_and_no_such_address_are_errors_of_the_same_shape(service):
    for answer in (
        service.client.post("/v1/chat/completions", content=b"{"),
        service.client.get("/v1/nothing"),
        service.client.get("/v1/chat/completions"),
    ):
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert "detail" in service.client.get("/nothing").json()


def test_a_refused_key_is_an_authentication_error(tmp_path):
    with Service("--model", "fake", cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": "right"}) as running:
        url = f"{running.url}/v1"
        with openai.OpenAI(base_url=url, api_key="wrong", max_retries=0) as wrong:
            with pytest.raises(openai.AuthenticationError) as caught:
                wrong.models.list()
            assert caught.value.code == "invalid_api_key"
            assert "right" not in caught.value.message
        with openai.OpenAI(base_url=url, api_key="right", max_retries=0) as right:
            assert right.models.list().data[0].id == "fake"


def test_a_model_that_is_away_is_an_error_worth_a_second_try(tmp_path):
    from serving import free_port

    options = ("--model", "gone", "--endpoint", f"http://127.0.0.1:{free_port()}/v1")
    with Service(*options, cwd=tmp_path) as running:
        answer = httpx.post(
            f"{running.url}/v1/chat/completions",
            json={"model": "gone", "messages": asked()},
            timeout=60,
            trust_env=False,
        )
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["error"]["type"] == "server_error"
    assert str(tmp_path) not in answer.text


# Through our own command line


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    for number in range(6):
        (folder / f"{number}.png").write_bytes(png(40 * number + 9, (64, 48)))
    return folder


def outcomes(folder, name, *options):
    """Every picture's caption, or the kind of its failure."""
    output = folder.parent / name
    done = cutline_here("caption", folder, output, *options)
    assert done.returncode in {0, 1}, done.stderr
    rows = [json.loads(row) for row in output.read_text("utf-8").splitlines()]
    failed = folder.parent / f"{name}.failures.jsonl"
    failures = [json.loads(row) for row in failed.read_text("utf-8").splitlines()] if failed.exists() else []
    return {row["image_id"]: row["caption"] for row in rows} | {row["key"]: row["kind"] for row in failures}


def test_pixels_says_the_same_through_the_service(pixels, pictures):
    options = ("--model", "endpoint:pixels:no-ocr", "--endpoint", f"{pixels.url}/v1", "--prompt", "short")
    there = outcomes(pictures, "there.jsonl", *options)
    assert there == outcomes(pictures, "here.jsonl", "--model", "pixels:no-ocr", "--prompt", "short")
    assert len(there) == 6


def test_a_schema_of_ours_and_an_example_pass_through_the_service(
    pixels, through, upstream, pictures, tmp_path
):
    def cutline(model, url, prompt):
        output = tmp_path / f"{model.partition(':')[0]}.jsonl"
        model = ("--model", f"endpoint:{model}", "--endpoint", f"{url}/v1")
        return cutline_here("caption", pictures, output, *model, "--prompt", prompt)

    done = cutline("pixels:no-ocr", pixels.url, "fields")
    assert done.returncode == 0, done.stderr
    (tmp_path / "example.png").write_bytes(png(9))
    example = {"image_path": "example.png", "explanation": "One disc."}
    prompt = {"prompt_prefix": "As here:", "cot_prompt": example, "prompt_suffix": "And now:"}
    (tmp_path / "prompt.json").write_text(json.dumps(prompt))
    upstream.post("/script", {"content": "Two discs."})
    done = cutline("far-model", through.url, tmp_path / "prompt.json")
    assert done.returncode == 0, done.stderr
    kinds = [part["type"] for part in upstream.last["messages"][0]["content"]]
    assert kinds == ["text", "image_url", "text", "text", "image_url"]


def test_a_service_without_room_is_asked_again_and_no_picture_is_lost(pictures, tmp_path):
    limit = {"CUTLINE_MAX_WAITING": "2"}
    with Service("--model", "fake:latency=0.3,slots=1", cwd=tmp_path, env=limit) as running:
        client = openai.AsyncOpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0)

        async def rush():
            async with client:
                asks = [client.chat.completions.create(model="fake", messages=asked()) for _ in range(8)]
                return await asyncio.gather(*asks, return_exceptions=True)

        refused = [one for one in asyncio.run(rush()) if isinstance(one, Exception)]
        assert refused
        for error in refused:
            assert (error.status_code, error.type) == (503, "server_error")
            assert error.response.headers["retry-after"]
        served = ("--model", "endpoint:fake", "--endpoint", f"{running.url}/v1")
        found = outcomes(pictures, "rush.jsonl", *served, "--max-concurrent-requests", "4")
    assert len(found) == 6
    assert all(text.startswith("A picture with checksum ") for text in found.values())


def test_a_local_model_says_the_same_through_the_service(blip, pictures, tmp_path):
    local = ("--model", f"blip:{blip}", "--device", "cpu", "--dtype", "float32")
    with Service(*local, cwd=tmp_path) as running:
        assert [row["id"] for row in running.client.get("/v1/models").json()["data"]] == ["blip:tiny-blip"]
        served = ("--model", "blip:tiny-blip", "--endpoint", f"{running.url}/v1")
        usual = outcomes(pictures, "usual-there.jsonl", *served)
        asked = outcomes(pictures, "asked-there.jsonl", *served, "--prompt", "a photo of")
    assert usual == outcomes(pictures, "usual-here.jsonl", *local)
    assert asked == outcomes(pictures, "asked-here.jsonl", *local, "--prompt", "a photo of")
    assert len(set(usual.values())) > 1
    assert usual != asked


@pytest.fixture(scope="module")
def blip(tmp_path_factory):
    pytest.importorskip("transformers", reason="needs the extra local")
    from captioners import tiny_families

    return tiny_families.blip(tmp_path_factory.mktemp("weights") / "tiny-blip")


def test_models_are_listed_without_the_version_too(service):
    """Our own fields stand beside those of OpenAI's list."""
    with openai.OpenAI(base_url=service.url, api_key="any", max_retries=0) as client:
        listed = [model.id for model in client.models.list()]
    assert listed == [model["id"] for model in service.client.get("/v1/models").json()["data"]]
    assert listed
    assert service.client.get("/models").json()["models"][0]["ready"]


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/models/pixels"])
def test_a_base_url_without_its_version_is_corrected(service, path):
    found = httpx.request("GET" if path.startswith("/models") else "POST", service.url + path, json={})
    assert found.status_code == 404
    assert found.json()["error"]["type"] == "invalid_request_error"
    assert f"{service.url}/v1" in found.json()["error"]["message"]
    assert "detail" in httpx.get(service.url + "/nothing").json()
