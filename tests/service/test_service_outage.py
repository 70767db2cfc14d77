"""The endpoint is gone: a caller is told soon, and jobs wait until it is back."""

from __future__ import annotations

import base64

import pytest
from serving import Service, png


@pytest.fixture
def endpoint(tmp_path):
    (tmp_path / "endpoint").mkdir()
    with Service("--model", "fake", cwd=tmp_path / "endpoint") as running:
        yield running


def test_a_caller_is_told_that_the_endpoint_is_gone_while_jobs_wait_for_it(endpoint, tmp_path):
    arguments = (
        "--model",
        "endpoint:fake",
        "--endpoint",
        f"{endpoint.url}/v1",
        "--max-concurrent-requests",
        2,
    )
    with Service(*arguments, cwd=tmp_path) as service:
        client = service.client
        one = {"image_base64": base64.b64encode(png(1)).decode()}
        assert client.post("/caption", json=one).status_code == 200
        endpoint.kill()
        many = {"images_base64": [base64.b64encode(png(number)).decode() for number in range(30)]}
        task = client.post("/async-batch-caption", json=many).json()["task_id"]
        for _ in range(3):
            refused = client.post("/caption", json=one)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
            assert refused.json()["detail"] == "the model is not available now"
        url = {"url": f"data:image/png;base64,{one['image_base64']}"}
        content = [{"type": "image_url", "image_url": url}]
        chat = {"model": "endpoint:fake", "messages": [{"role": "user", "content": content}]}
        assert client.post("/v1/chat/completions", json=chat).status_code == 503
        state = service.task(task)
        assert (state["status"], state["failed"]) == ("in_progress", 0)
        endpoint.start()
        assert service.ended(task)["captioned"] == 30
        assert client.post("/caption", json=one).status_code == 200


def test_a_caller_is_told_that_the_endpoint_refuses_for_long(new_endpoint, tmp_path):
    """And not left waiting for it, for as long as a run would."""
    refusing = new_endpoint(fault={"429": 1}, retry_after=60)
    arguments = ("--model", "endpoint:m", "--endpoint", refusing.url)
    with Service(*arguments, cwd=tmp_path) as service:
        one = {"image_base64": base64.b64encode(png(1)).decode()}
        refused = service.client.post("/caption", json=one)
        assert refused.status_code == 503
        assert refused.json()["detail"] == "the model's server accepts no more requests now"
        assert refusing.stats()["requests"] == 1
