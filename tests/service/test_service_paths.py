"""Paths in requests open what lies below --image-root, and tell nothing of what lies elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest
from serving import Service, png

from server_process import FOLDER as SERVERS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("paths")
    root, outside = folder / "root", folder / "outside"
    for place in (root / "inner", outside, folder / "root-too"):
        place.mkdir(parents=True)
        (place / "there.png").write_bytes(png(1))
    (root / "mine.png").write_bytes(png(2))
    (root / "link-to-file.png").symlink_to(outside / "there.png")
    (root / "link-to-nothing.png").symlink_to(outside / "absent.png")
    (root / "link").symlink_to(outside)
    (root / "chain").symlink_to(root / "link")
    (root / "fine.png").symlink_to(root / "mine.png")
    (root / "folder.png").mkdir()
    (root / "text.png").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def service(folder):
    with Service("--image-root", folder / "root", cwd=folder) as service:
        yield service


def ask(service, path):
    answer = service.client.post("/caption", json={"image_path": path})
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("../outside/NAME", 403),
        ("inner/../../outside/NAME", 403),
        ("./.././outside/NAME", 403),
        ("link/NAME", 403),
        ("chain/NAME", 403),
        ("FOLDER/outside/NAME", 403),
        ("//FOLDER/outside/NAME", 403),
        ("../root-too/NAME", 403),
        ("FOLDER/root/../outside/NAME", 403),
        ("file://FOLDER/outside/NAME", 403),
        ("/proc/self/cwd/outside/NAME", 403),
        ("../outside/NAME\0.png", 403),
        ("inner\0/NAME", 403),
        ("%2e%2e/outside/NAME", 404),
        ("..%2foutside%2fNAME", 404),
        ("..\\outside\\NAME", 404),
        ("~/outside/NAME", 404),
        ("mine.png/../../outside/NAME", 403),
        ("inner/there.png/NAME", 404),
    ],
)
def test_outside_answers_tell_nothing(service, folder, form, status):
    form = form.replace("FOLDER", str(folder))
    there = ask(service, form.replace("NAME", "there.png"))
    absent = ask(service, form.replace("NAME", "absent.png"))
    assert there == absent
    assert there[0] == status
    assert str(folder) not in str(there[1])
    names = [form.replace("NAME", name) for name in ("there.png", "absent.png")]
    found = service.client.post("/batch-caption", json={"image_paths": names}).json()
    assert [item["caption"] for item in found] == [None, None]
    assert len({(item["error"], item["kind"]) for item in found}) == 1


def test_links_out_look_alike_wherever_they_lead(service):
    assert ask(service, "link-to-file.png") == ask(service, "link-to-nothing.png")
    assert ask(service, "link-to-file.png")[0] == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("mine.png", 200),
        ("inner/there.png", 200),
        ("inner/../mine.png", 200),
        ("fine.png", 200),
        ("absent.png", 404),
        ("a" * 300 + ".png", 404),
        ("a/" * 2000 + ".png", 404),
        ("folder.png", 415),
        ("text.png", 415),
        ("", 422),
        ("a" * 5000, 422),
        (".", 403),
    ],
)
def test_inside(service, folder, path, status):
    code, body = ask(service, path)
    assert code == status, body
    assert str(folder) not in str(body)


def test_absolute_path_below_the_root(service, folder):
    assert ask(service, str(folder / "root" / "mine.png"))[0] == 200


def test_no_paths_without_a_root(folder):
    with Service(cwd=folder) as service:
        assert ask(service, "root/mine.png")[0] == 403
        assert ask(service, "root/absent.png") == ask(service, "root/mine.png")


def test_where_a_local_model_lies_is_not_told(tmp_path):
    """Its own folder's name is: clients may ask for it by that."""
    for library in ("torch", "transformers"):
        pytest.importorskip(library, reason="the extra local is not installed")
    model = tmp_path / "hidden" / "tiny"
    subprocess.run([sys.executable, SERVERS / "tiny_model.py", model], check=True, capture_output=True)
    (tmp_path / "chain.toml").write_text(f'[[step]]\nname = "only"\nmodel = "hf:{model}"\n')
    with Service("--model", f"hf:{model}", "--chain", "chain.toml", cwd=tmp_path) as service:
        picture = {"files": {"image": ("a.png", png(1, (64, 48)))}}
        answers = [
            service.client.post("/caption", **picture, data={"max_tokens": "60"}),
            service.client.post("/caption", **picture, data={"max_tokens": "2"}),
            *(service.client.get(path) for path in ("/models", "/ready", "/v1/models")),
        ]
    assert [answer.status_code for answer in answers] == [200, 422, 200, 200, 200]
    assert answers[0].json()["model"] == "hf:tiny"
    assert "hf:tiny was not done" in answers[1].json()["detail"]
    assert answers[2].json()["chains"] == [{"name": "chain", "steps": {"only": "hf:tiny"}}]
    assert not any("hidden" in answer.text for answer in answers)
