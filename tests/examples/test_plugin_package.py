"""The example of a model as a package: built, installed elsewhere, and asked in every way there is."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet
import pytest
from PIL import Image

from processes import cutline, environment

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "plugin"
sys.path.insert(0, str(ROOT / "tests" / "service"))
from serving import Service, png  # noqa: E402

sys.path.pop(0)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a program that has the package."""
    folder = tmp_path_factory.mktemp("package")
    source = shutil.copytree(EXAMPLE, folder / "source")
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run(
        [*pip, "--target", folder / "site", source], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (folder / "site").iterdir()}
    assert {"cutline_shades.py", "cutline_shades-1.0.dist-info"} <= names
    return {"PYTHONPATH": str(folder / "site")}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for name, grey in (("black", 0), ("dim", 128), ("white", 255)):
        Image.new("RGB", (60, 40), (grey, grey, grey)).save(folder / f"{name}.png")
    return folder


def captions(path: Path) -> list[str]:
    return [json.loads(line)["caption"] for line in path.read_text().splitlines()]


def test_its_own_tests_pass(installed: dict[str, str], tmp_path: Path) -> None:
    tests = shutil.copytree(EXAMPLE / "tests", tmp_path / "tests")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path]
    done = subprocess.run(
        [*command, "-c", "/dev/null", "-W", "ignore", tests],
        cwd=tmp_path,
        env=environment(**installed, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


def test_the_command_line_finds_it(installed: dict[str, str], photos: Path, tmp_path: Path) -> None:
    listed = cutline("models", env=installed)
    assert "shades" in listed.stdout
    done = cutline("caption", photos, tmp_path / "out.jsonl", "--model", "shades", env=installed)
    assert done.returncode == 0, done.stderr
    assert captions(tmp_path / "out.jsonl") == [
        f"A {shade} picture of 60 by 40 pixels, evenly lit." for shade in ("black", "dim", "white")
    ]
    figures = cutline(
        *("caption", photos, tmp_path / "figures.jsonl", "--model", "shades:figures", "--prompt", "short"),
        env=installed,
    )
    assert figures.returncode == 0, figures.stderr
    assert captions(tmp_path / "figures.jsonl")[1] == "A 50% light picture."
    wrong = cutline("caption", photos, tmp_path / "x.jsonl", "--model", "shades:loud", env=installed)
    assert wrong.returncode == 2
    assert "shades:loud cannot be loaded: ValueError: the manner is figures or nothing" in wrong.stderr
    gone = cutline("caption", photos, tmp_path / "x.jsonl", "--model", "shades")
    assert gone.returncode == 2, "without the package nobody has that name"


def test_a_chain_asks_it(installed: dict[str, str], photos: Path, tmp_path: Path) -> None:
    done = cutline(
        *("caption", photos, tmp_path / "out.jsonl", "--step", "light=shades", "--step", "all=fake"),
        env=installed,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["captions"]["light"].split()[1] for row in rows] == ["black", "dim", "white"]
    assert {step["model"] for row in rows for step in row["steps"]} == {"shades", "fake"}


def test_an_enrichment_job_names_it(installed: dict[str, str], photos: Path, tmp_path: Path) -> None:
    told = {"MODEL_NAME": "shades", "DATA_PATH": str(photos), "OUTPUT_PATH": str(tmp_path / "out")}
    done = cutline("job", env={**installed, **told})
    assert done.returncode == 0, done.stderr
    rows = pyarrow.parquet.read_table(tmp_path / "out" / "captions.parquet").to_pylist()
    assert [Path(row["image_path"]).stem for row in rows] == ["black", "dim", "white"]


@pytest.fixture(params=["package", "file"], scope="module")
def service(
    request: pytest.FixtureRequest, installed: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """Two processes that answer, which have the model from the package or from the file."""
    folder = tmp_path_factory.mktemp("service")
    of_file = request.param == "file"
    options = ["--plugin", EXAMPLE / "cutline_shades.py"] if of_file else []
    with Service(
        *("--model", "shades:figures", "--workers", 2, *options), cwd=folder, env={} if of_file else installed
    ) as running:
        yield running


def test_every_worker_of_the_service_has_it(service: Service) -> None:
    for number in range(8):
        answer = service.client.post(
            "/caption", files={"image": ("a.png", png(number, (30, 20)), "image/png")}
        )
        assert answer.status_code == 200, answer.text
        assert "light picture of 30 by 20 pixels" in answer.text
    assert "Traceback" not in service.log


def test_a_client_cannot_bring_code_along(service: Service, tmp_path: Path) -> None:
    marked = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(marked)!r}, 'w')\n")
    answer = service.client.post(
        "/caption",
        files={"image": ("a.png", png(1), "image/png")},
        data={"plugin": str(tmp_path / "evil.py")},
    )
    assert answer.status_code == 422
    assert not marked.exists()


def test_a_file_of_settings_that_lies_about_cannot_name_code(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("open('ran', 'w')\n")
    (tmp_path / ".env").write_text("CUTLINE_PLUGIN=code.py\n")
    done = cutline("serve", "--model", "fake", cwd=tmp_path)
    assert done.returncode == 2
    assert "a .env file cannot name code to run" in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_service_whose_file_is_wrong_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("1 / 0\n")
    done = cutline("serve", "--model", "shades", "--plugin", "wrong.py", cwd=tmp_path)
    assert done.returncode == 2
    assert "the plug-in wrong.py cannot be used: ZeroDivisionError" in done.stderr
