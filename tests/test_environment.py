"""`make check` refuses packages that are not as ci/requirements.txt locks them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "check_environment.py"
LOCKED = {"aiohttp": "3.14.5", "torch": "2.13.0"}


@pytest.fixture(scope="module")
def script() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


@pytest.mark.parametrize(
    ("installed", "lines"),
    [
        (LOCKED, []),
        ({**LOCKED, "cutline": "0.1.0", "pip": "25.0"}, []),
        ({**LOCKED, "nvidia-cublas": "13.1", "triton": "3.8", "cuda-toolkit": "13.0"}, []),
        ({**LOCKED, "left-pad": "1.0"}, ["left-pad 1.0 is installed, but not locked"]),
        ({**LOCKED, "tritonclient": "2.0"}, ["tritonclient 2.0 is installed, but not locked"]),
        ({"aiohttp": "3.14.5"}, ["torch 2.13.0 is locked, but not installed"]),
        ({**LOCKED, "torch": "2.14.1"}, ["torch 2.14.1 is installed, but 2.13.0 is locked"]),
    ],
)
def test_differences(script, installed: dict[str, str], lines: list[str]) -> None:
    assert script["differences"](LOCKED, installed) == lines


def test_what_is_read(script) -> None:
    """The lock has hashes and markers, and the build of torch a local part, which does not count."""
    text = "aiohttp==3.14.5 \\\n    --hash=sha256:00\nUvloop_X==0.22 ; sys_platform != 'win32'\n# a==1\n"
    assert script["pinned"](text) == {"aiohttp": "3.14.5", "uvloop-x": "0.22"}
    installed = script["installed"]()
    assert installed["pytest"] == pytest.__version__
    assert "+" not in installed.get("torch", "")


def test_an_extra_package_fails_the_check(script, tmp_path: Path, monkeypatch, capsys) -> None:
    folder = tmp_path / "left_pad-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: left_pad\nVersion: 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert script["main"]() == 1
    assert "left-pad 1.0 is installed, but not locked" in capsys.readouterr().out


def test_the_locks_name_no_host() -> None:
    """They are the same on every machine, whatever index its pip uses."""
    for path in sorted((ROOT / "ci").iterdir()):
        assert not re.search(r"://|--(extra-)?index|--find-links|--trusted-host", path.read_text()), path.name
