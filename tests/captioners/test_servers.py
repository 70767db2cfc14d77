"""Servers that are started: with which words, what is told of them, and what is refused."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import cutline as package
from cutline.display import Display
from cutline.engine.progress import Progress
from cutline.errors import ConfigError
from processes import cutline, cutline_here
from server_programs import SERVERS, Programs, make_pictures


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    return Programs(tmp_path / "programs")


@pytest.fixture
def here(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """With the programs found by this process too."""
    for name in list(os.environ):
        if name.endswith("_KEY"):
            monkeypatch.delenv(name)
    for name, value in programs.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("tempfile.tempdir", None)
    return programs


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return make_pictures(tmp_path / "pictures", 3)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens to."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def captions(path: Path) -> list[str]:
    return [json.loads(line)["caption"] for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("model", "name", "words"),
    [
        ("vllm:org/sees-7b", "vllm", ["serve", "org/sees-7b"]),
        ("sglang:org/sees-7b", "sglang", ["serve", "--model-path", "org/sees-7b"]),
        ("llamacpp:org/sees-GGUF:Q4_K_M", "llama-server", ["-hf", "org/sees-GGUF:Q4_K_M"]),
    ],
)
def test_each_is_started_in_its_own_words_and_gone_afterwards(
    programs: Programs, pictures: Path, tmp_path: Path, model: str, name: str, words: list[str]
) -> None:
    done = cutline(
        "caption",
        pictures,
        "out.jsonl",
        "--model",
        model,
        "--start",
        cwd=tmp_path,
        env=programs.environment(),
    )
    assert done.returncode == 0, done.stderr
    assert captions(tmp_path / "out.jsonl") == [
        f"{name} saw {len_of(path)} characters." for path in sorted(pictures.iterdir())
    ]
    (noted,) = programs.started
    port = noted["words"][-1]
    assert noted["words"] == [*words, "--host", "127.0.0.1", "--port", port]
    assert f"starting {model.partition(':')[0]}: its log is {tmp_path}" in done.stderr
    assert programs.alive == []
    assert programs.logs == [], "of a run that went well nothing is left"


def len_of(path: Path) -> int:
    """Characters of the data URL that the picture is sent as."""
    return len("data:image/png;base64,") + 4 * ((path.stat().st_size + 2) // 3)


def test_a_file_sees_with_the_projector_beside_it(here: Programs, pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights"
    folder.mkdir()
    model, eyes = folder / "sees.gguf", folder / "mmproj-sees-f16.gguf"
    model.touch()
    eyes.touch()
    ran = cutline_here("caption", pictures, tmp_path / "out.csv", "--model", f"llamacpp:{model}", "--start")
    assert ran.returncode == 0, ran.stderr
    assert here.started[0]["words"][:4] == ["-m", str(model), "--mmproj", str(eyes)]


def test_sglang_without_a_program_of_its_own_is_run_by_python(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = Programs(tmp_path / "programs", names=())
    package_folder = tmp_path / "site" / "sglang"
    package_folder.mkdir(parents=True)
    (package_folder / "__init__.py").touch()
    (package_folder / "launch_server.py").write_text(
        f"import sys\nsys.argv.insert(1, 'serve')\nsys.path.insert(0, {str(SERVERS)!r})\n"
        "import local_servers\nlocal_servers.main('sglang')\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    for name, value in (programs.environment() | {"PYTHONPATH": str(tmp_path / "site")}).items():
        monkeypatch.setenv(name, value)
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", "--model", "sglang:sees", "--start")
    assert ran.returncode == 0, ran.stderr
    assert programs.started[0]["words"][:3] == ["serve", "--model-path", "sees"]
    assert programs.alive == []


def test_further_options_are_taken_apart_without_a_shell(
    here: Programs, pictures: Path, tmp_path: Path
) -> None:
    more = """--max-model-len 4096 --limit-mm-per-prompt '{"image": 1}' --gpu-memory-utilization=0.8"""
    ask = ["--model", "vllm:sees", "--start", "--server-args", more]
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", *ask)
    assert ran.returncode == 0, ran.stderr
    wanted = [
        "--max-model-len",
        "4096",
        "--limit-mm-per-prompt",
        '{"image": 1}',
        "--gpu-memory-utilization=0.8",
    ]
    assert here.started[0]["words"][-5:] == wanted
    harmless = f"$(touch {tmp_path}/shell) ; touch {tmp_path}/shell"
    ran = cutline_here(
        "caption",
        pictures,
        tmp_path / "o.jsonl",
        "--model",
        "vllm:sees",
        "--start",
        "--server-args",
        harmless,
    )
    assert ran.returncode == 2
    assert "unrecognized arguments" in ran.stderr
    assert not (tmp_path / "shell").exists()


def test_a_key_is_handed_over_where_nobody_sees_it(
    here: Programs, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-another-service")
    key = tmp_path / "key"
    key.write_text("secret-of-vllm")
    ask = ["--model", "vllm:sees", "--start", "--api-key-file", key, "--verbose"]
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", *ask)
    assert ran.returncode == 0, ran.stderr
    (noted,) = here.started
    assert noted["environment"] == {"VLLM_API_KEY": "secret-of-vllm"}
    assert not any("secret-of-vllm" in word for word in noted["words"])
    assert "secret-of-vllm" not in ran.stderr + ran.stdout
    monkeypatch.setenv("LIKE_DIES", "ValueError: the key secret-of-vllm is none")
    ran = cutline_here("caption", pictures, tmp_path / "two.jsonl", *ask)
    assert ran.returncode == 2
    assert "secret-of-vllm" not in ran.stderr
    assert "ValueError: the key" in ran.stderr


def test_a_key_from_the_environment_is_both_sides(
    here: Programs, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLAMA_API_KEY", "k")
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", "--model", "llamacpp:org/m", "--start")
    assert ran.returncode == 0, ran.stderr
    assert here.started[0]["environment"] == {"LLAMA_API_KEY": "k"}


def test_a_server_that_dies_before_it_can_be_asked(
    here: Programs, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKE_DIES", "Traceback\n  torch.OutOfMemoryError: CUDA out of memory\n~~~~~^^^^")
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", "--model", "sglang:sees", "--start")
    (log,) = here.logs
    assert ran.returncode == 2
    last = ran.stderr.splitlines()[-1]
    assert last.startswith("cutline: sglang ended with code 1 before it was ready; ")
    assert last.endswith(f"its log {log} has: torch.OutOfMemoryError: CUDA out of memory")
    assert not (tmp_path / "out.jsonl").exists()
    assert here.alive == []
    monkeypatch.delenv("LIKE_DIES")
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", "--model", "sglang:sees", "--start")
    assert ran.returncode == 0, ran.stderr


def test_a_log_is_shown_as_it_stands(
    here: Programs, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Brackets of paths and modules are no markup, and colours of a server's are not ours."""
    monkeypatch.setenv("LIKE_DELAY", "0.6")
    monkeypatch.setenv("LIKE_SAYS", "\x1b[1m[/models] [engine.py:9] loading [red]")
    ran = cutline_here(
        "caption", pictures, tmp_path / "out.jsonl", "--model", "vllm:sees", "--start", "--quiet"
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    ran = cutline_here("caption", pictures, "--model", "vllm:sees", "--start", "--preview", "1")
    assert "starting vllm: \\x1b[1m[/models] [engine.py:9] loading [red]\n" in ran.stderr


def test_the_lines_of_a_log_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        display.show(Progress(waiting_for="starting vllm: [/models] loading [red]"))
    assert capsys.readouterr().err == "starting vllm: [/models] loading [red]\n"


def test_a_server_that_takes_too_long(
    here: Programs, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKE_DELAY", "600")
    ask = ["--model", "llamacpp:org/m", "--start", "--start-timeout", "0.5"]
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", *ask)
    assert ran.returncode == 2
    assert "llamacpp is not ready after 0.5 s: increase --start-timeout" in ran.stderr
    assert here.alive == []


def test_nothing_is_started_where_nothing_is_left_to_ask(
    here: Programs, pictures: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", "--model", "vllm:sees", "--start")
        assert ran.returncode == 0, ran.stderr
    assert len(here.started) == 1
    more = ["--server-args", "--max-model-len 9"]
    changed = cutline_here(
        "caption", pictures, tmp_path / "out.jsonl", "--model", "vllm:sees", "--start", *more
    )
    assert changed.returncode == 2
    assert "--max-model-len 9" in changed.stderr, "what decides the words has changed"


@pytest.mark.parametrize("by", ["--port", "--endpoint"])
def test_a_fixed_port(here: Programs, pictures: Path, tmp_path: Path, taken: int, by: str) -> None:
    def ask(port: int) -> Any:
        given = str(port) if by == "--port" else f"http://localhost:{port}/v1"
        return cutline_here(
            "caption", pictures, tmp_path / "o.jsonl", "--model", "vllm:m", "--start", by, given
        )

    refused = ask(taken)
    assert refused.returncode == 2
    assert f"vllm cannot be started at port {taken} (Address already in use)" in refused.stderr
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    ran = ask(free)
    assert ran.returncode == 0, ran.stderr
    assert here.started[0]["words"][-1] == str(free)


def test_a_chain_shares_one_server(here: Programs, pictures: Path, tmp_path: Path) -> None:
    chain = tmp_path / "chain.toml"
    chain.write_text(
        "[[step]]\nname = 'one'\nmodel = 'vllm:sees'\nstart = true\nmax_tokens = 20\nprompt = 'What?'\n"
        "[[step]]\nname = 'two'\nmodel = 'vllm:sees'\nstart = true\nmax_tokens = 40\nprompt = 'More than {one}?'\n"
        "[[step]]\nname = 'three'\nmodel = 'sglang:sees'\nstart = true\nprompt = 'More than {two}?'\n"
    )
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", "--chain", chain)
    assert ran.returncode == 0, ran.stderr
    assert sorted(one["name"] for one in here.started) == ["sglang", "vllm"]
    assert here.alive == []


def test_calls_at_one_time_share_one_server(
    here: Programs, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is ready first must not end it for the others, nor hand on one that is about to end."""
    monkeypatch.setenv("LIKE_LINGER", "0.2")
    with ThreadPoolExecutor(3) as pool:
        runs = [pool.submit(package.caption, pictures, model="sglang:sees", start=True) for _ in range(9)]
        assert [len(run.result()) for run in runs] == [3] * 9
    assert here.alive == []


def test_a_comparison_starts_one_after_the_other(here: Programs, pictures: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    ask = ["vllm:a", "vllm:b", "pixels", "--input-path", pictures, "--output-path", report, "--start"]
    ran = cutline_here("compare", *ask)
    assert ran.returncode == 0, ran.stderr
    assert [one["words"][1] for one in here.started] == ["a", "b"]
    assert here.alive == []
    assert "vllm saw" in report.read_text()


def test_a_job_file_and_python(here: Programs, pictures: Path, tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    options = ["--model", "vllm:sees", "--start", "--server-args", "--max-model-len 9", "--save-job", job]
    saved = cutline_here("caption", pictures, tmp_path / "out.jsonl", *options)
    assert saved.returncode == 0, saved.stderr
    assert '[server]\nstart = true\nserver_args = "--max-model-len 9"\n' in job.read_text()
    ran = cutline_here("run", job)
    assert ran.returncode == 0, ran.stderr
    rows = package.caption(pictures, model="vllm:sees", start=True)
    assert [row["caption"] for row in rows] == captions(tmp_path / "out.jsonl")
    assert len(here.started) == 2
    assert here.alive == []


def test_a_container_says_it_by_variables(
    here: Programs, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"MODEL_NAME": "vllm:sees", "DATA_PATH": pictures, "OUTPUT_PATH": tmp_path / "out"}
    said |= {"CUTLINE_JOB_START": "true", "CUTLINE_JOB_SERVER_ARGS": "--max-model-len 9"}
    for name, value in said.items():
        monkeypatch.setenv(name, str(value))
    ran = cutline_here("job")
    assert ran.returncode == 0, ran.stderr
    assert here.started[0]["words"][-2:] == ["--max-model-len", "9"]
    assert here.alive == []


def test_a_preview_starts_it_too(here: Programs, pictures: Path) -> None:
    ran = cutline_here("caption", pictures, "--model", "vllm:sees", "--start", "--preview", "2")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("vllm saw") == 2
    assert here.alive == []


def test_what_a_proxy_would_take_is_asked_here(
    here: Programs, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{taken}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{taken}")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    ran = cutline_here(
        "caption", pictures, tmp_path / "o.jsonl", "--model", "vllm:m", "--start", "--timeout", "5"
    )
    assert ran.returncode == 0, ran.stderr


MISTAKES = [
    (["--model", "openai:m", "--start"], "openai does not support --start; remove it"),
    (["--model", "pixels", "--start"], "pixels does not support --start; remove it"),
    (["--model", "nim:m", "--start"], "nim does not support --start; remove it"),
    (["--model", "gemini:m", "--port", "8000"], "gemini does not support --port; remove it"),
    (["--model", "vllm:m", "--pull"], "vllm does not support --pull; remove it"),
    (["--model", "m", "--endpoint", "http://localhost:1/v1", "--start"], "endpoint does not support --start"),
    (["--model", "vllm", "--start"], "vllm needs a model name: --model vllm:NAME"),
    (["--model", "vllm:--trust-remote-code", "--start"], "a model's name cannot start with -"),
    (["--model", "vllm:a\0b", "--start"], "cannot hold a null character"),
    (
        ["--model", "vllm:m", "--start", "--server-args", "\0"],
        "arguments cannot hold a null character: remove it",
    ),
    (["--model", "vllm:m", "--server-args", "--x"], "--server-args has no effect alone: add --start"),
    (["--model", "vllm:m", "--start-timeout", "5"], "--start-timeout has no effect alone: add --start"),
    (["--model", "vllm:m", "--start", "--start-timeout", "0"], "--start-timeout must be greater than 0"),
    (["--model", "vllm:m", "--port", "70000"], "--port must be between 1 and 65535, not 70000"),
    (["--model", "vllm:m", "--port", "8", "--endpoint", "http://localhost:8/v1"], "remove --port"),
    (["--model", "vllm:m", "--start", "--endpoint", "http://gpu:8000/v1"], "remove --endpoint or --start"),
    (
        ["--model", "vllm:m", "--start", "--endpoint", "http://localhost/v1"],
        "is not a local address with a port",
    ),
    (["--model", "vllm:m", "--start", "--server-args", "--port 9"], "use --port of cutline"),
    (
        ["--model", "vllm:m", "--start", "--server-args", "--api-key=x"],
        "other users of the machine could see it",
    ),
    (
        ["--model", "vllm:m", "--start", "--server-args", "'"],
        "--server-args is invalid: no closing quotation",
    ),
    (["--model", "ollama:m", "--start", "--server-args", "--x"], "ollama does not support --server-args"),
    (["--model", "sglang:m", "--start", "--api-key", "k"], "takes no key but as an argument"),
    (["--model", "llamacpp:./absent.gguf", "--start"], "no such file; name a .gguf file"),
]


@pytest.mark.parametrize(("ask", "said"), MISTAKES)
def test_what_cannot_be_is_one_line_that_names_the_cure(
    here: Programs, pictures: Path, tmp_path: Path, ask: list[str], said: str
) -> None:
    ran = cutline_here("caption", pictures, tmp_path / "out.jsonl", *ask)
    assert ran.returncode == 2
    assert said in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert here.started == []


@pytest.mark.parametrize(
    ("model", "install"),
    [
        ("vllm:m", "pip install vllm"),
        ("sglang:m", "pip install 'sglang[all]'"),
        ("llamacpp:m", "brew install llama.cpp"),
        ("ollama:m", "brew install ollama, or see https://ollama.com/download"),
    ],
)
def test_a_missing_program_is_told_with_what_installs_it(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, install: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError) as raised:
        package.caption(pictures, model=model, start=True)
    assert install in str(raised.value)
