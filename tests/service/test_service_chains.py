"""Chains that the operator offers and requests choose by name."""

from __future__ import annotations

import base64
import time

import pytest
from serving import Service, png

import cutline
from processes import cutline as run

PAIR = """
[[step]]
name = "look"
model = "first"
endpoint = "{url}"
prompt = "What is there?"

[[step]]
name = "refine"
model = "second"
endpoint = "{url}"
prompt = "Say more than: {{look}}"
"""
MAYBE = """
[[step]]
name = "sure"
model = "fake"

[[step]]
name = "maybe"
model = "fake:rejected=1"
prompt = "Say more than: {sure}"
optional = true
"""


@pytest.fixture(scope="module")
def service(experts, tmp_path_factory):
    folder = tmp_path_factory.mktemp("service")
    (folder / "offered").mkdir()
    (folder / "offered" / "pair.toml").write_text(PAIR.format(url=experts.url))
    (folder / "maybe.toml").write_text(MAYBE)
    (folder / "a.png").write_bytes(png(8))
    chains = ("--chain", folder / "offered", "--chain", folder / "maybe.toml")
    with Service("--model", "fake", *chains, "--image-root", folder, cwd=folder) as running:
        yield running


def body_of(chain, number=1, **others):
    encoded = base64.b64encode(png(number)).decode()
    return {"image_base64": encoded, "chain": chain, **others}


def test_a_request_goes_through_the_chain_that_it_names(service, experts):
    experts.post("/forget", {})
    answer = service.client.post("/caption", json=body_of("pair"))
    assert answer.status_code == 200, answer.text
    body = answer.json()
    first, second = experts.get("/asked")
    assert (first["model"], second["model"]) == ("first", "second")
    assert second["text"] == f"Say more than: {body['steps'][0]['text']}"
    assert [(step["name"], step["model"]) for step in body["steps"]] == [
        ("look", "first-2026"),
        ("refine", "second-2026"),
    ]
    assert body["caption"] == body["steps"][1]["text"]
    assert (body["model"], body["completion_tokens"]) == ("second-2026", 20)
    assert "missing_steps" not in body


def test_without_options_the_model_alone_answers(service):
    body = service.client.post("/caption", json={"image_base64": body_of("x")["image_base64"]}).json()
    assert body["model"] == "fake"
    assert "steps" not in body


def test_an_optional_step_that_failed_is_named(service):
    body = service.client.post("/caption", json=body_of("maybe")).json()
    assert body["missing_steps"] == {"maybe": "rejected"}
    assert [step["name"] for step in body["steps"]] == ["sure"]


def test_forms_batches_and_jobs_take_chains_too(service):
    form = service.client.post("/caption", files={"image": ("a.png", png(2))}, data={"chain": "pair"})
    assert len(form.json()["steps"]) == 2
    batch = service.client.post("/batch-caption", json={"image_paths": ["a.png"], "chain": "pair"})
    assert len(batch.json()[0]["steps"]) == 2
    files = [("images", (f"{number}.png", png(number))) for number in range(3)]
    job = service.client.post("/async-batch-caption", files=files, data={"chain": "pair"})
    results = service.ended(job.json()["task_id"])["results"]
    assert [[step["name"] for step in one["steps"]] for one in results] == [["look", "refine"]] * 3
    assert len({one["caption"] for one in results}) == 3


def test_the_client_knows_chains(service):
    with cutline.Client(service.url) as client:
        said = client.caption(png(4), chain="pair")
    assert said.caption == said.steps[1]["text"]


def test_models_lists_what_can_be_chosen(service):
    found = service.client.get("/models").json()["chains"]
    assert {chain["name"]: chain["steps"] for chain in found} == {
        "maybe": {"sure": "fake", "maybe": "fake"},
        "pair": {"look": "endpoint:first", "refine": "endpoint:second"},
    }


@pytest.mark.parametrize("path", ["/caption", "/batch-caption", "/async-batch-caption"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chain": "../pair"}, "there is no chain '../pair': choose pair or maybe"),
        (
            {"chain": "pair", "prompt": "x", "max_tokens": 5},
            "max_tokens and prompt cannot be set together with it",
        ),
        ({"chain": ""}, "chain: must have 1 or more characters"),
    ],
)
def test_what_cannot_be_chosen_is_refused_at_once(service, path, options, message):
    body = {"image_path": "a.png"} if path == "/caption" else {"image_paths": ["a.png"]}
    answer = service.client.post(path, json={**body, **options})
    assert answer.status_code == 422
    assert message in answer.json()["detail"]
    assert "toml" not in answer.text


def test_a_quick_chain_does_not_wait_for_the_places_of_a_slow_model(tmp_path):
    (tmp_path / "quick.toml").write_text('[[step]]\nname = "only"\nmodel = "fake:latency=1,slots=40"\n')
    with Service("--model", "fake:slots=1", "--chain", "quick.toml", cwd=tmp_path) as service:
        files = [("images", (f"{number}.png", png(number))) for number in range(40)]
        task = service.client.post("/async-batch-caption", files=files, data={"chain": "quick"}).json()[
            "task_id"
        ]
        began = time.monotonic()
        assert service.ended(task)["captioned"] == 40
        assert time.monotonic() - began < 35, "one after the other they would take 40 seconds"


def test_a_service_without_chains_says_so(tmp_path):
    with Service("--model", "fake", cwd=tmp_path) as service:
        answer = service.client.post("/caption", json=body_of("pair"))
        assert (answer.status_code, answer.json()) == (
            422, {"detail": "this service has no chains: leave chain out"},
        )  # fmt: skip
        assert service.client.get("/models").json()["chains"] == []


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"a.toml": "[[step]]\nname = 'a'\n"}, "a.toml, step 1: it has no model"),
        ({"a.toml": MAYBE, "b/a.toml": MAYBE}, "two files are named a"),
        ({"notes.txt": "x"}, "there is no .toml file in this folder"),
        (
            {"a.toml": MAYBE.replace("fake:rejected=1", "nonsense")},
            "step maybe: 'nonsense' names no provider",
        ),
    ],
)
def test_chains_that_cannot_be_are_told_to_the_operator(tmp_path, files, said):
    for name, text in files.items():
        (tmp_path / "chains" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "chains" / name).write_text(text)
    folders = [
        part
        for folder in {(tmp_path / "chains" / name).parent for name in files}
        for part in ("--chain", folder)
    ]
    ran = run("serve", "--model", "fake", "--port", 1, *folders, cwd=tmp_path)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_a_variable_that_no_request_has_is_told_at_the_start(tmp_path):
    (tmp_path / "pair.toml").write_text(MAYBE.replace("Say more than: {sure}", "{sure}, by {author}"))
    ran = run("serve", "--model", "fake", "--chain", "pair.toml", "--port", "0", cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr == (
        "cutline: --chain pair.toml: step maybe: the prompt's variable {author} is not available to requests: they have "
        "key, path, file_name, stem, folder (write literal braces twice: {{author}})\n"
    )


def test_a_variable_of_a_prompt_that_no_request_has(service):
    def asked(prompt):
        return service.client.post("/caption", files={"image": ("a.png", png(1))}, data={"prompt": prompt})

    for name in ("text", "author", "key.x"):
        answer = asked(f"A caption for {{{name}}}")
        assert answer.status_code == 422
        assert (
            f"{{{name}}} is not available to requests: they have key, path, file_name, stem, folder"
            in answer.text
        )
    assert asked("A caption for {stem}, which is no {{author}}").status_code == 200
