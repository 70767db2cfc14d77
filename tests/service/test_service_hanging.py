"""Servers that never answer: pictures there, and webhooks, hold up nothing else."""

from __future__ import annotations

import re
import threading
import time

import pytest
from listening import Silent
from serving import Service, png

SLOTS = 2


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hanging")
    arguments = ("--model", f"fake:latency=0.02,slots={SLOTS}", "--allow-private-urls")
    with Service(*arguments, cwd=folder) as service:
        yield service


def waiting_for_download(service, task):
    return service.task(task)["remaining"]


def test_urls_that_hang_hold_up_no_job(service):
    with Silent() as silent:
        urls = [f"http://{silent.host}/{number}.png" for number in range(300)]
        hanging = service.client.post("/async-batch-caption", json={"image_urls": urls}).json()["task_id"]
        time.sleep(0.5)
        files = [("images", (f"{number}.png", png(number))) for number in range(12)]
        task = service.client.post("/async-batch-caption", files=files).json()["task_id"]
        assert service.ended(task)["captioned"] == 12
        direct = service.client.post("/caption", files={"image": png(99)})
        assert direct.status_code == 200
        assert waiting_for_download(service, hanging) == 300, "the first of them gave up, and made room"
        assert len(silent.connections) <= 64
        service.client.delete(f"/task/{hanging}")


def test_urls_that_hang_hold_up_no_direct_request(service):
    with Silent() as silent:
        threads = [
            threading.Thread(
                target=service.client.post, args=("/caption",), kwargs={"json": {"image_url": url}}
            )
            for url in (f"http://{silent.host}/{number}.png" for number in range(20))
        ]
        for thread in threads:
            thread.start()
        time.sleep(0.5)
        assert service.client.post("/caption", files={"image": png(98)}).status_code == 200
        assert all(thread.is_alive() for thread in threads), "the first of them gave up, and made room"
    for thread in threads:
        thread.join()


def test_a_download_that_takes_all_the_time_of_a_request_is_no_fault_of_the_model(tmp_path):
    arguments = ("--model", "fake", "--allow-private-urls")
    env = {"CUTLINE_REQUEST_SECONDS": "1"}
    with Silent() as silent, Service(*arguments, cwd=tmp_path, env=env) as service:
        answer = service.client.post("/caption", json={"image_url": f"http://{silent.host}/1.png"})
        assert (answer.status_code, answer.json()["kind"]) == (422, "fetch")
        assert "could not be fetched" in answer.json()["detail"]
        assert re.search(rf"kind=fetch host={silent.host} cause=no time was left", service.log)
