"""The lines that lead on: from the embedded captioner to a model, and to an extra that is missing."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from program import Run

from cutline.cli.model_advice import command_for
from cutline.job import Job
from cutline.machine import Machine, options_for
from cutline.options import InputOptions

ROOT = Path(__file__).resolve().parents[2]


def machine(*, memory: float = 8.0, gpu: float = 0.0, ollama: bool = False, local: bool = True) -> Machine:
    return Machine(memory=memory, gpu=gpu, ollama=ollama, local=local, key=False)


@pytest.mark.parametrize(
    ("here", "options"),
    [
        (machine(), "--model blip"),
        (machine(memory=64.0), "--model blip"),
        (machine(gpu=8.6), "--model qwen3-vl:2b"),
        (machine(gpu=16.9), "--model qwen3-vl:4b"),
        (machine(gpu=85.0), "--model qwen3-vl:8b"),
        (machine(ollama=True, memory=4.0), "--model ollama:moondream --start --pull"),
        (machine(ollama=True, memory=8.0), "--model ollama:qwen2.5vl:3b --start --pull"),
        (machine(ollama=True, memory=4.0, gpu=24.0), "--model ollama:qwen2.5vl:7b --start --pull"),
        (Machine(memory=8.0, gpu=0.0, ollama=False, local=False, key=True), "--model openai:gpt-4o-mini"),
    ],
)
def test_a_model_is_named_that_fits_the_machine(here: Machine, options: str) -> None:
    assert options_for(here)[0] == options


def test_the_command_holds_what_the_run_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    said = command_for(Job(input_path="my photos", output_path="-o.csv"), machine())
    assert said.startswith("`cutline caption 'my photos' ./-o.csv --model blip --preview 3` (")
    chosen = InputOptions(image_column="photo")
    assert command_for(Job(input_path="t.csv", input=chosen), machine()).startswith("the same command with `")
    said = command_for(Job(input_path="photos"), machine(local=False))
    assert (
        shlex.split(said.split("`")[1])[-7:]
        == shlex.split("&& cutline caption photos --model blip --preview 3")[-7:]
    )
    assert "pip install 'cutline[local]' && cutline caption photos" in said


def test_the_command_works_where_it_is_read_also_without_an_active_environment(
    here: Run, pictures: Path, tmp_path: Path
) -> None:
    path = "/usr/bin:/bin"
    ran = here("caption", pictures, "o.jsonl", PATH=path)
    line = ran.err.partition("try: `")[2].partition("`")[0].rpartition("&& ")[2]
    command = re.sub(r"--model \S+", "--model fake", line.replace(" --start --pull", ""))
    done = subprocess.run(
        ["bash", "-c", command],
        check=False,
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PATH": path},
    )
    assert (done.returncode, "checksum" in done.stdout) == (0, True), (line, done.stderr)


@pytest.fixture
def without_uvicorn(tmp_path: Path) -> Path:
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "uvicorn.py").write_text("raise ImportError('not installed')\n")
    return folder


def test_a_missing_extra_is_installed_by_the_line_that_names_it(
    cutline: Run, without_uvicorn: Path, tmp_path: Path
) -> None:
    path = f"{without_uvicorn}:{ROOT / 'src'}"
    named = "cutline: cutline serve needs an extra: "
    ran = cutline("serve", PYTHONPATH=path, PATH=str(Path(sys.executable).parent))
    assert (ran.code, ran.err) == (2, f"{named}pip install 'cutline[serve]'\n")
    ran = cutline("serve", PYTHONPATH=path, PATH=str(tmp_path))
    assert ran.err == f"{named}{shlex.quote(sys.executable)} -m pip install 'cutline[serve]'\n"


def test_a_copy_of_the_source_is_named_by_its_folder(without_uvicorn: Path, tmp_path: Path) -> None:
    """That was never installed: with the packages that it needs, but none of its own."""
    packages = tmp_path / "packages"
    packages.mkdir()
    for one in Path(sysconfig.get_path("purelib")).iterdir():
        if "cutline" not in one.name:
            (packages / one.name).symlink_to(one)
    code = f"import sys; sys.path[:0] = {[str(without_uvicorn), str(ROOT / 'src'), str(packages)]!r}\n"
    code += "from cutline.cli import main; sys.argv = ['cutline', 'serve']; sys.exit(main())"
    command = [sys.executable, "-S", "-c", code]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, env={}, cwd=tmp_path)
    assert ran.stderr.endswith(f" install '{ROOT}[serve]'\n"), ran.stderr
