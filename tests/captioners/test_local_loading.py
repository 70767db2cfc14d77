"""What stands between a model's name and its first word: files, the hub, memory, the user's options."""

from __future__ import annotations

import asyncio
import http.server
import json
import os
import re
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra local is not installed")
pytest.importorskip("transformers", reason="the extra local is not installed")

from local_pictures import folder_of
from tiny_families import FAMILIES

from cutline import registry
from cutline.errors import ConfigError
from processes import PATIENCE, cutline, start_cutline, wait_until

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
ALONE = {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return FAMILIES["llava"](tmp_path_factory.mktemp("model") / "llava")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder_of(tmp_path_factory.mktemp("data") / "photos", 5)


def opened(name: str, model: str = "hf", **options: Any) -> None:
    """Load a model and let go of it."""

    async def go() -> None:
        captioner = registry.load("captioners", model)(name, **options)
        await captioner.open()
        await captioner.aclose()

    asyncio.run(go())


def damaged(llava: Path, folder: Path, change: Callable[[Path], None]) -> Path:
    shutil.copytree(llava, folder)
    change(folder)
    return folder


def _cut(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _of_another_kind(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "bert"}))


def _of_the_future(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "llava9"}))


def _smaller(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["hidden_size"] = 16
    (folder / "config.json").write_text(json.dumps(config))


def _lacking(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "model.safetensors"
    weights = load_file(file)
    del weights[next(name for name in weights if "multi_modal_projector" in name)]
    save_file(weights, file, metadata={"format": "pt"})


def _without_processor(folder: Path) -> None:
    for name in ("processor_config.json", "preprocessor_config.json"):
        (folder / name).unlink(missing_ok=True)


def _without_tokenizer(folder: Path) -> None:
    for file in folder.glob("token*"):
        file.unlink()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_cut, "damaged"),
        (_pickled, "safetensors"),
        (_of_another_kind, "a model of type bert, which does not caption pictures"),
        (_of_the_future, "llava9"),
        (_smaller, "fit"),
        (_lacking, "lack 1 of"),
        (_without_processor, "processor"),
        (_without_tokenizer, ""),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json is damaged"),
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "safetensors"),
    ],
)
def test_a_model_that_cannot_be_loaded(
    llava: Path, tmp_path: Path, change: Callable[[Path], None], words: str
) -> None:
    folder = damaged(llava, tmp_path / "broken", change)
    with pytest.raises(ConfigError) as raised:
        opened(str(folder))
    said = str(raised.value)
    assert words in said
    assert "broken" in said, "it says which"
    assert "\n" not in said
    assert len(said) < 600


@pytest.mark.parametrize(
    ("model", "name", "options", "words"),
    [
        ("hf", "", {}, "hf:FOLDER"),
        ("hf", "no/such/folder/here", {}, "does not exist"),
        ("hf", "./nothing", {}, "does not exist"),
        ("blip", "huge", {}, "blip:base, blip:large"),
        ("qwen2-vl", "8b", {}, "qwen2-vl:72b"),
        ("blip", "", {"device": "cuda:7"}, "the device 'cuda:7' is not available"),
        ("blip", "", {"dtype": "float8"}, "--dtype"),
        ("blip", "", {"batch_size": 0}, "--batch-size"),
    ],
)
def test_names_and_options(model: str, name: str, options: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        registry.load("captioners", model)(*([name] if name else []), **options)


def test_a_model_that_is_not_here_and_no_hub(photos: Path, tmp_path: Path) -> None:
    """Whatever happens on the way, one line says what to do, and nothing is left behind."""
    ran = cutline(
        *("caption", photos, tmp_path / "out.jsonl", "--model", "blip"),
        env={**ALONE, "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": "http://127.0.0.1:9"},
    )
    assert ran.returncode == 2
    assert ran.stderr.strip().splitlines()[-1] == (
        "cutline: Salesforce/blip-image-captioning-base is not on this machine and the hub cannot be reached: "
        "go online, or copy the model here and name its folder instead (--model hf:FOLDER)"
    )
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "out.jsonl").exists()


class _Hub(http.server.BaseHTTPRequestHandler):
    """As much of the hub as a download takes: what there is in a repository, and its files."""

    files: Path
    status = 200
    error = message = ""
    weights = 0  # bytes that it says they have
    cut = False  # in the middle of the weights
    requested: threading.Event
    going_on: threading.Event | None = None  # when it answers; at once where there is none

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        if self.going_on is not None:
            self.requested.set()
            self.going_on.wait(500)
            self.send_error(500)
            return
        if self.status != 200:
            self.send_response(self.status)
            self.send_header("X-Error-Code", self.error)
            self.send_header("X-Error-Message", self.message)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path = self.path.partition("?")[0]
        if path.startswith("/api/models/"):
            sizes = {file.name: file.stat().st_size for file in self.files.iterdir()}
            names = [{"rfilename": name, "size": size} for name, size in sizes.items()]
            tree = [
                {"type": "file", "path": name, "size": size, "oid": "0" * 40} for name, size in sizes.items()
            ]
            info = {"id": "some/model", "sha": "a" * 40, "siblings": names, "tags": [], "private": False}
            data = json.dumps(tree if "/tree/" in path else info).encode()
            self._send(data, {"Content-Type": "application/json"}, body=body)
            return
        file = self.files / path.rpartition("/")[2]
        if not file.is_file():
            self.send_error(404)
            return
        data = file.read_bytes()
        headers = {"ETag": f'"{file.stat().st_size:040x}"', "X-Repo-Commit": "a" * 40}
        if self.weights and file.suffix == ".safetensors":
            headers["X-Linked-Size"] = str(self.weights)
        self._send(data, headers, body=body, cut=self.cut and file.suffix == ".safetensors")

    def _send(self, data: bytes, headers: dict[str, str], *, body: bool, cut: bool = False) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(data))}.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(data[:100] if cut else data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(llava: Path) -> Iterator[tuple[type[_Hub], str]]:
    handler = type("Hub", (_Hub,), {"files": llava})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_download_says_its_size_and_happens_once(
    hub: tuple[type[_Hub], str], llava: Path, photos: Path, tmp_path: Path
) -> None:
    _, url = hub
    env = {**ALONE, "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1"}
    ran = cutline("caption", photos, "--preview", 2, "--model", "llava:some/model", env=env)
    assert ran.returncode == 0, ran.stderr
    assert "downloading some/model: " in ran.stderr
    assert "kB" in ran.stderr or "MB" in ran.stderr
    assert "100 %" in ran.stderr
    told = re.findall(r"downloading some/model: (\d+) kB of (\d+) kB, \d+ %", ran.stderr)
    assert told
    assert all(int(done) <= int(whole) for done, whole in told), "no byte is counted twice"
    assert "Fetching" not in ran.stderr
    offline = {**env, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "1"}
    again = cutline("caption", photos, "--preview", 2, "--model", "llava:some/model", env=offline)
    assert again.returncode == 0, again.stderr
    assert "downloading" not in again.stderr
    assert again.stdout == ran.stdout


@pytest.mark.parametrize(
    ("status", "error", "message", "words"),
    [
        (404, "RepoNotFound", "", "there is no model some/model on the hub"),
        (403, "GatedRepo", "", "accept its licence"),
        (401, "", "Invalid credentials in Authorization header", "set HF_TOKEN to one that is valid"),
        (500, "", "", "cannot be reached (status 500): try again later"),
    ],
)
def test_what_a_hub_refuses(
    hub: tuple[type[_Hub], str],
    photos: Path,
    tmp_path: Path,
    status: int,
    error: str,
    message: str,
    words: str,
) -> None:
    handler, url = hub
    handler.status, handler.error, handler.message = status, error, message
    env = {**ALONE, "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": url, "HF_TOKEN": "hf_secret"}
    ran = cutline("caption", photos, tmp_path / "out.jsonl", "--model", "llava:some/model", env=env)
    assert ran.returncode == 2
    assert words in ran.stderr
    assert "Traceback" not in ran.stderr
    assert "hf_secret" not in ran.stderr


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"cut": True}, "interrupted the download: run the same command again for the missing files"),
        ({"weights": 10**18}, "HF_HOME to a folder on another disk"),
    ],
)
def test_a_download_that_cannot_end(
    hub: tuple[type[_Hub], str], photos: Path, tmp_path: Path, fault: dict[str, Any], words: str
) -> None:
    """After hours, or before they are spent: one line with the cure."""
    handler, url = hub
    for name, value in fault.items():
        setattr(handler, name, value)
    env = {**ALONE, "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": url, "HF_HUB_DISABLE_XET": "1"}
    ran = cutline("caption", photos, tmp_path / "out.jsonl", "--model", "llava:some/model", env=env)
    assert ran.returncode == 2, ran.stderr
    assert words in ran.stderr
    lines = ran.stderr.splitlines()
    assert all(line.startswith("downloading ") for line in lines[:-1]), lines
    listed = cutline("models", "llava", env=env)
    assert "downloaded" not in listed.stdout


def test_a_hub_that_may_not_be_asked(photos: Path, tmp_path: Path) -> None:
    env = {**ALONE, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    ran = cutline("caption", photos, tmp_path / "out.jsonl", "--model", "blip", env=env)
    assert ran.returncode == 2
    assert "HF_HUB_OFFLINE is set" in ran.stderr


def test_a_download_that_only_began_is_not_here(tmp_path: Path) -> None:
    snapshot = tmp_path / "hub/models--llava-hf--llava-1.5-7b-hf/snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    refs = snapshot.parent.parent / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    env = {"HF_HOME": str(tmp_path)}
    for index in (None, "{", '{"weight_map": {"a": "model-00001-of-00002.safetensors"}}'):
        if index is not None:
            (snapshot / "model.safetensors.index.json").write_text(index)
        listed = cutline("models", "llava", env=env)
        assert listed.returncode == 0, listed.stderr
        assert "downloaded" not in listed.stdout
    (snapshot / "model-00001-of-00002.safetensors").write_bytes(b"")
    assert "downloaded" in cutline("models", "llava", env=env).stdout


def test_the_whole_command_line(llava: Path, photos: Path, tmp_path: Path) -> None:
    """Captions, and a second run that asks nothing; batches of any size give the same words."""
    output = tmp_path / "out.jsonl"
    arguments = ("caption", photos, output, "--model", f"llava:{llava}", "--dtype", "float32")
    ran = cutline(*arguments, env=ALONE)
    assert ran.returncode == 0, ran.stderr
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    assert len({row["caption"] for row in rows}) == 5
    assert all(row["model"] == f"llava:{llava}" for row in rows)
    assert "nothing to caption" in cutline(*arguments, env=ALONE).stderr
    changed = cutline(*arguments, "--quantize", "8bit", env=ALONE)
    assert changed.returncode == 2
    other = tmp_path / "other.jsonl"
    cutline(
        *("caption", photos, other, "--model", f"hf:{llava}", "--dtype", "float32", "--batch-size", 1),
        env=ALONE,
    )
    assert [json.loads(line)["caption"] for line in other.read_text().splitlines()] == [
        row["caption"] for row in rows
    ]


def test_ctrl_c_while_a_model_is_loaded(hub: tuple[type[_Hub], str], photos: Path, tmp_path: Path) -> None:
    """A download must not keep anybody: the run ends within seconds."""
    handler, url = hub
    handler.requested, handler.going_on = threading.Event(), threading.Event()
    env = {**ALONE, "HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": url}
    process = start_cutline("caption", photos, tmp_path / "out.jsonl", "--model", "llava:some/model", env=env)
    wait_until(handler.requested.is_set)
    os.kill(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=PATIENCE)
    handler.going_on.set()
    assert process.returncode == 130, errors
    assert "run the same command again to continue" in errors


def test_one_bad_picture_among_good_ones(llava: Path, photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    shutil.copytree(photos, folder)
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nand nothing else")
    output = tmp_path / "out.jsonl"
    ran = cutline(
        *("caption", folder, output, "--model", f"hf:{llava}", "--dtype", "float32"),
        *("--prompt", "{stem} red", "--quiet"),
        env=ALONE,
    )
    assert ran.returncode == 1, ran.stderr
    assert len(output.read_text().splitlines()) == 5
    failed = [json.loads(line) for line in (tmp_path / "out.jsonl.failures.jsonl").read_text().splitlines()]
    assert [(row["key"], row["kind"]) for row in failed] == [("bad.png", "decode")]
