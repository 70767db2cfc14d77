"""Options of JSON requests: flat as in forms; the nested form of older clients and stored jobs still holds."""

from __future__ import annotations

import base64
import contextlib
import sqlite3

import pytest
from serving import Service, png

from processes import wait_until

PICTURE = base64.b64encode(png(1, (64, 48))).decode()
PATHS = ("/caption", "/batch-caption", "/async-batch-caption")


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Service("--model", "pixels:no-ocr", cwd=tmp_path_factory.mktemp("service")) as running:
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
