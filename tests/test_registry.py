"""Names to classes, of packages that are installed while the program runs."""

from __future__ import annotations

import collections

from cutline import registry


def test_a_package_that_is_installed_meanwhile_is_found(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    assert "meanwhile" not in registry.names("captioners")
    info = tmp_path / "meanwhile_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: meanwhile-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cutline.captioners]\nmeanwhile = collections:Counter\n")
    assert "meanwhile" in registry.names("captioners")
    assert registry.load("captioners", "meanwhile") is collections.Counter
