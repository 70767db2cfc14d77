"""Options of JSON requests: flat as in forms; the nested form of older clients and stored jobs still holds."""

from __future__ import annotations

import base64
import contextlib
import csv
import io
import json
import sqlite3

import pytest
from serving import Service, png

from processes import wait_until

PICTURE = base64.b64encode(png(1, (64, 48))).decode()
PATHS = ("/caption", "/batch-caption", "/async-batch-caption")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    with Service("--model", "pixels:no-ocr", cwd=folder) as running:
        running.folder = folder
        yield running


def result(service, path, options):
    """The result of one picture, whichever path it takes."""
    body = {"image_base64": PICTURE} if path == "/caption" else {"images_base64": [PICTURE]}
    response = service.client.post(path, json={**body, **options})
    if response.status_code == 202:
        return service.ended(response.json()["task_id"])["results"][0]["caption"]
    assert response.status_code in {200, 422}, response.text
    found = response.json()
    if response.status_code == 422:
        return found["detail"]
    return found["caption"] if path == "/caption" else found[0]["caption"]


@pytest.mark.parametrize("path", PATHS)
def test_flat_nested_and_form_options_are_the_same(service, path):
    default = result(service, path, {})
    flat = result(service, path, {"prompt": "tags"})
    assert flat != default
    assert result(service, path, {"wish": {"prompt": "tags"}}) == flat
    assert result(service, path, {"prompt": "tags", "wish": {"prompt": "tags"}}) == flat
    assert result(service, path, {"wish": {}}) == default
    field = "image" if path == "/caption" else "images"
    sent = service.client.post(path, files={field: png(1, (64, 48))}, data={"prompt": "tags"}).json()
    if path == "/async-batch-caption":
        sent = service.ended(sent["task_id"])["results"]
    assert (sent if path == "/caption" else sent[0])["caption"] == flat


@pytest.mark.parametrize("path", PATHS)
def test_both_forms_are_merged_unless_they_differ(service, path):
    schema = {"type": "object", "properties": {"tags": {"type": "array", "items": {"type": "string"}}}}
    assert result(service, path, {"prompt": "tags", "wish": {"schema": schema}}) == result(
        service, path, {"prompt": "tags", "schema": schema}
    )
    cure = "leave wish out, which is deprecated"
    differs = result(service, path, {"prompt": "short", "wish": {"prompt": "tags"}})
    assert differs == f"prompt and wish.prompt differ: {cure}"
    differs = result(service, path, {"schema": schema, "wish": {"schema": {"type": "object"}}})
    assert differs == f"schema and wish.schema differ: {cure}"


def test_a_form_has_no_nested_options_and_no_other_pictures(service):
    for field in ("wish", "image_path", "image_base64"):
        answer = service.client.post("/caption", files={"image": png(1)}, data={field: "x"})
        assert answer.status_code == 422
        assert answer.json()["detail"].startswith(f"there is no field {field}")


def test_the_nested_form_is_marked_deprecated(service):
    document = service.client.get("/openapi.json").json()
    for path in PATHS:
        content = document["paths"][path]["post"]["requestBody"]["content"]
        fields = content["application/json"]["schema"]["properties"]
        assert {name for name, field in fields.items() if field.get("deprecated")} == {"wish"}
        assert fields["wish"]["description"].startswith("Deprecated")
        assert fields["wish"]["properties"].keys() < fields.keys()
        assert "wish" not in content["multipart/form-data"]["schema"]["properties"]


def test_a_job_that_an_older_version_stored_runs_after_an_upgrade(tmp_path):
    """Its options are in the column ``wish``, as JSON without what was left out."""
    body = {"images_base64": [PICTURE], "wish": {"prompt": "short", "max_tokens": 7}}
    with Service("--model", "fake:latency=60", cwd=tmp_path) as service:
        task = service.client.post("/async-batch-caption", json=body).json()["task_id"]
        wait_until(lambda: service.task(task)["status"] == "in_progress")
        service.stop()
    with contextlib.closing(sqlite3.connect(tmp_path / "cutline-jobs.db")) as store, store:
        assert store.execute("SELECT wish FROM cutline_jobs").fetchall() == [
            (b'{"max_tokens":7,"prompt":"short"}',)
        ]
        schema = '{"properties":{"tags":{"type":"array"}},"type":"object"}'
        stored = f'{{"prompt":"tags","schema":{schema}}}'.encode()
        store.execute("UPDATE cutline_jobs SET wish = ?", (stored,))
    with Service("--model", "pixels:no-ocr", cwd=tmp_path) as service:
        (done,) = service.ended(task)["results"]
        assert done["fields"].keys() == {"tags"}


PICTURES = {"images_base64": [PICTURE]}


@pytest.mark.parametrize(
    ("method", "path", "detail"),
    [
        (
            "GET",
            "/task/{task}/results?fields=a",
            "there is no query parameter fields; there are after, limit, format",
        ),
        ("GET", "/task/{task}/results?limits=5", "there is no query parameter limits; did you mean limit?"),
        ("GET", "/tasks?page=2", "there is no query parameter page; there are limit, before"),
        ("GET", "/task-status/{task}?after=1", "this path has no query parameters: leave out after"),
        ("GET", "/models?x", "this path has no query parameters: leave out x"),
        ("DELETE", "/task/{task}?force=1", "this path has no query parameters: leave out force"),
        ("POST", "/batch-caption?prompt=tags", "this path has no query parameters: send prompt in the body"),
    ],
)
def test_query_parameters_that_a_path_lacks_are_refused(service, method, path, detail):
    task = service.client.post("/async-batch-caption", json=PICTURES).json()["task_id"]
    body = PICTURES if method == "POST" else None
    response = service.client.request(method, path.format(task=task), json=body)
    assert (response.status_code, response.json()["detail"]) == (422, detail)
    assert service.ended(task)["status"] == "completed"


@pytest.mark.parametrize("path", ["/health?probe=1", "/ready?probe=1", "/?from=mail", "/v1/models?limit=2"])
def test_parameters_of_probes_pages_and_clients_of_openai_are_ignored(service, path):
    assert service.client.get(path).status_code == 200


def test_results_come_in_the_format_that_is_asked_for(service):
    names = [f"{number:04}.png" for number in range(1, 1000)] + ['=a,"b".png', "c d.png", "last.png"]
    (service.folder / "pictures").mkdir()
    with Service(
        "--model",
        "pixels:no-ocr",
        "--image-root",
        "pictures",
        cwd=service.folder,
        env={"CUTLINE_MAX_PICTURES": "2000"},
    ) as wide:
        task = wide.client.post("/async-batch-caption", json={"image_paths": names}).json()["task_id"]
        wide.ended(task)
        path = f"/task/{task}/results"
        get = wide.client.get
        whole = get(path)
        lines = [json.loads(line) for line in whole.text.splitlines()]
        assert [line["image_path"] for line in lines] == names
        assert "X-Next-After" not in whole.headers
        table, same = get(path, params={"format": "csv"}), get(path, headers={"Accept": "text/csv"})
        assert table.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert same.content == table.content
        rows = list(csv.DictReader(io.StringIO(table.text, newline="")))
        assert [row["image_path"] for row in rows] == names
        assert [row["kind"] for row in rows] == [line["kind"] for line in lines]
        assert get(path, params={"format": "json"}).json() == lines
        assert get(path, params={"format": "json", "after": 1001}).text == "[]\n"
        page = get(path, params={"format": "csv", "limit": 2, "after": 3})
        assert [row.partition(",")[0] for row in page.text.splitlines()] == ["index", "4", "5"]
        assert page.headers["X-Next-After"] == "5"
        wrong = get(path, params={"format": "xlsx"})
        assert (wrong.status_code, wrong.json()["detail"]) == (
            422,
            "format: must be 'jsonl', 'json' or 'csv'",
        )
        browser = get(path, headers={"Accept": "application/json, text/plain, */*"})
        assert browser.headers["Content-Type"] == "application/jsonl"
