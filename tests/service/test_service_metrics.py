"""/metrics: what Prometheus reads, in one process and in several."""

from __future__ import annotations

import base64
import json
import socket

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import Service, png

from processes import wait_until


def counted(service: Service) -> dict[tuple[str, ...], float]:
    text = service.client.get("/metrics").text
    return {
        (
            sample.name,
            *(value for name, value in sorted(sample.labels.items()) if name != "pid"),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_requests_pictures_and_tokens_are_counted(tmp_path):
    with Service("--model", "fake", cwd=tmp_path) as service:
        for number in range(3):
            service.client.post("/caption", files={"image": ("a.png", png(number))})
        service.client.post("/caption", json={"image_url": "file:///etc/passwd"})
        service.client.get("/nowhere/at/all")
        service.client.request("TRACE", "/caption")
        answer = service.client.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        numbers = counted(service)
    assert numbers["cutline_requests_total", "POST", "/caption", "200"] == 3
    assert numbers["cutline_pictures_total", "captioned"] == 3
    assert numbers["cutline_pictures_total", "bad-url"] == 1
    assert numbers["cutline_request_seconds_count", "/caption"] >= 4
    assert numbers["cutline_requests_total", "GET", "none", "404"] == 1
    assert numbers["cutline_requests_total", "other", "/caption", "405"] == 1
    assert numbers["cutline_tokens_total", "completion"] > 0
    assert "nowhere" not in answer.text, "a path can hold a name"


def test_slots_of_an_endpoint_are_the_limit_that_is_given(tmp_path, endpoint):
    model = ("--model", "far-model", "--endpoint", endpoint.url, "--max-concurrent-requests", 5)
    with Service(*model, cwd=tmp_path) as service:
        assert counted(service)["cutline_slots",] == 5
        assert service.client.get("/models").json()["models"][0]["slots"] == 5


@pytest.mark.parametrize("workers", [2])
def test_workers_count_together(tmp_path, workers):
    with Service("--model", "fake", "--workers", workers, cwd=tmp_path) as service:
        for number in range(20):
            assert service.client.post("/caption", files={"image": ("a.png", png(number))}).status_code == 200
            service.client.close()
            service.client = type(service.client)(base_url=service.url, trust_env=False)
        for _ in range(5):
            assert counted(service)["cutline_pictures_total", "captioned"] == 20
        wait_until(lambda: counted(service)["cutline_slots",] == 64 * workers, every=0.5)


def test_a_worker_that_was_killed_has_nothing_under_way(tmp_path):
    with Service("--model", "fake:latency=60", "--workers", 2, cwd=tmp_path) as service:
        wait_until(lambda: counted(service)["cutline_slots",] == 128)
        asked = start_asking(service)
        try:
            wait_until(lambda: counted(service)["cutline_slots_in_use",] == len(asked))
            workers = [
                one
                for one in psutil.Process(service.process.pid).children()
                if "spawn_main" in " ".join(one.cmdline())
            ]
            for worker in workers:
                worker.kill()
            wait_until(lambda: service.log.count("startup complete") == 4)
            service.client.close()
            service.client = type(service.client)(base_url=service.url, trust_env=False)
            wait_until(lambda: counted(service)["cutline_slots",] == 128)
            assert counted(service)["cutline_slots_in_use",] == 0
            assert counted(service)["cutline_waiting_requests",] == 0
        finally:
            for one in asked:
                one.close()


def start_asking(service: Service) -> list[socket.socket]:
    """Connections that wait for a caption."""
    body = json.dumps({"image_base64": base64.b64encode(png(1)).decode()}).encode()
    head = f"POST /caption HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    asked = [socket.create_connection(("127.0.0.1", service.port)) for _ in range(6)]
    for one in asked:
        one.sendall(head + body)
    return asked


def test_a_worker_that_cannot_begin_says_so_once(tmp_path):
    from processes import cutline

    ran = cutline("serve", "--model", "nonsense", "--workers", "2", "--port", "1", cwd=tmp_path)
    assert ran.returncode == 2
    assert "nonsense" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_the_queue_is_one_for_all_workers(tmp_path):
    with Service("--model", "fake:latency=60,slots=1", "--workers", 2, cwd=tmp_path) as service:
        files = [("images", (f"{number}.png", png(number))) for number in range(7)]
        assert service.client.post("/async-batch-caption", files=files).status_code == 202
        for _ in range(6):
            numbers = counted(service)
            assert (numbers["cutline_queued_pictures",], numbers["cutline_store_up",]) == (7, 1)
            service.client.close()
            service.client = type(service.client)(base_url=service.url, trust_env=False)
