"""Jobs over HTTP, as clients of a running service see them."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from serving import Service, free_port, png

from processes import Endpoint, cutline, wait_until

SLOW = "fake:latency=600,slots=2"


def uploads(numbers):
    return [("images", (f"{number}.png", png(number), "image/png")) for number in numbers]


def submit(service, numbers, *, data=None, headers=None):
    answer = service.client.post("/async-batch-caption", files=uploads(numbers), data=data, headers=headers)
    assert answer.status_code == 202, answer.text
    return answer.json()["task_id"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    pictures = tmp_path_factory.mktemp("pictures")
    for number in range(6):
        (pictures / f"{number}.png").write_bytes(png(number))
    return pictures


@pytest.fixture(scope="module")
def service(folder, tmp_path_factory):
    home = tmp_path_factory.mktemp("service")
    with Service("--model", "fake:latency=0.01", "--image-root", folder, cwd=home) as running:
        yield running


@pytest.fixture(scope="module")
def slow(tmp_path_factory):
    """A model that takes ten minutes over each picture, and two at a time."""
    with Service(
        "--model", SLOW, cwd=tmp_path_factory.mktemp("slow"), env={"CUTLINE_MAX_QUEUED": "40"}
    ) as running:
        yield running


def test_paths_and_uploads_end_with_the_same_captions_in_order(service):
    names = ["3.png", "none.png", "0.png", "../secret.png", "5.png"]
    answer = service.client.post("/async-batch-caption", json={"image_paths": names})
    assert answer.status_code == 202
    assert answer.json().keys() == {"message", "task_id"}
    task = service.ended(answer.json()["task_id"])
    counts = [task[name] for name in ("status", "total", "captioned", "failed", "remaining")]
    assert counts == ["completed", 5, 3, 2, 0]
    assert [result["image_path"] for result in task["results"]] == names
    assert [result["index"] for result in task["results"]] == list(range(5))
    kinds = [result.get("kind") for result in task["results"]]
    assert kinds == [None, "missing", None, "blocked-path", None]
    sent = service.ended(submit(service, [3, 0, 5]))
    assert [one["caption"] for one in sent["results"]] == [
        task["results"][place]["caption"] for place in (0, 2, 4)
    ]
    direct = service.client.post("/batch-caption", json={"image_paths": ["3.png"]}).json()[0]
    assert {**direct, "index": 0} == task["results"][0]


@pytest.mark.parametrize("path", ["/batch-caption", "/async-batch-caption"])
def test_base64_is_taken_as_uploads_are(service, path):
    encoded = [base64.b64encode(png(number)).decode() for number in (7, 8)]
    answer = service.client.post(
        path, json={"images_base64": [encoded[0], f"data:image/png;base64,{encoded[1]}"]}
    )
    assert answer.status_code in {200, 202}, answer.text
    told = answer.json() if path == "/batch-caption" else service.ended(answer.json()["task_id"])["results"]
    alone = [service.client.post("/caption", json={"image_base64": one}).json()["caption"] for one in encoded]
    assert [one["caption"] for one in told] == alone
    assert [one["image_path"] for one in told] == ["image-0", "image-1"]


def test_both_addresses_tell_the_same(service):
    task = submit(service, [1])
    service.ended(task)
    answers = [
        service.client.get(f"/{path}/{task}")
        for path in ("task-status", "async-batch-caption/status", "task")
    ]
    assert answers[0].json() == answers[1].json()
    assert answers[0].json()["task_id"] == task


@pytest.mark.parametrize("unknown", ["0" * 32, "x", "%00", "..%2f..", "ä"])
def test_unknown_tasks(service, unknown):
    for method, path in (
        ("GET", f"/task-status/{unknown}"),
        ("GET", f"/async-batch-caption/status/{unknown}"),
        ("GET", f"/task/{unknown}/events"),
        ("DELETE", f"/task/{unknown}"),
    ):
        answer = service.client.request(method, path)
        assert answer.status_code == 404, (method, path)
        assert answer.json().keys() == {"detail"}


def test_what_cannot_be_queued_is_refused_at_once(service):
    before = service.client.get("/tasks").json()
    post = service.client.post
    for answer in (
        post("/async-batch-caption", json={"image_paths": []}),
        post("/async-batch-caption", json={}),
        post("/async-batch-caption", json={"image_paths": ["0.png"], "image_urls": ["https://example.org/"]}),
        post("/async-batch-caption", json={"images_base64": ["AAAA", "no base64!"]}),
        post("/async-batch-caption", json={"image_paths": ["0.png"], "more": 1}),
        post("/async-batch-caption", json={"image_paths": ["0.png"], "max_tokens": 0}),
        post("/async-batch-caption", json={"image_paths": ["0.png"], "webhook_url": "https://example.org/"}),
        post("/async-batch-caption", files=uploads([1]), data={"webhook_url": "https://example.org/"}),
        post("/async-batch-caption", files=uploads([1]), data={"temperature": "warm"}),
        post("/async-batch-caption", files=uploads([1]), headers={"Idempotency-Key": "a b"}),
    ):
        assert answer.status_code == 422, answer.text
        assert answer.json().keys() == {"detail"}
    assert service.client.get("/tasks").json() == before


def test_options_hold_for_all_pictures_of_the_job(service):
    task = service.ended(submit(service, [1, 2], data={"prompt": "Name the colour.", "max_tokens": "20"}))
    asked = {result["prompt_id"] for result in task["results"]}
    plain = service.ended(submit(service, [1]))["results"][0]["prompt_id"]
    assert len(asked) == 1
    assert plain not in asked


def test_jobs_are_listed_in_pages_newest_first(service):
    made = []
    for number in range(5):
        made.append(submit(service, [number]))
        time.sleep(0.002)
    newest = made[::-1]
    first = service.client.get("/tasks", params={"limit": 2}).json()
    assert [task["task_id"] for task in first["tasks"]] == newest[:2]
    second = service.client.get("/tasks", params={"limit": 3, "before": first["next"]}).json()
    assert [task["task_id"] for task in second["tasks"]] == newest[2:]
    seen, before = [], None
    while True:
        page = service.client.get(
            "/tasks", params={"limit": 2} | ({"before": before} if before else {})
        ).json()
        seen += [task["task_id"] for task in page["tasks"]]
        if (before := page["next"]) is None:
            break
    assert len(seen) == len(set(seen))
    assert set(made) <= set(seen)
    for wrong in ({"limit": 0}, {"limit": 10_000}, {"before": "x"}):
        assert service.client.get("/tasks", params=wrong).status_code == 422


def test_fifty_requests_with_one_key_are_one_job(service):
    with ThreadPoolExecutor(50) as threads, httpx.Client(base_url=service.url, timeout=60) as client:

        def post(_):
            return client.post(
                "/async-batch-caption", files=uploads([7, 8]), headers={"Idempotency-Key": "one"}
            )

        answers = list(threads.map(post, range(50)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["task_id"] for answer in answers}) == 1
    other = service.client.post(
        "/async-batch-caption", files=uploads([7]), headers={"Idempotency-Key": "one"}
    )
    assert other.status_code == 422
    assert "Idempotency-Key" in other.json()["detail"]


def test_a_job_that_the_queue_never_has_room_for_is_too_large(slow):
    """Else its client would come again for ever."""
    answer = slow.client.post("/async-batch-caption", files=uploads(range(41)))
    assert answer.status_code == 413
    assert answer.json()["detail"] == "at most 40 pictures can be in the queue: split the job"


def test_a_full_queue_says_when_to_come_again(slow):
    task = submit(slow, range(40))
    full = slow.client.post("/async-batch-caption", files=uploads([99]))
    assert full.status_code == 429
    assert int(full.headers["Retry-After"]) > 0
    assert slow.client.delete(f"/task/{task}").status_code == 200
    slow.client.delete(f"/task/{submit(slow, [99])}")


def test_cancelling_frees_the_models_places(slow):
    task = submit(slow, range(30))
    wait_until(lambda: slow.task(task)["status"] == "in_progress")
    answer = slow.client.delete(f"/task/{task}")
    assert (answer.status_code, answer.json()["status"], answer.json()["remaining"]) == (200, "cancelled", 0)
    wait_until(lambda: slots_in_use(slow) == 0)
    assert slow.client.delete(f"/task/{task}").status_code == 200
    assert slow.task(task)["results"] == []


def slots_in_use(service):
    lines = service.client.get("/metrics").text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith("cutline_slots_in_use"))


def test_an_ended_job_cannot_be_cancelled(service):
    task = submit(service, [1])
    service.ended(task)
    assert service.client.delete(f"/task/{task}").status_code == 409


def test_a_client_that_goes_away_frees_its_place(slow):
    def ask():
        with (
            contextlib.suppress(httpx.TimeoutException),
            httpx.Client(base_url=slow.url, timeout=2) as client,
        ):
            client.post("/caption", files={"image": ("1.png", png(1))})

    asking = [threading.Thread(target=ask) for _ in range(2)]
    for one in asking:
        one.start()
    wait_until(lambda: slots_in_use(slow) == 2)
    for one in asking:
        one.join()
    wait_until(lambda: slots_in_use(slow) == 0)


def events_of(response):
    """Pairs of an event's name and its data."""
    name = None
    for line in response.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def test_progress_is_told_until_the_end_and_again(tmp_path):
    with Service("--model", "fake:latency=0.3,slots=1", cwd=tmp_path) as running:
        task = submit(running, range(8))
        with running.client.stream("GET", f"/task/{task}/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            first, second, *_ = (data for _, data in zip("12", events_of(answer), strict=False))
            assert first[1]["captioned"] <= second[1]["captioned"]
        with running.client.stream("GET", f"/task/{task}/events") as answer:
            told = list(events_of(answer))
        assert [name for name, _ in told] == ["progress"] * (len(told) - 1) + ["end"]
        counts = [data["captioned"] for _, data in told]
        assert counts == sorted(counts)
        assert told[-1][1]["status"] == "completed"
        assert len(set(counts)) > 2
        with running.client.stream("GET", f"/task/{task}/events") as answer:
            assert [name for name, _ in events_of(answer)] == ["end"]


def test_results_expire(tmp_path):
    day = 86_400
    with Service("--model", "fake", cwd=tmp_path, env={"CUTLINE_KEEP_DAYS": str(0.5 / day)}) as running:
        task = submit(running, [1, 2])
        running.ended(task)
        running.kill()
        time.sleep(0.6)
        running.start()
        wait_until(lambda: running.client.get(f"/task-status/{task}").status_code == 404)
        assert running.client.get("/tasks").json()["tasks"] == []


def test_a_model_that_cannot_be_asked_delays_the_queue_and_fails_nothing(tmp_path):
    with Endpoint(key="right") as endpoint:
        options = ("--endpoint", endpoint.url, "--model", "test")
        with Service(*options, cwd=tmp_path, env={"CUTLINE_MODEL_KEY": "right"}) as running:
            running.ended(submit(running, range(10, 13)))
            endpoint.configure(key="other")  # as when a key is withdrawn from a service that has long used it
            task = submit(running, range(5))
            wait_until(lambda: "queue paused" in running.log)
            assert running.task(task)["status"] in {"queued", "in_progress"}
            endpoint.configure(key="right")
            state = running.ended(task)
            assert (state["status"], state["captioned"]) == ("completed", 5)


def test_a_store_that_cannot_be_opened_is_one_line(tmp_path):
    done = cutline("serve", "--model", "fake", "--store", "sqlite:///none/at/all.db", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "--store" in done.stderr


def test_services_of_two_models_do_not_share_a_file(tmp_path):
    """Else each would caption what was sent to the other: two services begun in one folder."""
    with (
        Service("--model", "fake:slots=2", cwd=tmp_path) as first,
        Service("--model", "fake:slots=2", cwd=tmp_path),
    ):
        other = ("serve", "--model", "pixels:no-ocr", "--port", free_port())
        done = cutline(*other, cwd=tmp_path)
        assert done.returncode == 2
        assert done.stderr.startswith(
            "cutline: --store sqlite:///cutline-jobs.db is in use by a service with the model fake:slots=2: "
        )
        assert done.stderr.count("\n") == 1
        first.kill()
        with Service("--model", "pixels:no-ocr", cwd=tmp_path) as changed:
            assert changed.client.get("/ready").json()["model"] == "pixels:no-ocr"


def test_real_photos_with_the_embedded_model(shared_data, tmp_path):
    photos = sorted(
        path for path in (shared_data / "photos-skimage").iterdir() if path.suffix in {".png", ".jpg"}
    )[:4]
    with Service("--image-root", shared_data, cwd=tmp_path) as running:
        names = [str(photo) for photo in photos]
        answer = running.client.post("/async-batch-caption", json={"image_paths": names})
        results = running.ended(answer.json()["task_id"])["results"]
        assert [result["image_path"] for result in results] == names
        assert len({result["caption"] for result in results}) == len(names)
        assert all(len(result["caption"].split()) > 5 for result in results)


def test_jobs_use_all_that_an_endpoint_turns_out_to_take(tmp_path):
    """At the start nobody knows that it takes 64 at once."""
    with Endpoint(latency=0.2, slots=64) as endpoint:
        options = ("--endpoint", endpoint.url, "--model", "test")
        with Service(*options, cwd=tmp_path) as running:
            tasks = [submit(running, range(start, start + 300)) for start in range(0, 1200, 300)]
            for task in tasks:
                assert running.ended(task)["captioned"] == 300
            stats = endpoint.stats()
    assert stats["twice"] == 0
    assert stats["most_in_flight"] > 48, stats


def test_jobs_and_callers_keep_to_the_number_of_requests_that_is_given(tmp_path):
    with Endpoint(latency=0.1, slots=64) as endpoint:
        options = ("--endpoint", endpoint.url, "--model", "test", "--max-concurrent-requests", "3")
        with Service(*options, cwd=tmp_path) as running:
            task = submit(running, range(40))
            assert running.client.post("/caption", files={"image": png(77)}).status_code == 200
            assert running.ended(task)["captioned"] == 40
            assert endpoint.stats()["most_in_flight"] == 3
