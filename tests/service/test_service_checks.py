"""Checks and filters of a service: the operator's, by the same registry as those of a run."""

from __future__ import annotations

import pytest
from serving import Service, png

import cutline
from processes import cutline as run

CHAIN = """
[[step]]
name = "look"
model = "first"
endpoint = "{url}"

[[step]]
name = "refine"
model = "second"
endpoint = "{url}"
prompt = "Say more than: {{look}}"
"""
LONG = "one two three four five six seven eight"
SHORT = "The image shows two cats"


@pytest.fixture(scope="module")
def service(experts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    (folder / "pair.toml").write_text(CHAIN.format(url=experts.url))
    checks = ("--check", "words=..5:retry", "--check", "opener:repair", "--check-retries", 1)
    arguments = ("--model", "model", "--endpoint", experts.url, "--chain", folder / "pair.toml", *checks)
    with Service(*arguments, "--filter", "size=16", cwd=folder) as running:
        yield running


@pytest.fixture
def scripted(experts):
    def script(**plans):
        experts.post("/forget", {})
        experts.post(
            "/script", {name: [{"content": text} for text in texts] for name, texts in plans.items()}
        )

    return script


def caption(service, number=1, size=(24, 16), **options):
    files = {"image": (f"{number}.png", png(number, size))}
    return service.client.post("/caption", files=files, data=options)


def test_a_caption_is_requested_again_and_repaired(service, experts, scripted):
    scripted(model=[LONG, SHORT])
    body = caption(service).json()
    assert body["caption"] == "Two cats"
    assert body["checks"]["words"] == {"words": 5, "retried": ["more than 5 words"]}
    assert body["checks"]["opener"]["removed"] == ["The image shows"]
    temperatures = [each["parameters"]["temperature"] for each in experts.get("/asked")]
    assert len(set(temperatures)) == 2


def test_what_no_retry_mends_is_a_failure_of_the_checks_name(service, experts, scripted):
    scripted(model=[LONG, LONG, LONG])
    answer = caption(service)
    assert (answer.status_code, answer.json()["kind"]) == (422, "words")
    assert "more than 5 words" in answer.json()["detail"]
    assert len(experts.get("/asked")) == 2


def test_batches_and_jobs_are_checked_and_one_bad_caption_fails_alone(service, scripted):
    files = [("images", (f"{number}.png", png(number))) for number in range(2)]
    for path in ("/batch-caption", "/async-batch-caption"):
        scripted(model=[LONG, LONG, LONG, LONG])
        answer = service.client.post(path, files=files).json()
        results = answer if isinstance(answer, list) else service.ended(answer["task_id"])["results"]
        assert [one["kind"] for one in results] == ["words", "words"]
        scripted(model=[SHORT, SHORT])
        answer = service.client.post(path, files=files).json()
        results = answer if isinstance(answer, list) else service.ended(answer["task_id"])["results"]
        assert [one["caption"] for one in results] == ["Two cats", "Two cats"]


def test_chains_are_checked_and_only_their_last_step_is_repeated(service, experts, scripted):
    scripted(first=["a look"], second=[LONG, SHORT])
    body = caption(service, chain="pair").json()
    assert body["caption"] == "Two cats"
    assert [each["model"] for each in experts.get("/asked")] == ["first", "second", "second"]


def test_a_filter_leaves_small_pictures_out_before_the_model(service, experts, scripted):
    scripted(model=[SHORT])
    answer = caption(service, size=(24, 8))
    assert (answer.status_code, answer.json()["kind"]) == (422, "skipped")
    assert "side below 16" in answer.json()["detail"]
    assert experts.get("/asked") == []


def test_clients_cannot_choose_checks(service):
    answer = caption(service, check="words=1..")
    assert answer.status_code == 422
    assert "there is no field check" in answer.json()["detail"]


def test_the_python_client_has_the_caption(service, scripted):
    scripted(model=[SHORT])
    with cutline.Client(service.url) as client:
        assert client.caption(png(4)).caption == "Two cats"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--check", "same=3"), "--check same compares the captions of a run: leave it out of the service"),
        (("--check", "word=3"), "words"),
        (("--model", "pixels", "--check", "words=5..:retry"), "cannot retry"),
        (("--check-retries", "2"), "--check-retries has no effect alone"),
        (("--similarity-model", "x"), "--similarity-model has no effect alone"),
        (("--check", "banned=nowhere.txt"), "nowhere.txt"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(tmp_path, arguments, message):
    done = run("serve", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
