"""Services that are killed at random moments: every job that was answered 202 ends exactly once."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import sqlite3
import sys
import time

import httpx
import pytest
from postgres import new_database
from serving import Service, png
from sqlalchemy.exc import OperationalError

from cutline.service.app import create_app
from cutline.service.queue.leases import Leases
from cutline.service.queue.schema import Database
from cutline.service.queue.store import NewItem, NewJob, Store
from cutline.service.queue.worker import Worker
from cutline.service.settings import Settings
from processes import PATIENCE, Endpoint, wait_until

FAST_LEASES = {"CUTLINE_LEASE_SECONDS": "1.5"}


def submit(service, numbers):
    """The task of these pictures; None when the service died before it had answered."""
    files = [("images", (f"{number}.png", png(number), "image/png")) for number in numbers]
    try:
        answer = service.client.post("/async-batch-caption", files=files)
    except httpx.TransportError:
        return None
    assert answer.status_code == 202, answer.text
    return answer.json()["task_id"]


def check_whole(task, numbers, captions=None):
    """Every picture once, in the order in which it was sent, with its own caption."""
    assert [result for result in task["results"] if "error" in result] == []
    assert (task["status"], task["captioned"], task["failed"]) == ("completed", len(numbers), 0)
    assert [result["image_path"] for result in task["results"]] == [f"{number}.png" for number in numbers]
    assert [result["index"] for result in task["results"]] == list(range(len(numbers)))
    for number, result in zip(numbers, task["results"], strict=True):
        if captions is not None:
            assert captions.setdefault(number, result["caption"]) == result["caption"]


def all_done(service, tasks, seconds):
    end = time.monotonic() + seconds
    for task in tasks:
        service.ended(task, end - time.monotonic())


def kill_and_check(store_url, folder, *, jobs, pictures, kills):
    dice = random.Random(29)
    arguments = ("--model", "fake:latency=0.02", "--store", store_url)
    with Service(*arguments, cwd=folder, env=FAST_LEASES) as service:
        tasks = {}
        number = 0
        for _ in range(jobs):
            numbers = list(range(number, number + pictures))
            number += pictures
            tasks[submit(service, numbers)] = numbers
        for _ in range(kills):
            time.sleep(dice.uniform(0.0, 0.25))
            service.kill()
            service.start()
            numbers = [number]
            number += 1
            tasks[submit(service, numbers)] = numbers  # also what comes in between
        all_done(service, tasks, PATIENCE + jobs)
        captions = {}
        for task, numbers in tasks.items():
            check_whole(service.task(task), numbers, captions)
        assert len(set(captions.values())) == number, "each picture has its own"
        listed, before = [], None
        while True:
            page = service.client.get(
                "/tasks", params={"limit": 1000, **({"before": before} if before else {})}
            ).json()
            listed += [task["task_id"] for task in page["tasks"]]
            if (before := page["next"]) is None:
                break
        assert sorted(listed) == sorted(tasks)


def test_every_job_ends_once_after_two_kills(store_url, tmp_path):
    kill_and_check(store_url, tmp_path, jobs=15, pictures=10, kills=2)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_a_thousand_jobs_end_once_after_ten_kills(store_url, tmp_path):
    kill_and_check(store_url, tmp_path, jobs=1_000, pictures=5, kills=10)


def test_a_job_that_was_not_answered_is_whole_or_not_there(tmp_path):
    """Killed while jobs come in: what was answered is there, and nothing is half there."""
    with Service("--model", "fake:latency=0.02", cwd=tmp_path, env=FAST_LEASES) as service:
        answered = []
        service_dies_at = time.monotonic() + 0.4
        number = 0
        while time.monotonic() < service_dies_at:
            answered.append(submit(service, range(number, number + 20)))
            number += 20
        service.kill()
        service.start()
        listed = [
            task["task_id"] for task in service.client.get("/tasks", params={"limit": 1000}).json()["tasks"]
        ]
        assert set(answered) <= set(listed)
        all_done(service, listed, PATIENCE)
        assert {task["total"] for task in map(service.task, listed)} == {20}


def test_two_services_share_the_work_and_pay_for_each_picture_once(store_url, tmp_path):
    with Endpoint(latency=0.1, slots=64) as endpoint:
        arguments = ("--endpoint", endpoint.url, "--model", "test", "--store", store_url)
        with Service(*arguments, cwd=tmp_path) as one, Service(*arguments, cwd=tmp_path) as other:
            numbers = list(range(240))
            tasks = {
                submit((one, other)[place % 2], part): part for place, part in enumerate(chunks(numbers, 40))
            }
            for place, (task, part) in enumerate(tasks.items()):
                asked = (other, one)[place % 2]  # whoever is asked knows of it
                check_whole(asked.ended(task), part)
            assert endpoint.stats()["twice"] == 0
            assert endpoint.stats()["pictures"] == len(numbers)
            shares = [captioned_by(service) for service in (one, other)]
            assert sum(shares) == len(numbers)
            assert min(shares) > 20, shares


def chunks(numbers, size):
    return [numbers[start : start + size] for start in range(0, len(numbers), size)]


def captioned_by(service):
    lines = service.client.get("/metrics").text.splitlines()
    return sum(
        float(line.split()[-1])
        for line in lines
        if line.startswith('cutline_pictures_total{outcome="captioned"')
    )


def test_one_of_two_dies_and_the_other_goes_on(store_url, tmp_path):
    arguments = ("--model", "fake:latency=0.2,slots=4", "--store", store_url)
    with (
        Service(*arguments, cwd=tmp_path, env=FAST_LEASES) as dying,
        Service(*arguments, cwd=tmp_path, env=FAST_LEASES) as other,
    ):
        task = submit(dying, range(40))
        wait_until(lambda: dying.task(task)["captioned"] > 4)
        dying.kill()
        check_whole(other.ended(task), range(40))


def test_after_one_death_the_pictures_are_taken_up_together(tmp_path):
    """It says nothing about them: the power went, or somebody killed the service."""
    arguments = ("--model", "fake:latency=600,slots=8")
    with Service(*arguments, cwd=tmp_path, env=FAST_LEASES) as service:
        submit(service, range(12))
        wait_until(lambda: in_use(service) >= 8)
        service.kill()
        service.start()
        wait_until(lambda: in_use(service) >= 8)
        assert service.log.count("worker died") == 1
        assert "pictures=12 tried_alone=0 given_up=0" in service.log


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system does not identify its processes")
def test_the_next_service_does_not_wait_for_the_leases_of_one_that_is_gone(store_url, tmp_path):
    """Long leases, so that only that explains that it continues at once."""
    leases = {"CUTLINE_LEASE_SECONDS": "600"}
    arguments = ("--model", "fake:latency=600,slots=4", "--store", store_url)
    with (
        Service(*arguments, cwd=tmp_path, env=leases) as dying,
        Service(*arguments, cwd=tmp_path, env=leases) as alive,
    ):
        submit(dying, range(12))
        wait_until(lambda: in_use(dying) >= 4 and in_use(alive) >= 4)
        dying.kill()
        dying.start()
        wait_until(lambda: in_use(dying) >= 4)
        assert re.findall(r"worker died.* pictures=(\d+)", dying.log) == ["6"], "the others are not its own"
        assert in_use(alive) >= 4


def test_after_two_deaths_one_service_tries_them_alone_and_the_other_goes_on(store_url, tmp_path):
    arguments = ("--model", "fake:latency=600,slots=4", "--store", store_url)
    with Service(*arguments, cwd=tmp_path, env=FAST_LEASES) as service:
        submit(service, range(6))
        for _ in range(2):
            wait_until(lambda: in_use(service) >= 4)
            service.kill()
            service.start()
        wait_until(lambda: "pictures=6 tried_alone=6 given_up=0" in service.log)
        wait_until(lambda: in_use(service) == 1)
        submit(service, range(10, 20))
        with Service(*arguments, cwd=tmp_path, env=FAST_LEASES) as other:
            wait_until(lambda: in_use(other) >= 4)
            assert in_use(service) == 1


def test_a_job_is_cancelled_through_another_service(store_url, tmp_path):
    arguments = ("--model", "fake:latency=600,slots=4", "--store", store_url)
    with Service(*arguments, cwd=tmp_path) as working, Service(*arguments, cwd=tmp_path) as other:
        task = submit(working, range(40))
        wait_until(lambda: in_use(working) + in_use(other) >= 8)
        assert other.client.delete(f"/task/{task}").status_code == 200
        wait_until(lambda: in_use(working) + in_use(other) == 0)


def in_use(service):
    lines = service.client.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("cutline_slots_in_use"))


def test_stopping_gives_back_what_is_under_way(tmp_path):
    """Long leases, so that only giving back explains that the next one continues at once."""
    leases = {"CUTLINE_LEASE_SECONDS": "600"}
    arguments = ("--model", "fake:latency=0.3,slots=4")
    with Service(*arguments, cwd=tmp_path, env=leases) as service:
        task = submit(service, range(30))
        wait_until(lambda: service.task(task)["captioned"] > 4)
        service.stop()
        service.start()
        check_whole(service.ended(task), range(30))


def test_a_stopped_service_does_not_wait_for_a_slow_model(tmp_path):
    leases = {"CUTLINE_LEASE_SECONDS": "600"}
    with Service("--model", "fake:latency=600,slots=4", cwd=tmp_path, env=leases) as service:
        task = submit(service, range(10))
        wait_until(lambda: in_use(service) >= 4)
        service.stop()
        service.start()
        wait_until(lambda: in_use(service) >= 4)
        assert service.task(task)["remaining"] == 10


def test_who_watches_a_job_does_not_delay_the_end(tmp_path):
    with Service("--model", "fake:latency=1,slots=1", cwd=tmp_path) as service:
        task = submit(service, range(60))
        with service.client.stream("GET", f"/task/{task}/events") as answer:
            lines = answer.iter_lines()
            assert next(lines).startswith("event:")
            service.stop()
            assert "graceful shutdown exceeded" not in service.log, "the server waits for open answers"
            assert "event: end" not in list(lines)


def test_connections_that_break_lose_nothing(postgres_server, tmp_path):
    psycopg = pytest.importorskip("psycopg")
    url = new_database(postgres_server, "breaking")
    arguments = ("--model", "fake:latency=0.1,slots=8", "--store", url)
    with Service(*arguments, cwd=tmp_path, env=FAST_LEASES) as service:
        tasks = {submit(service, part): part for part in chunks(list(range(120)), 20)}
        with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
            broken = 0
            for _ in range(6):
                ended = connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'breaking'"
                )
                broken += ended.rowcount  # none, while the service waits before it connects again
                time.sleep(0.2)
        assert broken > 1
        for task, part in tasks.items():
            check_whole(service.ended(task), part)


def test_a_picture_that_workers_die_of_is_given_up(tmp_path):
    with Service("--model", "fake:latency=600", cwd=tmp_path, env=FAST_LEASES) as service:
        task = submit(service, range(2))
        wait_until(lambda: in_use(service) == 2)
        service.kill()
        with contextlib.closing(sqlite3.connect(tmp_path / "cutline-jobs.db")) as store, store:
            assert store.execute("UPDATE cutline_items SET attempts = 20 WHERE place = 1").rowcount == 1
        service.start()
        wait_until(lambda: service.task(task)["failed"] == 1)
        (result,) = service.task(task)["results"]
        assert (result["index"], result["kind"], service.task(task)["status"]) == (
            1,
            "captioner",
            "in_progress",
        )


DEADLY = """
import os, signal, time
from cutline import register_model

@register_model("deadly")
class Deadly:
    threads = 4

    def infer(self, prompt, image, image_name):
        if image.getpixel((0, 0))[0] in (2, 5):
            time.sleep(0.1)  # until others are under way
            os.kill(os.getpid(), signal.SIGKILL)
        return f"Picture {image.getpixel((0, 0))[0]}."
"""


def test_pictures_that_kill_their_worker_take_no_other_with_them(store_url, tmp_path):
    (tmp_path / "deadly.py").write_text(DEADLY)
    arguments = ("--model", "deadly", "--plugin", tmp_path / "deadly.py", "--workers", 2)
    with Service(*arguments, "--store", store_url, cwd=tmp_path, env=FAST_LEASES) as service:
        task = submit(service, range(8))
        task = again(service, task)
        kinds = {result["image_path"]: result.get("kind") for result in task["results"]}
        assert kinds == {f"{number}.png": "captioner" if number in (2, 5) else None for number in range(8)}
        assert "deadly" not in task["results"][2]["error"]
        assert "worker died, pictures taken over" in service.log


def again(service, task):
    """The task's end, while workers die under its client."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(httpx.TransportError):
            found = service.client.get(f"/task-status/{task}").json()
            if found["status"] not in {"queued", "in_progress"}:
                return found
        time.sleep(0.2)
    raise AssertionError(service.log)


def test_options_that_the_next_service_does_not_support_fail_with_their_reason(tmp_path):
    with Service("--model", "fake:latency=600", cwd=tmp_path) as service:
        files = [("images", ("0.png", png(0)))]
        answer = service.client.post("/async-batch-caption", files=files, data={"max_tokens": "500"})
        wait_until(lambda: in_use(service) == 1)
        service.stop()
    with Service("--model", "pixels:no-ocr", cwd=tmp_path) as service:
        task = service.ended(answer.json()["task_id"])
        assert task["status"] == "failed"
        assert task["results"][0]["kind"] == "wish"
        assert "max_tokens" in task["results"][0]["error"]


async def test_pictures_whose_claim_was_not_heard_of_are_given_back(store_url, tmp_path, monkeypatch):
    """The database did it, and the connection broke before it could say so."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(model="fake", store=store_url, lease_seconds=4)
    lost = []

    class Unheard(Leases):
        async def claim(self, limit):
            claimed = await super().claim(limit)
            if claimed and not lost:
                lost.extend(claimed)
                raise OperationalError("claim", {}, Exception("the connection broke"))
            return claimed

    app = create_app(settings)
    database = Database(settings.store)
    store = Store(database, max_waiting=settings.max_queued)
    leases = Unheard(database, seconds=settings.lease_seconds)
    worker = Worker(store, leases, app.state.service, app.state.pictures, keep_seconds=60)
    await asyncio.to_thread(database.prepare)
    worker.start()
    try:
        pictures = tuple(NewItem(name=f"{one}", kind="upload", data=png(one)) for one in range(3))
        task = await store.submit(NewJob(pictures=pictures, options=b"{}"))
        worker.wake()
        async with asyncio.timeout(PATIENCE):
            while (now := await store.job(task)).status != "completed":
                await asyncio.sleep(0.1)
        assert lost
        assert now.captioned == 3
    finally:
        await worker.aclose()
        await asyncio.to_thread(database.close)
