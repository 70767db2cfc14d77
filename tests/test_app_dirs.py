from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cutline.app_dirs import cache_dir, state_dir


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have their own places")
def test_defaults_and_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in (None, ""):
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
            monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
        assert cache_dir() == tmp_path / ".cache" / "cutline"
        assert state_dir() == tmp_path / ".local" / "state" / "cutline"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "c"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    assert (cache_dir(), state_dir()) == (tmp_path / "c" / "cutline", tmp_path / "s" / "cutline")
