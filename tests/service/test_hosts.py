"""Several services on one PostgreSQL behind nginx, as the page on several hosts describes it."""

from __future__ import annotations

import contextlib
import json
import threading

import httpx
import nginx
import pytest
from postgres import new_database
from serving import Service, png

from processes import PATIENCE, Endpoint, cutline, wait_until

KEY = "key-of-all-hosts"
ENV = {"CUTLINE_SERVICE_KEY": KEY, "CUTLINE_LEASE_SECONDS": "1.5"}


@pytest.fixture(scope="module")
def endpoint():
    with Endpoint(latency=0.1, slots=64) as started:
        yield started


@pytest.fixture
def hosts(postgres_server, endpoint, tmp_path):
    """Two services on one database, and a client of the proxy before them."""
    endpoint.configure(latency=0.1)
    url = new_database(postgres_server, f"hosts_{tmp_path.name}")
    arguments = ("--endpoint", endpoint.url, "--model", "test", "--store", url, "--keep-alive", "75")
    folders = [tmp_path / name for name in ("a", "b", "proxy")]
    for folder in folders:
        folder.mkdir()
    with contextlib.ExitStack() as stack:
        services = [stack.enter_context(Service(*arguments, cwd=folder, env=ENV)) for folder in folders[:2]]
        for service in services:
            service.client.headers["X-API-Key"] = KEY
        address = stack.enter_context(nginx.running(folders[2], [service.port for service in services]))
        client = stack.enter_context(
            httpx.Client(base_url=address, headers={"X-API-Key": KEY}, timeout=PATIENCE, trust_env=False)
        )
        yield services, client


def submit(client, numbers):
    files = [("images", (f"{number}.png", png(number), "image/png")) for number in numbers]
    answer = client.post("/async-batch-caption", files=files)
    assert answer.status_code == 202, answer.text
    return answer.json()["task_id"]


def status(client, task):
    answer = client.get(f"/task-status/{task}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def check_ended(client, task, numbers):
    """Each picture once, in its order, with a caption."""
    wait_until(lambda: status(client, task)["status"] not in {"queued", "in_progress"})
    made = status(client, task)
    assert (made["status"], made["captioned"]) == ("completed", len(numbers))
    assert [result["image_path"] for result in made["results"]] == [f"{number}.png" for number in numbers]


def test_jobs_of_a_host_that_is_killed_are_finished_by_the_other(hosts, endpoint):
    (dying, other), client = hosts
    jobs = {}
    for number, through in enumerate((dying.client, client, dying.client, client)):
        numbers = list(range(50_000 + number * 40, 50_040 + number * 40))
        jobs[submit(through, numbers)] = numbers
    first = next(iter(jobs))
    before = endpoint.stats()
    wait_until(lambda: status(other.client, first)["captioned"] >= 4)
    dying.kill()
    for task, numbers in jobs.items():
        check_ended(client, task, numbers)
    stats = endpoint.stats()
    assert stats["pictures"] - before["pictures"] <= 160
    assert stats["twice"] - before["twice"] <= 64, "only what was before the model is captioned again"


def test_clients_of_the_proxy_do_not_notice_that_a_host_dies(hosts):
    """Requests under way go to the other host, and jobs that were sent on twice are one."""
    (dying, other), client = hosts
    captions, tasks = [], []

    def ask(numbers):
        for number in numbers:
            answer = client.post("/caption", files={"image": (f"{number}.png", png(number), "image/png")})
            captions.append((answer.status_code, answer.text))
            tasks.append((submit(client, [10_000 + number]), 10_000 + number))

    threads = [threading.Thread(target=ask, args=(range(part, part + 15),)) for part in range(0, 120, 15)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(captions) >= 24)
    dying.kill()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(captions) == len(tasks) == 120
    assert {code for code, _ in captions} == {200}, [text for code, text in captions if code != 200]
    assert len({json.loads(text)["caption"] for _, text in captions}) == 120, "each has its own"
    for task, number in tasks:
        check_ended(client, task, [number])
    listed = other.client.get("/tasks", params={"limit": 1000}).json()["tasks"]
    assert sorted(one["task_id"] for one in listed) == sorted(task for task, _ in tasks)


def test_a_job_is_seen_and_cancelled_through_any_host(hosts, endpoint):
    (one, other), client = hosts
    endpoint.configure(latency=30)
    task = submit(one.client, range(200))
    assert status(other.client, task)["total"] == 200
    assert client.delete(f"/task/{task}").status_code == 200
    wait_until(lambda: status(one.client, task)["status"] == "cancelled")


def test_the_option_of_a_cluster_names_the_page():
    done = cutline("serve", "--engine", "ray")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert f"docs/{nginx.PAGE.name}" in done.stderr
