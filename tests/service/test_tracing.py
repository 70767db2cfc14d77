"""OpenTelemetry: what a collector is told, and that nothing is imported or sent unless it is configured."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from serving import Service, png

from processes import Endpoint, environment, wait_until
from processes import cutline as run
from server_process import Server

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "vendor=value"}
SECRET, PROMPT = "sesame-open", "What is behind the curtain?"


@pytest.fixture(scope="module")
def collector():
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="the extra otel is not installed")
    with Server("collector.py") as server:
        yield server


@pytest.fixture(scope="module")
def endpoint():
    with Endpoint(key=SECRET) as server:
        yield server


@pytest.fixture(scope="module")
def service(collector, endpoint, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    (folder / "hidden-name.png").write_bytes(png(3))
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.root,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-collector-key=for-the-collector",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
        "CUTLINE_MODEL_KEY": SECRET,
    }
    options = ("--endpoint", endpoint.url, "--model", "/models/of/ours/test", "--image-root", folder)
    with Service(*options, cwd=folder, env=env) as running:
        yield running


def spans_of(collector, trace, count):
    """The trace's spans by name, when so many have come."""

    def found():
        spans = [span for span in collector.get("/spans") if span["trace"] == trace]
        return spans if len(spans) >= count else None

    return wait_until(found)


def last_trace(endpoint):
    return endpoint.get("/last")["headers"]["traceparent"].split("-")


def test_a_request_is_traced_from_the_client_to_the_endpoint(service, collector, endpoint):
    body = {"image_path": "hidden-name.png", "prompt": f"text:{PROMPT}"}
    answer = service.client.post("/caption", json=body, headers=PARENT)
    assert answer.status_code == 200, answer.text
    spans = {span["name"]: span for span in spans_of(collector, TRACE, 3)}
    request, caption, chat = (spans[name] for name in ("POST /caption", "caption", "chat test"))
    assert [span["parent"] for span in (request, caption, chat)] == [CALLER, request["id"], caption["id"]]
    assert request["attributes"] == {
        "http.request.method": "POST",
        "http.route": "/caption",
        "http.response.status_code": 200,
        "url.scheme": "http",
    }
    assert chat["attributes"] == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "endpoint",
        "gen_ai.request.model": "test",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.response.finish_reasons": ["stop"],
        "cutline.attempts": 1,
    }
    assert request["service"] == "cutline"
    assert last_trace(endpoint) == ["00", TRACE, chat["id"], "01"], (
        "the endpoint's work belongs to the question"
    )
    assert endpoint.get("/last")["headers"]["tracestate"] == "vendor=value"


def test_a_job_belongs_to_the_request_that_brought_it(service, collector, endpoint):
    trace = TRACE[::-1]
    files = [("images", (f"hidden-{number}.png", png(number))) for number in range(2)]
    headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
    task = service.client.post("/async-batch-caption", files=files, headers=headers).json()["task_id"]
    service.ended(task)
    spans = spans_of(collector, trace, 7)
    request = next(span for span in spans if span["name"] == "POST /async-batch-caption")
    jobs = [span for span in spans if span["name"] == "job"]
    assert [span["parent"] for span in jobs] == [request["id"]] * 2
    assert {span["attributes"]["cutline.job"] for span in jobs} == {task}
    assert sorted(span["name"] for span in spans) == sorted(
        [request["name"], *["job", "caption", "chat test"] * 2]
    )


def test_without_a_clients_trace_there_is_one_of_its_own(service, collector, endpoint):
    service.client.post("/caption", files={"image": ("a.png", png(9))})
    _, trace, _, _ = last_trace(endpoint)
    assert len(spans_of(collector, trace, 3)) == 3
    service.client.get("/health")
    service.client.get("/metrics")
    service.client.get("/models")
    wait_until(lambda: any(span["name"] == "GET /models" for span in collector.get("/spans")))
    assert not any("health" in span["name"] or "metrics" in span["name"] for span in collector.get("/spans"))


def test_failures_are_errors_without_words(service, collector, endpoint):
    trace = "a" * 32
    endpoint.configure(fault={"400": 1.0})
    try:
        headers = {"traceparent": f"00-{trace}-{CALLER}-01"}
        answer = service.client.post("/caption", files={"image": ("hidden.png", png(11))}, headers=headers)
    finally:
        endpoint.configure(fault={})
    assert answer.status_code == 422
    failed = {span["name"]: span for span in spans_of(collector, trace, 3)}
    assert [
        (failed[name]["error"], failed[name]["attributes"]["error.type"]) for name in ("caption", "chat test")
    ] == [
        (True, "rejected"),
        (True, "rejected"),
    ]
    assert not failed["POST /caption"]["error"], "the client's fault is none of the service's"


def test_nothing_secret_is_told(service, collector):
    """After all of the above: no key, prompt, file name, query, path or text."""
    told = json.dumps(collector.get("/spans"))
    for word in (
        SECRET,
        "for-the-collector",
        PROMPT,
        "curtain",
        "hidden",
        "/models/of",
        "test caption",
        "127.0.0.1",
    ):
        assert word not in told, word
    assert all((span["message"], span["events"]) == ("", 0) for span in collector.get("/spans"))
    assert set(collector.get("/keys")) == {"for-the-collector"}
    assert "Traceback" not in service.log


def test_the_last_spans_are_sent_when_it_stops(collector, tmp_path):
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.root,
        "OTEL_SERVICE_NAME": "ours",
        "OTEL_BSP_SCHEDULE_DELAY": "60000",
    }
    with Service("--model", "fake", cwd=tmp_path, env=env) as service:
        service.client.post("/caption", files={"image": ("a.png", png(1))})
        service.stop()
    assert {span["name"] for span in collector.get("/spans") if span["service"] == "ours"} == {
        "POST /caption", "caption", "chat fake",
    }  # fmt: skip


def test_a_collector_that_is_not_there_harms_nobody(tmp_path):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_BSP_SCHEDULE_DELAY": "50"}
    with Service("--model", "fake", cwd=tmp_path, env=env) as service:
        for number in range(20):
            assert service.client.post("/caption", files={"image": ("a.png", png(number))}).status_code == 200
        assert service.stop(10) in {0, -15}
        assert "Traceback" not in service.log


IMPORTED = """
import sys
from cutline.service.app import create_app
from cutline.service.settings import Settings
create_app(Settings(model="fake"))
print([name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter"))])
"""


@pytest.mark.parametrize("given", [{}, {"OTEL_SERVICE_NAME": "ours"}, {"OTEL_TRACES_EXPORTER": "none"}])
def test_nothing_is_imported_unless_it_is_configured(given, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-c", IMPORTED],
        env=environment(**given),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, "[]"), ran.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER=zipkin is not supported: set it to otlp or none",
        ),
        (
            {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
            "OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported: set it to http/protobuf",
        ),
    ],
)
def test_what_is_not_spoken_is_refused(given, said, tmp_path):
    ran = run("serve", "--model", "fake", "--port", 1, "--workers", 2, cwd=tmp_path, env=given)
    assert ran.returncode == 2
    assert ran.stderr == f"cutline: {said}\n"


def test_without_the_extra_it_is_named(tmp_path):
    (tmp_path / "opentelemetry" / "sdk").mkdir(parents=True)
    for package in ("opentelemetry", "opentelemetry/sdk"):
        (tmp_path / package / "__init__.py").write_text(
            "__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n"
            if package == "opentelemetry"
            else "raise ImportError('not installed')\n"
        )
    path = os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "PYTHONPATH": path}
    ran = run("serve", "--model", "fake", "--port", 1, cwd=tmp_path, env=env)
    assert ran.returncode == 2
    message = "cutline: OTEL_EXPORTER_OTLP_ENDPOINT turns on tracing, which needs an extra: "
    assert ran.stderr.startswith(message)
    assert ran.stderr.endswith("pip install 'cutline[otel]'\n")
