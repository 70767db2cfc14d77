"""`cutline.Client` and `cutline.AsyncClient` against a service as its users run it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import pickle
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from serving import Service, free_port, png

import cutline
from cutline.client import TaskProgress
from cutline.errors import ConfigError, EndpointUnusable, PictureError, Rejected, Retryable
from processes import wait_until


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    (folder / "pictures").mkdir()
    for number in range(4):
        (folder / "pictures" / f"{number}.png").write_bytes(png(number))
    with Service("--model", "pixels:no-ocr", "--image-root", "pictures", cwd=folder) as running:
        running.folder = folder
        yield running


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    with Service("--model", "fake:latency=0.2,slots=2", cwd=tmp_path_factory.mktemp("slow")) as running:
        yield running


@pytest.fixture
def client(service):
    with cutline.Client(service.url) as made:
        yield made


def test_a_picture_is_captioned_wherever_it_is(client, service):
    there = service.folder / "pictures" / "1.png"
    texts = {
        client.caption(picture).caption
        for picture in (there, str(there), there.read_bytes(), cutline.ServerPath("1.png"))
    }
    assert len(texts) == 1
    assert texts.pop()
    described = client.caption(there, prompt="short")
    assert described.image == str(there)
    assert described.model == "pixels:no-ocr"
    assert described.error is None


def test_options_are_sent(client):
    schema = {"type": "object", "properties": {"caption": {"type": "string"}}, "required": ["caption"]}
    described = client.caption(png(3), schema=schema)
    assert set(described.fields) == {"caption"}
    with pytest.raises(Rejected, match="does not follow instructions") as caught:
        client.caption(png(3), system_prompt="Be brief.")
    assert caught.value.status == 422


@pytest.mark.parametrize(
    ("picture", "error", "words"),
    [
        ("no/such.png", PictureError, "no/such.png: there is no such file"),
        (__file__, Rejected, r"^\S+/test_client\.py: http://\S+ responded 415: not a picture"),
        (b"no picture", Rejected, "^http://.* 415: not a picture of a known format"),
        (cutline.ServerPath("gone.png"), Rejected, "^gone.png: http.*no such picture"),
        (
            "http://127.0.0.1:9/a.png?s3cret",
            Rejected,
            "^http://127.0.0.1:9/a.png: http.* 422: the picture could not be fetched",
        ),
        (7, ConfigError, "a int is not a picture"),
    ],
)
def test_a_picture_without_caption_is_an_error_that_says_why(client, picture, error, words):
    with pytest.raises(error, match=words):
        client.caption(picture)


def test_pictures_that_a_program_holds_are_uploaded(client):
    encoded = png(3)
    image = Image.open(io.BytesIO(encoded)).convert("RGB")
    forms = [encoded, image, np.asarray(image), io.BytesIO(encoded), memoryview(encoded)]
    (caption,) = {client.caption(form).caption for form in forms}
    assert [one.caption for one in client.batch(iter(forms))] == [caption] * len(forms)
    with pytest.raises(ConfigError, match=r"transpose\(1, 2, 0\)"):
        client.caption(np.zeros((3, 8, 8), np.uint8))
    with pytest.raises(ConfigError, match=r"\[picture\] for a single one"):
        client.batch(np.asarray(image))


def test_a_batch_keeps_its_order_and_each_picture_fails_by_itself(client, service):
    folder = service.folder / "pictures"
    mixed = [
        *(png(number) for number in range(70)),
        folder / "2.png",
        "http://127.0.0.1:9/a.png",
        cutline.ServerPath("3.png"),
        cutline.ServerPath("gone.png"),
        b"damaged",
        "no/such.png",
    ]
    found = client.batch(mixed, prompt="short")
    assert len(found) == len(mixed)
    assert [one.caption is not None for one in found] == [True] * 71 + [False, True, False, False, False]
    assert [one.kind for one in found[71:]] == ["fetch", None, "missing", "unsupported", "missing"]
    assert found[70].image == str(folder / "2.png")
    assert found[70].caption == found[2].caption
    assert all(one.error for one in found if one.caption is None)
    assert client.batch([]) == []


def test_a_batch_of_large_pictures_goes_in_requests_that_the_service_takes(tmp_path):
    rows = range(8)
    large = [png(number) + b" " * 1_000_000 for number in rows]  # what follows the picture is not looked at
    limit = {"CUTLINE_MAX_BODY": "20000000"}
    with (
        Service("--model", "fake", cwd=tmp_path, env=limit) as running,
        cutline.Client(running.url) as client,
    ):
        found = client.batch([data * 3 for data in large])
        with pytest.raises(
            ConfigError, match=r"24 MB.*20 MB.*split the job, use ServerPath, or raise CUTLINE_MAX_BODY"
        ):
            client.submit([data * 3 for data in large])
        assert running.client.get("/tasks").json()["tasks"] == [], "nothing was sent"
    assert len({one.caption for one in found}) == 8


def test_a_job_is_queued_watched_and_read(slow):
    pictures = [png(number) for number in range(6)]
    steps = []
    with cutline.Client(slow.url) as client:
        task = client.submit(pictures)
        assert client.status(task).total == 6
        ended = client.wait(task, steps.append)
        results = client.results(task)
        expected = client.batch(pictures)
    assert (ended.status, ended.captioned, ended.failed, ended.remaining) == ("completed", 6, 0, 0)
    assert steps[-1] == ended
    assert [step.captioned for step in steps] == sorted(step.captioned for step in steps)
    assert [one.caption for one in results] == [one.caption for one in expected]


def test_a_job_can_be_cancelled_once(slow):
    with cutline.Client(slow.url) as client:
        task = client.submit([png(number) for number in range(200)])
        assert client.cancel(task).status == "cancelled"
        ended = client.wait(task)
        assert ended.status == "cancelled"
        assert ended.captioned < 200
        assert (ended.captioned + ended.failed + ended.cancelled, ended.remaining) == (200, 0)
        short = client.submit([png(1)])
        client.wait(short)
        with pytest.raises(Rejected, match="already ended") as caught:
            client.cancel(short)
        assert caught.value.status == 409
        with pytest.raises(Rejected, match="no such task") as caught:
            client.status("0" * 32)
        assert caught.value.status == 404


def test_the_same_key_brings_the_same_job(slow):
    with cutline.Client(slow.url) as client:
        first, again = (client.submit([png(5)], idempotency_key="order-7") for _ in range(2))
        assert first == again
        assert client.submit([png(5)]) != client.submit([png(5)])


def test_a_job_of_paths_is_looked_up_by_the_server(client):
    task = client.submit([cutline.ServerPath("0.png"), cutline.ServerPath("gone.png")])
    assert client.wait(task).failed == 1
    there, gone = client.results(task)
    assert there.caption
    assert (gone.caption, gone.kind) == (None, "missing")


def test_a_job_of_urls_is_fetched_by_the_server(client):
    inner = ["http://127.0.0.1:1/a.png", "https://10.0.0.1/b.png"]  # which it does not do
    task = client.submit(inner)
    assert client.wait(task).status == "failed"
    assert [(one.image, one.kind) for one in client.results(task)] == [(url, "fetch") for url in inner]


def test_results_are_told_apart_by_name_and_place(client, service, monkeypatch, tmp_path):
    """Two files of one name in two folders, and names that a form must not change."""
    monkeypatch.chdir(tmp_path)
    names = ["a/1.png", "b/1.png", 'c/ö "x" 100%.png']
    for number, name in enumerate(names):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(number))
    task = client.submit(names)
    client.wait(task)
    assert [(one.index, one.image) for one in client.results(task)] == [*enumerate(names)]
    assert [(one.index, one.image) for one in client.batch(names)] == [*enumerate(names)]


def test_results_of_a_job_that_is_cut_short_can_be_matched(tmp_path):
    pictures = {f"folder/{number}.png": png(number) for number in range(6)}
    for name, data in pictures.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    sent = [str(tmp_path / name) for name in pictures]
    with (
        Service("--model", "fake:hang=0.5,slots=6", cwd=tmp_path) as running,
        cutline.Client(running.url) as client,
    ):
        task = client.submit(sent)
        wait_until(lambda: client.status(task).captioned > 0)
        client.cancel(task)
        done = client.results(task)
        expected = {one.image: one.caption for one in client.batch([one.image for one in done])}
    assert 0 < len(done) < 6
    assert {one.image: one.caption for one in done} == expected
    assert [sent[one.index] for one in done] == [one.image for one in done]


def test_what_cannot_be_one_job_is_refused_here(client):
    for pictures in (["https://example.org/a.png", png(1)], [png(1), cutline.ServerPath("0.png")]):
        with pytest.raises(ConfigError, match="submit them separately"):
            client.submit(pictures)
    with pytest.raises(ConfigError, match="no picture to submit"):
        client.submit([])
    with pytest.raises(ConfigError, match=r"1,001 pictures are too many.*CUTLINE_MAX_PICTURES"):
        client.submit([png(1)] * 1_001)
    for single in ("photos/a.png", png(1), Path("a.png")):
        for ask in (client.submit, client.batch):
            with pytest.raises(ConfigError, match="pass a list of pictures"):
                ask(single)


def test_a_closed_client_says_so(service):
    closed = cutline.Client(service.url)
    closed.close()
    closed.close()
    with pytest.raises(ConfigError, match="the client is closed"):
        closed.caption(png(1))

    async def ask():
        client = cutline.AsyncClient(service.url)
        await client.aclose()
        await client.caption(png(1))

    with pytest.raises(ConfigError, match="the client is closed"):
        asyncio.run(ask())


def test_the_asynchronous_client_has_many_requests_under_way(slow):
    async def ask():
        async with cutline.AsyncClient(slow.url) as client:
            assert await client.ready()
            pictures = [png(number) for number in range(6)]
            return await asyncio.gather(*(client.caption(picture) for picture in pictures))

    assert len({one.caption for one in asyncio.run(ask())}) == 6


def test_the_plain_client_works_where_a_loop_is_running(service):
    async def ask():
        with cutline.Client(service.url) as client:
            return client.caption(png(1)).caption

    assert asyncio.run(ask())


def test_ready_tells_whether_the_service_is_there(client):
    assert client.ready() is True
    with cutline.Client(f"http://127.0.0.1:{free_port()}") as nobody:
        assert nobody.ready() is False


def test_the_address_for_openais_clients_is_told_from_the_services_own(service):
    with cutline.Client(f"{service.url}/v1") as client, pytest.raises(Rejected) as caught:
        client.caption(png(1))
    assert str(caught.value).endswith(
        f"/v1 is the address for OpenAI's clients: the service itself is at {service.url}"
    )


def test_the_key_is_sent_and_never_shown(tmp_path, monkeypatch):
    monkeypatch.delenv("CUTLINE_SERVICE_KEY", raising=False)
    with Service(cwd=tmp_path, env={"CUTLINE_SERVICE_KEY": "s3cret-right"}) as running:
        with cutline.Client(running.url, api_key="s3cret-right") as client:
            assert client.caption(png(1)).caption
            assert "s3cret" not in repr(client) + repr(vars(client)) + repr(client._inner._transport._key)
        with cutline.Client(running.url, api_key="s3cret-wrong") as client:
            with pytest.raises(EndpointUnusable, match=r"401.*CUTLINE_SERVICE_KEY") as caught:
                client.caption(png(1))
            assert "s3cret" not in str(caught.value)
        short = cutline.Client(running.url, api_key="no")
        with short, pytest.raises(EndpointUnusable, match="401: the key is not accepted"):
            short.caption(png(1))
        monkeypatch.setenv("CUTLINE_SERVICE_KEY", "s3cret-right")
        with cutline.Client(running.url) as client:
            assert client.ready()


def test_nobody_there_is_said_in_one_line():
    url = f"http://127.0.0.1:{free_port()}"
    with cutline.Client(url, retries=0) as client, pytest.raises(Retryable) as caught:
        client.caption(png(1))
    assert str(caught.value) == f"cannot connect to {url}: is cutline serve running there?"
    with pytest.raises(ConfigError, match="not the URL of a service"):
        cutline.AsyncClient("localhost:8000")


@pytest.fixture
def busy():
    """A server that is busy twice, then answers; it notes when it was asked."""
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            busy = len(asked) < 3
            body = (
                b'{"detail": "come again"}'
                if busy
                else b'{"task_id": "a", "status": "completed", "total": 1, "captioned": 1, "failed": 0, "remaining": 0, "new": 1}'
            )
            self.send_response(429 if busy else 200)
            if busy:
                self.send_header("Retry-After", "0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_a_busy_service_is_asked_again_as_often_as_wished(busy):
    url, asked = busy
    with (
        cutline.Client(url, retries=1) as client,
        pytest.raises(Retryable, match="429: come again") as caught,
    ):
        client.status("a")
    assert (caught.value.status, caught.value.attempts, len(asked)) == (429, 2, 2)
    with cutline.Client(url, retries=1) as client:
        assert client.status("a").has_ended


def test_answers_are_values(client):
    described = client.caption(png(1))
    assert pickle.loads(pickle.dumps(described)) == described
    progress = TaskProgress(task_id="a", status="queued", total=1, captioned=0, failed=0, remaining=1)
    assert not progress.has_ended


@pytest.mark.parametrize("port", ["the service's", "nobody's"])
def test_a_client_that_nobody_closes_is_silent(service, port):
    url = service.url if port == "the service's" else f"http://127.0.0.1:{free_port()}"
    program = f"""
import asyncio, gc, cutline
def plain():
    client = cutline.Client({url!r}, retries=0)
    try:
        client.status("no-such-job")
    except cutline.CutlineError:
        print("failed")
    return client
async def asynchronous():
    client = cutline.AsyncClient({url!r}, retries=0)
    try:
        await client.status("no-such-job")
    except cutline.CutlineError:
        print("failed")
    return client
kept = plain(), asyncio.run(asynchronous())  # until the end
plain()
asyncio.run(asynchronous())
gc.collect()
"""
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["failed"] * 4, "")


def test_results_are_saved_as_a_table(service, client, tmp_path):
    task = client.submit([cutline.ServerPath("1.png"), cutline.ServerPath("gone.png")])
    client.wait(task)
    expected = client.results(task)
    for name in ("captions.csv", "captions.json", "captions.jsonl"):
        client.save_results(task, tmp_path / name)
    table = (tmp_path / "captions.csv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["caption"] for row in rows] == [expected[0].caption, ""]
    assert [row["kind"] for row in rows] == ["", "missing"]
    assert [row["index"] for row in rows] == ["0", "1"]
    array = json.loads((tmp_path / "captions.json").read_text("utf-8"))
    lines = (tmp_path / "captions.jsonl").read_text("utf-8").splitlines()
    assert array == [json.loads(line) for line in lines]
    assert [one["caption"] for one in array] == [one.caption for one in expected]


def test_results_are_saved_in_known_formats_only(client, tmp_path):
    with pytest.raises(ConfigError, match=r"end its name in one of \.csv, \.json, \.jsonl"):
        client.save_results("0" * 32, tmp_path / "captions.xlsx")
    with pytest.raises(Rejected, match="there is no such task"):
        client.save_results("0" * 32, tmp_path / "captions.csv")
    assert not list(tmp_path.iterdir())
