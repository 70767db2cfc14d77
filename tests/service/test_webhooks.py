"""Clients that are told of the end of their job: signed, again until it is taken, and nowhere else."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import re
import socket
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import standardwebhooks
from listening import Listening, Silent
from serving import Service, free_port, png

from cutline.errors import ConfigError
from cutline.service.queue.webhooks import check_address, signature
from cutline.service.settings import Settings
from processes import cutline, wait_until

SECRET = "a secret of the operator"


class Receiver(Listening):
    """Keeps what it is told; answers with the given status codes, then with 204."""

    def __init__(self, *statuses, port=0, retry_after=None):
        self.told, self.times = [], []
        times = self.times
        left = list(statuses)
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                times.append(time.monotonic())
                told.append((self.path, dict(self.headers), body))
                status = left.pop(0) if left else 204
                self.send_response(status)
                if status == 503 and retry_after:
                    self.send_header("Retry-After", retry_after)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *arguments):
                pass

        super().__init__(Handler, port)
        self.url = f"http://{self.host}/hook?for=me"


def service_in(folder, *options, secret=SECRET, model="fake"):
    return Service("--model", model, *options, cwd=folder, env={"CUTLINE_WEBHOOK_SECRET": secret})


def submit(service, url, count=2):
    files = [("images", (f"{number}.png", png(number))) for number in range(count)]
    return service.client.post("/async-batch-caption", files=files, data={"webhook_url": url})


def checked(told, secret=SECRET):
    """The message, when its signature is the operator's and fresh."""
    _, headers, body = told
    headers = {name.lower(): value for name, value in headers.items()}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()
    assert f"v1,{expected}" in headers["webhook-signature"].split(" ")
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    return json.loads(body)


def test_the_end_is_told_once_and_signed(tmp_path):
    with Receiver() as receiver, service_in(tmp_path, "--allow-private-webhooks") as service:
        task = submit(service, receiver.url).json()["task_id"]
        service.ended(task)
        wait_until(lambda: receiver.told)
        time.sleep(2)
        assert len(receiver.told) == 1
        assert receiver.told[0][0] == "/hook?for=me"
        message = checked(receiver.told[0])
        assert message["type"] == "task.ended"
        assert message["data"] == {
            "task_id": task,
            "status": "completed",
            "total": 2,
            "captioned": 2,
            "failed": 0,
            "cancelled": 0,
        }
        assert SECRET not in service.log


def test_a_cancelled_job_is_told_too(tmp_path):
    with (
        Receiver() as receiver,
        service_in(tmp_path, "--allow-private-webhooks", model="fake:latency=60") as service,
    ):
        task = submit(service, receiver.url).json()["task_id"]
        service.client.delete(f"/task/{task}")
        wait_until(lambda: receiver.told)
        assert checked(receiver.told[0])["data"]["status"] == "cancelled"


def test_refused_messages_are_sent_again_and_redirects_not_followed(tmp_path):
    with Receiver(302) as receiver, service_in(tmp_path, "--allow-private-webhooks") as service:
        submit(service, receiver.url)
        wait_until(lambda: len(receiver.told) == 2)
        assert {path for path, *_ in receiver.told} == {"/hook?for=me"}
        assert len({checked(told)["data"]["task_id"] for told in receiver.told}) == 1
        assert "status 302" in service.log


def test_a_message_that_nobody_took_is_sent_after_a_restart(tmp_path):
    port = free_port()
    with service_in(tmp_path, "--allow-private-webhooks") as service:
        task = submit(service, f"http://127.0.0.1:{port}/").json()["task_id"]
        service.ended(task)
        wait_until(lambda: "webhook failed" in service.log)
        service.kill()
        with Receiver(port=port) as receiver:
            service.start()
            wait_until(lambda: receiver.told)
            assert checked(receiver.told[0])["data"]["task_id"] == task


def test_private_addresses_are_refused_unless_allowed(tmp_path):
    with Receiver() as receiver, service_in(tmp_path) as service:
        local = f"http://localhost:{receiver.url.split(':')[2].split('/')[0]}/"
        for url in (
            receiver.url,
            "http://10.0.0.1/",
            "http://[::1]/",
            "http://2130706433/",
            "file:///etc/passwd",
            "x",
        ):
            answer = submit(service, url)
            assert answer.status_code == 422, url
            assert "webhook_url" in answer.json()["detail"]
        # A name is looked up when it is sent to, and what it stands for is checked then.
        task = submit(service, local).json()["task_id"]
        service.ended(task)
        wait_until(lambda: "webhook failed" in service.log)
        assert "blocked-address" in service.log
        assert receiver.told == []


@pytest.mark.parametrize("name", ["a..b", f"{'a' * 64}.example"])
def test_a_name_that_cannot_be_looked_up_holds_up_nobody_else(tmp_path, name):
    """It once ended the telling of all jobs, and of pictures it made a fault of the service."""
    with Receiver() as receiver, service_in(tmp_path, "--allow-private-webhooks") as service:
        submit(service, f"http://{name}/")
        wait_until(lambda: "webhook failed" in service.log)
        submit(service, receiver.url)
        wait_until(lambda: receiver.told)
        answer = service.client.post("/caption", json={"image_url": f"http://{name}/a.png"})
        assert (answer.status_code, answer.json()["kind"]) == (422, "fetch")
        assert "Traceback" not in service.log


@pytest.mark.parametrize(
    "url", ["http://user:password@example.org/", "gopher://example.org/", "http://127.1/"]
)
def test_addresses_that_are_never_told(url):
    with pytest.raises(ConfigError, match="webhook_url"):
        check_address(url, allow_private=True)


def test_secrets_of_the_standard():
    """The example of the standard's own specification."""
    (key,) = Settings(webhook_secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").webhook_keys
    body = b'{"test": 2432232314}'
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_secret_that_cannot_be_used_is_one_line(tmp_path):
    done = cutline("serve", "--model", "fake", "--webhook-secret", "whsec_ä", cwd=tmp_path)
    assert done.returncode == 2
    assert len(done.stderr.strip().splitlines()) == 1
    assert "--webhook-secret" in done.stderr


def documented_check():
    """The function of the documentation, as its reader copies it."""
    page = (Path(__file__).parents[2] / "docs" / "jobs.md").read_text("utf-8")
    (code,) = [
        part for part in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def is_genuine" in part
    ]
    names = {}
    exec(code, names)
    return names["is_genuine"]


RANDOM = bytes(range(200, 232))
SECRETS = {
    "whsec": "whsec_" + base64.b64encode(RANDOM).decode(),
    "whsec without padding": "whsec_" + base64.b64encode(RANDOM).decode().rstrip("="),
    "whsec with plus and slash": "whsec_" + base64.b64encode(b"\xfb\xff\xfe" * 8).decode(),
    "raw": SECRET,
    "raw base64": base64.b64encode(RANDOM).decode(),
    "raw with signs": "pass-word_of/the+operator=!",
    "raw of letters": "abcdefghijklmnopqrstuv",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_the_documented_check_and_the_library_agree(secret):
    body, message, now = b'{"type": "task.ended"}', "01a1f91fc540", int(time.time())
    keys = Settings(webhook_secret=secret).webhook_keys
    headers = {
        "webhook-id": message,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signature(key, message, now, body) for key in keys),
    }
    is_genuine = documented_check()
    assert is_genuine(secret, headers, body)
    assert standardwebhooks.Webhook(secret).verify(body, headers) == {"type": "task.ended"}
    for other in (b"{}", body + b" "):
        assert not is_genuine(secret, headers, other)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(secret).verify(other, headers)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_a-b_c", "whsec_no base64"])
def test_secrets_that_only_look_like_the_standards(secret):
    with pytest.raises(ConfigError, match="base64"):
        Settings(webhook_secret=secret).verify()


def test_receivers_that_hang_delay_no_other_and_each_answer_is_heeded(tmp_path):
    with (
        Silent() as silent,
        Receiver(410, 503, 204, retry_after="3") as receiver,
        service_in(tmp_path, "--allow-private-webhooks") as service,
    ):
        for number in range(24):
            submit(service, f"http://{silent.host}/{number}", count=1)
        wait_until(lambda: silent.connections)
        gone = submit(service, receiver.url, count=1).json()["task_id"]
        wait_until(lambda: len(receiver.told) == 1)
        busy = submit(service, receiver.url, count=1).json()["task_id"]
        wait_until(lambda: len(receiver.told) == 3)
        tasks = [json.loads(body)["data"]["task_id"] for _, _, body in receiver.told]
        assert tasks == [gone, busy, busy], "410 ends it"
        assert receiver.times[2] - receiver.times[1] >= 3, "Retry-After"
        assert re.search(
            rf"webhook failed job={gone} attempt=1 cause=status 410 retry_seconds=None", service.log
        )


def free_ports():
    """Two free ports, of which one's digits begin with the other's."""
    for short in range(2_000, 6_000):
        with contextlib.suppress(OSError):
            for port in (short, short * 10):
                socket.create_server(("127.0.0.1", port)).close()
            return short, short * 10
    raise AssertionError("no free ports")


def test_a_receiver_whose_address_begins_with_that_of_one_that_hangs(tmp_path):
    short, long = free_ports()
    with (
        Silent(short) as silent,
        Receiver(port=long) as receiver,
        service_in(tmp_path, "--allow-private-webhooks") as service,
    ):
        for number in range(24):
            submit(service, f"http://{silent.host}/{number}", count=1)
        wait_until(lambda: len(silent.connections) >= 4)
        submit(service, receiver.url, count=1)
        wait_until(lambda: receiver.told)
        assert len(silent.connections) < 16, "it waited until those of the other had given up"
