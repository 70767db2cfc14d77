"""Several keys with names, changed while the service runs; pages of results; a full disk; a stop with streams."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
import time

import httpx
import pytest
from serving import Service, free_port, png

from processes import PATIENCE, cutline, wait_until


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("keys")
    keys = folder / "keys"
    keys.write_text("# who: key\nalice: key-of-alice\nbob = key-of-bob-1\nbob: key-of-bob-2\n")
    with Service("--model", "fake", "--api-keys-file", keys, "--access-log", cwd=folder) as service:
        service.keys = keys
        yield service


def status(service, key):
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    return httpx.get(f"{service.url}/models", headers=headers, trust_env=False).status_code


def test_each_key_works_and_the_log_names_it(service):
    assert [status(service, f"key-of-{name}") for name in ("alice", "bob-1", "bob-2", "eve")] == [
        200,
        200,
        200,
        401,
    ]
    assert status(service, "") == 401
    assert status(service, "alice") == 401
    wait_until(lambda: service.log.count("key=bob") == 2)
    assert "key=alice" in service.log
    assert "key-of" not in service.log


def test_a_key_is_changed_without_a_restart(service):
    service.keys.write_text("bob: key-of-bob-2\ncarol: key-of-carol\n")
    wait_until(lambda: status(service, "key-of-carol") == 200)
    assert [status(service, f"key-of-{name}") for name in ("alice", "bob-1", "bob-2")] == [401, 401, 200]
    service.keys.write_text("nonsense with-a-secret\n")
    wait_until(lambda: status(service, "key-of-bob-2") == 200 and "keys not read again" in service.log)
    assert "with-a-secret" not in service.log
    assert "key-of" not in service.log


@pytest.mark.parametrize("text", ["", "# nothing\n", "key-without-name\n", "name: two words\n"])
def test_a_file_that_cannot_be_used_is_one_line(tmp_path, text):
    (tmp_path / "keys").write_text(text)
    ran = cutline("serve", "--api-keys-file", "keys", "--port", free_port(), cwd=tmp_path)
    assert ran.returncode == 2
    assert len(ran.stderr.splitlines()) == 1
    assert "key-without-name" not in ran.stderr


def test_such_keys_open_other_addresses(tmp_path):
    ran = cutline(
        "serve", "--host", "0.0.0.0", "--api-keys-file", "gone", "--port", free_port(), cwd=tmp_path
    )
    assert (ran.returncode, "the file of --api-keys-file gone does not exist" in ran.stderr) == (2, True)


def test_results_come_in_pages_of_json_lines(tmp_path):
    with Service("--model", "fake", cwd=tmp_path) as service:
        files = [("images", (f"{number}.png", png(number))) for number in range(25)]
        task = service.client.post("/async-batch-caption", files=files).json()["task_id"]
        whole = service.ended(task)["results"]
        found, after = [], {}
        while True:
            page = service.client.get(f"/task/{task}/results", params={"limit": 10, **after})
            assert page.headers["content-type"] == "application/jsonl"
            lines = page.text.splitlines()
            assert len(lines) <= 10
            found += map(json.loads, lines)
            if "x-next-after" not in page.headers:
                break
            after = {"after": page.headers["x-next-after"]}
        assert found == whole
        assert service.client.get(f"/task/{'0' * 32}/results").status_code == 404


def test_a_stop_ends_streams_with_an_error_and_in_time(tmp_path):
    with Service("--model", "fake:latency=600,slots=4", cwd=tmp_path) as service:
        files = [("images", (f"{number}.png", png(number))) for number in range(8)]
        task = service.client.post("/async-batch-caption", files=files).json()["task_id"]
        lines = []

        def watch():
            with httpx.stream(
                "GET", f"{service.url}/task/{task}/events", timeout=PATIENCE, trust_env=False
            ) as stream:
                lines.extend(stream.iter_lines())

        watching = threading.Thread(target=watch)
        watching.start()
        wait_until(lambda: service.task(task)["status"] == "in_progress" and lines)
        service.client.close()
        began = time.monotonic()
        service.stop()
        assert time.monotonic() - began < 60, "ten seconds on a machine with nothing else to do"
        watching.join(PATIENCE)
        assert "event: error" in lines
        assert any("the service is stopping" in line for line in lines)


MOUNTED = ["unshare", "--map-root-user", "--mount"]


def test_a_full_temporary_disk_is_told(tmp_path):
    if (
        not shutil.which("unshare")
        or subprocess.run([*MOUNTED, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("needs the program unshare")
    small = tmp_path / "small"
    small.mkdir()

    class Mounted(Service):
        def start(self):
            script = f'mount -t tmpfs -o size=3m none {small} && exec "$@"'
            if self._command[0] != "unshare":
                self._command = [*MOUNTED, "sh", "-c", script, "sh", *self._command]
            super().start()

    with Mounted("--model", "fake", cwd=tmp_path, env={"TMPDIR": str(small)}) as service:
        ready = service.client.get("/ready")
        assert (ready.status_code, "temporary disk is full" in ready.json()["detail"]) == (503, True)
        answer = service.client.post("/caption", files={"image": os.urandom(8_000_000)})
        assert answer.status_code == 507
        assert answer.headers["retry-after"]
        assert "temporary disk full" in service.log
        assert "Traceback" not in service.log
        assert service.client.post("/caption", files={"image": png(1)}).status_code == 200
