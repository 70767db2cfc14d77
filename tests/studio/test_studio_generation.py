"""Captions by models in the studio: proposed or written, stopped and continued, as HTTP requests."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from processes import cutline_here, wait_until
from server_process import Server
from studio_process import Studio, start_studio, stop_studio, wait_until_open

FAKE = {"model": "fake"}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Server]:
    """An endpoint in another process, of which a test sets latency and faults."""
    with Server("endpoint.py") as server:
        yield server


@contextlib.contextmanager
def running(folder: Path, *options: str) -> Iterator[Studio]:
    """A studio that is stopped whatever happens."""
    studio = start_studio(folder, *options)
    try:
        yield wait_until_open(studio)
    finally:
        stop_studio(studio)


def rows(studio: Studio, *numbers: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = studio.call("POST", "rows", {"rows": list(numbers or range(12))})
    return found


def found(studio: Studio, query: str) -> list[int]:
    content = studio.call("GET", f"find?q={quote(query)}")
    return [int.from_bytes(content[at : at + 4], "little") for at in range(0, len(content), 4)]


def state(studio: Studio, job: int) -> dict[str, Any]:
    return next(one for one in studio.call("GET", "jobs") if one["job"] == job)


def texts(studio: Studio) -> dict[str, str]:
    return {file.name: file.read_text() for file in studio.folder.glob("*.txt")}


def test_missing_captions_are_proposed_accepted_and_undone_in_one_edit(studio: Studio) -> None:
    before = texts(studio)
    result = studio.job("POST", "generate", {"choice": FAKE})
    assert (result["captions"], result["failures"], result["left"], result["stopped"]) == (4, 0, 0, "")
    assert found(studio, "has:proposal") == [8, 9, 10, 11]
    assert texts(studio) == before
    proposal = rows(studio, 8)[0]["proposal"]
    assert proposal["caption"].startswith("A picture with checksum")
    assert (proposal["model"], proposal["before"]) == ("fake", None)
    assert proposal["prompt_id"].startswith("default@")
    assert studio.call("GET", "generations") == []
    accepted = studio.job("POST", "accept", {"rows": [8, 9]})
    assert accepted["written"] == 2
    assert (studio.folder / "08.txt").read_text() == proposal["caption"]
    versions = studio.call("GET", "history/8")
    assert (versions[0]["by"], versions[0]["prompt_id"]) == ("fake", proposal["prompt_id"])
    studio.job("POST", "undo")
    assert not (studio.folder / "08.txt").exists()
    assert found(studio, "has:proposal") == [8, 9, 10, 11]
    studio.job("POST", "undo")
    assert found(studio, "has:proposal") == []


def test_policies_join_replace_and_protect_what_a_person_wrote(studio: Studio) -> None:
    text = "a cat on a mat, number 0"
    scope = {"rows": [0, 8]}
    for policy, expected in (("append", f"{text}, A picture"), ("prepend", "A picture")):
        studio.job("POST", "generate", {"choice": FAKE, "policy": policy, "scope": scope})
        proposed = rows(studio, 0)[0]["proposal"]
        assert proposed["caption"].startswith(expected)
        assert text in proposed["caption"]
    counts = studio.call("POST", "estimate", {"policy": "overwrite", "scope": scope})
    assert (counts["pictures"], counts["by_person"]) == (1, 1)
    written = {"choice": FAKE, "policy": "overwrite", "write": True, "scope": {"rows": [0, 9]}}
    assert studio.job("POST", "generate", written)["captions"] == 1
    assert texts(studio)["00.txt"] == text + "\n"
    assert "A picture" in texts(studio)["09.txt"]
    assert studio.job("POST", "generate", {**written, "replaces_person": True})["captions"] == 2
    assert texts(studio)["00.txt"].startswith("A picture")
    # Now both are a model's: the tick is not needed, until a person edits one.
    assert studio.call("POST", "estimate", written | {"scope": {"rows": [0, 9]}})["by_person"] == 0
    studio.call("PUT", "captions/9", {"caption": "mine", "before": texts(studio)["09.txt"].strip()})
    assert studio.call("POST", "estimate", written)["by_person"] == 1
    studio.job("POST", "undo")
    studio.job("POST", "undo")
    assert texts(studio)["00.txt"] == text + "\n"


def test_sidecars_that_a_run_wrote_are_a_models(studio: Studio) -> None:
    cutline_here("caption", studio.folder, "--output-format", "sidecar", "--model", "fake", "--quiet")
    studio.open(studio.folder)
    counts = studio.call("POST", "estimate", {"policy": "overwrite"})
    assert (counts["pictures"], counts["by_person"]) == (4, 8)
    (studio.folder / "10.txt").write_text("edited by hand")
    studio.open(studio.folder)
    assert studio.call("POST", "estimate", {"policy": "overwrite"})["by_person"] == 9


def test_a_proposal_whose_caption_was_changed_since_is_not_accepted_unseen(studio: Studio) -> None:
    scope = {"rows": [0, 1]}
    studio.job("POST", "generate", {"choice": FAKE, "policy": "append", "scope": scope})
    studio.call("PUT", "captions/0", {"caption": "mine", "before": "a cat on a mat, number 0"})
    accepted = studio.job("POST", "accept", scope)
    assert (accepted["written"], accepted["conflicts"]) == (1, ["00.jpg"])
    assert texts(studio)["00.txt"] == "mine\n"
    proposal = rows(studio, 0)[0]["proposal"]
    assert proposal["before"] == "a cat on a mat, number 0"
    unseen = {"rows": [0], "seen": {"0": "what another tab shows"}}
    assert studio.job("POST", "accept", unseen)["written"] == 0
    changed = {"rows": [0], "captions": {"0": "mine, and the model's"}, "seen": {"0": "mine"}}
    assert studio.job("POST", "accept", changed)["written"] == 1
    assert texts(studio)["00.txt"] == "mine, and the model's\n"
    assert found(studio, "has:proposal") == []
    assert found(studio, "model:fake") == [0, 1]
    studio.job("POST", "undo")
    assert (texts(studio)["00.txt"], rows(studio, 0)[0]["proposal"]) == ("mine\n", proposal)


def test_a_caption_that_changes_while_it_is_replaced_gets_a_proposal(
    studio: Studio, endpoint: Server
) -> None:
    endpoint.post("/configure", {"latency": 1.0, "slots": 8, "fault": {}})
    choice = {"model": "test-model", "endpoint": endpoint.url}
    body = {"choice": choice, "policy": "append", "write": True, "scope": {"rows": [0, 1]}}
    job = studio.call("POST", "generate", body, status=202)["job"]
    wait_until(lambda: endpoint.get("/stats")["in_flight"] == 2)
    studio.call("PUT", "captions/0", {"caption": "mine", "before": "a cat on a mat, number 0"})
    wait_until(lambda: state(studio, job)["is_over"])
    result = state(studio, job)["result"]
    assert (result["captions"], result["proposed"]) == (2, 1)
    assert texts(studio)["00.txt"] == "mine\n"
    assert "A test caption" in texts(studio)["01.txt"]
    assert rows(studio, 0)[0]["proposal"]["before"] == "a cat on a mat, number 0"


def test_of_one_caption_a_line_no_line_is_lost(photos: Path) -> None:
    (photos / "00.txt").write_text("first\nsecond\n")
    with running(photos, "--one-a-line") as studio:
        body = {"choice": FAKE, "write": True, "scope": {"rows": [0]}, "replaces_person": True}
        for policy, place in (("append", 2), ("prepend", 0), ("overwrite", 0)):
            studio.job("POST", "generate", {**body, "policy": policy})
            lines = texts(studio)["00.txt"].splitlines()
            assert lines[place].startswith("A picture with checksum")
            assert ("first" in lines, "second" in lines) == (policy != "overwrite", True)
            studio.job("POST", "undo")
        assert texts(studio)["00.txt"] == "first\nsecond\n"


def test_failures_are_found_by_kind_until_there_is_a_caption(studio: Studio) -> None:
    choice = {"model": "fake:rejected=1"}
    result = studio.job("POST", "generate", {"choice": choice, "scope": {"rows": [11]}})
    assert (result["captions"], result["kinds"]) == (0, {"rejected": 1})
    assert found(studio, "status:failed") == found(studio, "failed:rejected") == [11]
    assert found(studio, "failed:timeout") == []
    failure = rows(studio, 11)[0]["failure"]
    assert (failure["kind"], failure["model"]) == ("rejected", "fake")
    studio.call("PUT", "captions/11", {"caption": "by hand", "before": None})
    assert found(studio, "status:failed") == []


def test_a_generation_is_stopped_and_continued_without_paying_again(studio: Studio, endpoint: Server) -> None:
    endpoint.post("/configure", {"latency": 0.4, "slots": 2, "fault": {}})
    choice = {
        "model": "test-model",
        "endpoint": endpoint.url,
        "prompt": "Describe. It was: {text}",
        "requests": 1,
    }
    body = {"choice": choice, "policy": "append", "scope": {"query": "-missing:"}}
    before = endpoint.get("/stats")["answered"]
    job = studio.call("POST", "generate", body, status=202)["job"]
    wait_until(lambda: state(studio, job)["figures"]["captions"] >= 2)
    studio.call("DELETE", f"jobs/{job}")
    wait_until(lambda: state(studio, job)["is_over"])
    stopped = state(studio, job)["result"]
    assert stopped["stopped"] == "stopped"
    assert 2 <= stopped["captions"] < 8
    assert stopped["left"] == 8 - stopped["captions"]
    assert found(studio, "has:proposal") == list(range(stopped["captions"]))
    (unfinished,) = studio.call("GET", "generations")
    assert (unfinished["rows"], unfinished["choice"]) == (stopped["left"], choice)
    # The same for other pictures comes in between, and does not end what is unfinished.
    studio.job("POST", "generate", {**body, "scope": {"rows": [7]}})
    assert [one["rows"] for one in studio.call("GET", "generations")] == [stopped["left"] - 1]
    studio.call("POST", "reject", {"rows": [0]})
    endpoint.post("/configure", {"latency": 0, "slots": 8})
    result = studio.job("POST", f"generations/{unfinished['id']}")
    assert (result["captions"], result["left"], result["stopped"]) == (unfinished["rows"] - 1, 0, "")
    assert found(studio, "has:proposal") == list(range(1, 8))  # what was rejected stays so
    assert endpoint.get("/stats")["answered"] - before == 8
    assert studio.call("GET", "generations") == []
    sent = json.dumps(endpoint.get("/last"))
    assert "It was: a cat on a mat, number" in sent


def test_a_killed_studio_continues_without_paying_again(
    own_studio: Studio, endpoint: Server, photos: Path
) -> None:
    endpoint.post("/configure", {"latency": 0.4, "slots": 1, "fault": {}})
    before = endpoint.get("/stats")["answered"]
    choice = {"model": "test-model", "endpoint": endpoint.url, "requests": 1}
    job = own_studio.call("POST", "generate", {"choice": choice, "write": True}, status=202)["job"]
    wait_until(lambda: state(own_studio, job)["figures"]["captions"] >= 1)
    own_studio.process.send_signal(signal.SIGKILL)
    own_studio.process.wait()
    endpoint.post("/configure", {"latency": 0, "slots": 8})
    with running(photos) as again:
        (unfinished,) = again.call("GET", "generations")
        result = again.job("POST", f"generations/{unfinished['id']}")
        assert (result["captions"], result["left"]) == (4, 0)
        assert len(texts(again)) == 12
        assert endpoint.get("/stats")["answered"] - before <= 5  # one was under way when the studio died
        model = again.call("GET", "history")[0]["model"]
        assert found(again, f'model:"{model}"') == [8, 9, 10, 11]


def test_a_failing_endpoint_ends_in_a_line_and_keys_stay_out_of_everything(
    studio: Studio, endpoint: Server
) -> None:
    endpoint.post("/configure", {"latency": 0, "slots": 8, "fault": {"400": 1}})
    address = endpoint.url
    result = studio.job("POST", "generate", {"choice": {"model": "m", "endpoint": address}})
    assert result["captions"] == 0
    endpoint.post("/configure", {"fault": {}})
    secret = {"model": "m", "endpoint": address.replace("http://", "http://me:secret@")}
    assert "secrets" in studio.call("POST", "generate", {"choice": secret}, status=422)["detail"]
    for file in studio.folder.parent.rglob("*"):
        assert not file.is_file() or b"secret@" not in file.read_bytes()


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"model": "nope"}, "names no provider"),
        ({"model": "fake:x=1"}, "fake has no setting"),
        ({"model": "fake", "parameters": "temperature=9"}, "temperature"),
        ({"model": "fake", "parameters": "hot"}, "hot"),
        ({"model": "fake", "endpoint": "http://x"}, "fake has no endpoint"),
        ({"model": "pixels", "prompt": "Describe it"}, "pixels follows no instructions"),
        ({"model": "fake", "prompt": "/etc/passwd.txt {nothing}"}, "{nothing} is unknown"),
    ],
)
def test_choices_that_cannot_be_used_are_refused_with_their_cure(
    studio: Studio, choice: dict[str, str], message: str
) -> None:
    assert message in studio.call("POST", "generate", {"choice": choice}, status=422)["detail"]
    assert studio.call("GET", "generations") == []


def test_captioners_chains_and_prompts_are_listed(photos: Path, tmp_path: Path) -> None:
    chain = tmp_path / "two.toml"
    chain.write_text(
        '[[step]]\nname = "a"\nmodel = "fake"\n[[step]]\nname = "b"\nmodel = "fake"\nprompt = "More than {a}"\n'
    )
    with running(photos, "--chain", os.fspath(chain)) as studio:
        listed = studio.call("GET", "captioners")
        models = {one["model"]: one for one in listed["captioners"]}
        assert models["pixels"]["ready"]
        assert models["fake"]["kind"] == "here"
        assert (
            "OPENAI_API_KEY" in models["openai:gpt-4o-mini"]["needs"] or models["openai:gpt-4o-mini"]["ready"]
        )
        assert listed["chains"] == ["two"]
        names = {prompt["name"] for prompt in listed["prompts"]}
        assert "short" in names
        assert models["llava"]["prompts"] == [prompt["name"] for prompt in listed["prompts"]]
        assert (models["blip"]["prompts"], models["fake"]["prompts"]) == ([], None)
        for name in names:
            choice = {"model": "pixels", "prompt": name}
            body = {"choice": choice, "policy": "append", "scope": {"rows": [0]}}
            if name in models["pixels"]["prompts"]:
                assert studio.job("POST", "generate", body)["captions"] == 1, name
            else:
                studio.call("POST", "generate", body, status=422)
        assert studio.job("POST", "generate", {"choice": {"chain": "two"}})["captions"] == 4
        assert (
            "no chain"
            in studio.call("POST", "generate", {"choice": {"chain": "x"}, "policy": "append"}, status=404)[
                "detail"
            ]
        )
        measured = studio.call(
            "POST",
            "estimate",
            {"choice": FAKE, "policy": "append", "measure": True, "scope": {"rows": [0, 1]}},
        )
        assert (measured["pictures"], measured["probes"]) == (2, 2)
        assert measured["tokens"] > 0


def test_a_studio_for_others_calls_only_the_servers_it_was_given(photos: Path, tmp_path: Path) -> None:
    options = ("--host", "0.0.0.0", "--insecure", "--endpoint", "http://models.test/v1")
    with running(photos, *options) as studio:
        other = {"model": "m", "endpoint": "http://127.0.0.1:9/v1"}
        assert "--endpoint" in studio.call("POST", "generate", {"choice": other}, status=403)["detail"]
        path = {"model": f"hf:{tmp_path}"}
        assert "--root" in studio.call("POST", "generate", {"choice": path}, status=403)["detail"]
        assert studio.call("GET", "captioners")["endpoints"] == ["http://models.test/v1"]
