"""The built wheel, installed where the source tree is out of reach."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tomllib
import zipfile
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built in this environment, with what it has: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    built = run(*command, "--wheel-dir", folder, ROOT, cwd=folder)
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a fresh environment's programs; the dependencies are those of this environment."""
    folder = tmp_path_factory.mktemp("elsewhere") / "env"
    made = run(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    assert made.returncode == 0, made.stderr
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = Path(
        run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder).stdout.strip()
    )
    installed = run(
        *(
            sys.executable,
            "-m",
            "pip",
            "--python",
            python,
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            wheel,
        ),
        cwd=folder,
    )
    assert installed.returncode == 0, installed.stderr
    # The dependencies, but not the editable install beside them: its hook is a .pth file, which
    # counts only in a folder that Python itself takes for a site.
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return python.parent


def test_what_is_in_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        metadata = next(name for name in names if name.endswith(".dist-info/METADATA"))
        about = archive.read(metadata).decode()
        entry_points = archive.read(metadata.replace("METADATA", "entry_points.txt")).decode()
    packaged = {name for name in names if name.startswith("cutline/")}
    source = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src" / "cutline").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packaged == source
    assert {
        "cutline/py.typed",
        "cutline/engine/prices.toml",
        "cutline/prompt_library/fields.toml",
    } <= packaged
    assert {name.partition("/")[0] for name in names - packaged} == {metadata.partition("/")[0]}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "cutline = cutline.cli:main" in entry_points
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"Requires-Python: {project['requires-python']}" in about
    for extra in project["optional-dependencies"]:
        assert f"Provides-Extra: {extra}" in about


def test_it_captions_without_the_source_tree(elsewhere: Path, tmp_path: Path) -> None:
    where = run(elsewhere / "python", "-c", "import cutline; print(cutline.__file__)", cwd=tmp_path)
    assert Path(where.stdout.strip()).is_relative_to(elsewhere.parent), where
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (64, 48), "teal").save(tmp_path / "photos" / "a.png")
    ran = run(elsewhere / "cutline", "caption", "photos", cwd=tmp_path, COLUMNS="80")
    assert ran.returncode == 0, ran.stderr
    assert "a.png" in ran.stdout
    assert "teal" in (tmp_path / "captions.jsonl").read_text()
    fields = run(elsewhere / "cutline", "prompts", "show", "fields", cwd=tmp_path)
    assert '"short"' in fields.stdout
    model = ["--model", "openai:gpt-4o-mini", "--api-key", "k", "--endpoint", "http://127.0.0.1:9/v1"]
    priced = run(
        elsewhere / "cutline", "caption", "photos", "--preview", "1", "--max-cost", "1", *model, cwd=tmp_path
    )
    assert "cannot connect" in priced.stdout + priced.stderr, "the built-in price table was found"
