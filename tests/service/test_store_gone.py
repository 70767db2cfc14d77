"""The queue's database cannot be reached for a while: captions continue, the rest is told to come again."""

from __future__ import annotations

import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest
from gate import Gate
from postgres import new_database
from serving import Service, png

from processes import wait_until

PASSWORD = "rosebud-7"


def counted(service: Service) -> dict[str, str]:
    lines = service.client.get("/metrics").text.splitlines()
    return dict(line.split() for line in lines if line.startswith(("cutline_store_up", "cutline_queued")))


def files(numbers):
    return [("images", (f"{number}.png", png(number))) for number in numbers]


def follow(service, task):
    """The lines of a job's events, as they come."""
    lines = []

    def read():
        with httpx.stream("GET", f"{service.url}/task/{task}/events", timeout=60, trust_env=False) as stream:
            lines.extend(stream.iter_lines())

    threading.Thread(target=read, daemon=True).start()
    return lines


@pytest.fixture
def gate(postgres_server):
    with Gate(urlsplit(postgres_server).port) as gate:
        yield gate


def test_what_needs_no_queue_goes_on_and_the_rest_recovers(postgres_server, gate, tmp_path):
    name = new_database(postgres_server, f"gone_{time.time_ns()}").rpartition("/")[2]
    store = f"postgresql://cutline:{PASSWORD}@127.0.0.1:{gate.port}/{name}"
    env = {"CUTLINE_STORE": store, "CUTLINE_LEASE_SECONDS": "3"}
    with Service("--model", "fake:latency=0.1,slots=4", cwd=tmp_path, env=env) as service:
        assert counted(service) == {"cutline_queued_pictures": "0.0", "cutline_store_up": "1.0"}
        task = service.client.post("/async-batch-caption", files=files(range(100))).json()["task_id"]
        wait_until(lambda: service.task(task)["captioned"] > 4)
        assert 0 < float(counted(service)["cutline_queued_pictures"]) < 100

        events = follow(service, task)
        wait_until(lambda: events)
        gate.shut()
        for method, path in (
            ("GET", "/ready"),
            ("GET", f"/task-status/{task}"),
            ("GET", "/tasks"),
            ("DELETE", f"/task/{task}"),
            ("GET", f"/task/{task}/events"),
            ("POST", "/async-batch-caption"),
        ):
            answer = service.client.request(method, path, files=files([1]) if method == "POST" else None)
            assert answer.status_code == 503, (path, answer.text)
            assert int(answer.headers["Retry-After"]) >= 1
            assert answer.json() == {"detail": "the queue is not available now"}
        assert service.client.get("/health").status_code == 200
        assert service.client.post("/caption", files={"image": ("a.png", png(1))}).status_code == 200
        assert counted(service) == {"cutline_queued_pictures": "NaN", "cutline_store_up": "0.0"}

        gate.open()
        wait_until(lambda: service.client.get("/ready").status_code == 200)
        ended = service.ended(task)
        assert (ended["status"], ended["captioned"]) == ("completed", 100)
        assert [one["image_path"] for one in ended["results"]] == [f"{number}.png" for number in range(100)]
        assert counted(service) == {"cutline_queued_pictures": "0.0", "cutline_store_up": "1.0"}
        again = service.client.post("/async-batch-caption", files=files([1, 2]))
        assert service.ended(again.json()["task_id"])["captioned"] == 2
        wait_until(lambda: "event: end" in events)  # whoever follows a job is not cut off by it
        log = service.log
    assert "Traceback" not in log
    assert "cause=connection failed: " in log
    assert PASSWORD not in log


def test_a_database_that_hangs_keeps_nobody_waiting_for_long(postgres_server, gate, tmp_path):
    name = new_database(postgres_server, f"hangs_{time.time_ns()}").rpartition("/")[2]
    store = f"postgresql://cutline@127.0.0.1:{gate.port}/{name}"
    with Service("--model", "fake:latency=0.1,slots=4", "--store", store, cwd=tmp_path) as service:
        task = service.client.post("/async-batch-caption", files=files(range(60))).json()["task_id"]
        wait_until(lambda: service.task(task)["captioned"] > 4)
        gate.freeze()
        for _ in range(5):  # more than there are threads for it
            began = time.monotonic()
            assert service.client.get("/ready").status_code == 503
            assert time.monotonic() - began < 50
        assert service.client.post("/caption", files={"image": ("a.png", png(1))}).status_code == 200
        gate.thaw()
        wait_until(lambda: service.client.get("/ready").status_code == 200)
        assert service.ended(task)["captioned"] == 60
