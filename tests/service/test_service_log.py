"""What the log tells whoever runs a service, and what the counts say of the same pictures."""

from __future__ import annotations

import base64
import re

import psutil
import pytest
from serving import Service, png
from test_service_metrics import counted

from processes import PATIENCE, wait_until

KEY = "sesame-4711-open"
QUERY = "signature=4711-query"
PROMPT = "a-prompt-nobody-reads"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "open").mkdir()
    (tmp_path / "open" / "there.png").write_bytes(png(1))
    (tmp_path / "open" / "damaged.png").write_bytes(b"no picture at all")
    (tmp_path / "shut.png").write_bytes(png(2))
    return tmp_path


def failed(service: Service) -> list[str]:
    """The log's lines about pictures that failed."""
    return re.findall(r"(?:INFO|WARNING) cutline.service picture failed (.*)", service.log)


def test_the_place_of_the_store_is_told_at_the_start(folder):
    with Service("--model", "fake", cwd=folder) as service:
        assert f"queue store={folder / 'cutline-jobs.db'}\n" in service.log
    with Service("--model", "fake", "--store", "sqlite:///open/jobs.db", cwd=folder) as service:
        assert f"queue store={folder / 'open' / 'jobs.db'}\n" in service.log


def test_a_job_and_its_failures_are_told(folder):
    with Service("--model", "fake:rejected=0.5", "--image-root", "open", cwd=folder) as service:
        files = [("images", (f"private-{number}.png", png(number))) for number in range(12)]
        sent = {"files": files, "data": {"prompt": PROMPT}}
        task = service.client.post("/async-batch-caption", **sent).json()["task_id"]
        ended = service.ended(task)
        assert 0 < ended["failed"] < 12
        lines = [line for line in service.log.splitlines() if "job ended" in line]
        assert len(lines) == 1
        assert f"INFO cutline.service.queue job ended job={task} status=completed" in lines[0]
        assert f"captioned={ended['captioned']} failed={ended['failed']} cancelled=0 seconds=" in lines[0]
        places = [one["index"] for one in ended["results"] if one["caption"] is None]
        assert sorted(failed(service)) == sorted(
            f"kind=rejected job={task} index={place}" for place in places
        )
        for word in ("private", PROMPT):
            assert word not in service.log


def test_a_model_that_breaks_is_told_with_its_place_and_is_no_busy_server(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import os\nfrom cutline import register_model\n\n"
        "@register_model('mine')\nclass Mine:\n    threads = 2\n"
        "    def infer(self, prompt, image, image_name):\n"
        "        raise ValueError(f'no such layer 7 {image.tobytes()!r} {image_name}', os.environ['MINE_API_KEY'])\n"
    )
    options = {"cwd": tmp_path, "env": {"MINE_API_KEY": KEY}}
    with Service("--model", "mine", "--plugin", "mine.py", **options) as service:
        assert service.client.get("/models").json()["models"][0]["slots"] == 2
        files = {"image": ("private-picture.png", png(1))}
        answer = service.client.post("/caption", files=files)
        assert answer.status_code == 500
        assert "retry-after" not in answer.headers
        assert answer.json()["kind"] == "captioner"
        assert "layer" not in answer.text
        [line] = failed(service)
        assert line.startswith("kind=captioner cause=ValueError: ")
        assert "no such layer 7" in line
        assert line.endswith("(mine.py, line 8)")
        for word in ("private", KEY, r"\x"):
            assert word not in service.log


def test_a_cancelled_job_adds_up_and_is_told(tmp_path):
    with Service("--model", "fake:latency=60,slots=1", cwd=tmp_path) as service:
        files = [("images", (f"{number}.png", png(number))) for number in range(7)]
        task = service.client.post("/async-batch-caption", files=files).json()["task_id"]
        body = service.client.delete(f"/task/{task}").json()
        assert (body["cancelled"], body["remaining"], body["total"]) == (7, 0, 7)
        service.client.delete(f"/task/{task}")
        told = re.findall(
            f"job ended job={task} status=cancelled captioned=0 failed=0 cancelled=7", service.log
        )
        assert len(told) == 1


def test_pictures_are_counted_alike_on_every_route(folder):
    """Each of these ends as one failure of its kind, whichever way it came."""
    pictures = ["shut.png", "../shut.png", "gone.png", "damaged.png", "there.png"]
    expected = {"captioned": 1.0, "missing": 2.0, "unsupported": 1.0, "blocked-path": 1.0}
    counts = {}
    options = ("--model", "pixels:no-ocr", "--image-root", "open", "--log-level", "debug")
    for route in ("/caption", "/batch-caption", "/async-batch-caption"):
        with Service(*options, cwd=folder, env={"CUTLINE_STORE": f"sqlite:///{route[1:]}.db"}) as service:
            if route == "/caption":
                for picture in pictures:
                    service.client.post(route, json={"image_path": picture})
            else:
                answer = service.client.post(route, json={"image_paths": pictures}).json()
                if "task_id" in answer:
                    service.ended(answer["task_id"])
            numbers = counted(service)
            counts[route] = {
                name[1]: value for name, value in numbers.items() if name[0] == "cutline_pictures_total"
            }
            assert len(failed(service)) == 4
            assert "picture=../shut.png" in service.log, "at debug the names are told"
    assert counts == dict.fromkeys(counts, expected)


def test_refusals_are_told_at_debug_and_hold_nothing_secret(folder):
    options = ("--model", "fake", "--log-level", "debug")
    with Service(*options, cwd=folder, env={"CUTLINE_SERVICE_KEY": KEY}) as service:
        keyed = {"X-API-Key": KEY}
        service.client.get(f"/task-status/{'0' * 32}", headers=keyed)
        assert service.client.get(f"/tasks?{QUERY}", headers=keyed).status_code == 422
        service.client.post(
            "/caption", json={"image_url": f"http://u:{KEY}@127.0.0.1/a.png?{QUERY}"}, headers=keyed
        )
        picture = base64.b64encode(png(1)).decode()
        body = {"image_base64": picture, "prompt": PROMPT, "chain": PROMPT}
        assert service.client.post("/caption", json=body, headers=keyed).status_code == 422
        assert service.client.get("/tasks").status_code == 401
        assert "request refused method=GET route=/task-status/{task_id} status=404" in service.log
        assert "request refused method=POST route=/caption status=422" in service.log
        # Written when the answer is out.
        wait_until(lambda: "request refused method=GET route=none status=401" in service.log)
        assert re.search(
            r"picture failed kind=\S+ picture=http\S*127.0.0.1/a.png host=127.0.0.1 cause=.*password in it\n",
            service.log,
        )
        for word in (KEY, QUERY, PROMPT):
            assert word not in service.log


def test_a_process_that_died_is_told(tmp_path):
    leases = {"CUTLINE_LEASE_SECONDS": "7.5"}
    with Service("--model", "fake", "--workers", 2, cwd=tmp_path, env=leases) as service:
        wait_until(lambda: service.log.count("startup complete") == 2)
        worker = next(
            child
            for child in psutil.Process(service.process.pid).children()
            if "spawn_main" in " ".join(child.cmdline())
        )
        worker.kill()
        said = f"Child process [{worker.pid}] died; other workers take over its pictures within 7.5 s\n"
        wait_until(lambda: f"WARNING uvicorn.error {said}" in service.log)
        wait_until(lambda: service.log.count("startup complete") == 3)


@pytest.mark.parametrize("options", [("--workers", 2), ("--reload",)])
def test_no_process_outlives_the_one_that_watches_over_it(tmp_path, options):
    """A worker that stayed would hold the port, and the service could not be started again."""
    with Service("--model", "fake", *options, cwd=tmp_path) as service:
        processes = psutil.Process(service.process.pid).children(recursive=True)
        assert processes
        service.kill()
        _, alive = psutil.wait_procs(processes, timeout=PATIENCE)
        assert not alive
        service.start()
        assert service.client.get("/ready").status_code == 200


def test_pictures_of_a_service_that_died_are_told_to_be_taken_up(tmp_path):
    leases = {"CUTLINE_LEASE_SECONDS": "1"}
    with Service("--model", "fake:latency=60,slots=2", cwd=tmp_path, env=leases) as service:
        service.client.post("/async-batch-caption", files={"images": png(1)})
        wait_until(lambda: counted(service)["cutline_slots_in_use",] == 1)
        service.kill()
        service.start()
        wait_until(
            lambda: (
                "WARNING cutline.service.queue worker died, pictures taken over "
                "pictures=1 tried_alone=0 given_up=0 lease_seconds=1\n" in service.log
            )
        )
