"""How downloads of pictures name themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError
from processes import cutline_here

OWN = "gallery-captions/2.0 (gallery@example.com)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    Image.new("RGB", (64, 48), "teal").save(folder / "a.png")
    return folder


def test_the_program_and_its_version_or_what_is_given(servers, folder, tmp_path, monkeypatch) -> None:
    server = servers("scripted.py", "--folder", str(folder))
    server.get("/agents")
    url = f"{server.root}/pictures/a.png"
    (tmp_path / "urls.txt").write_text(url)
    (tmp_path / "t.csv").write_text(f"image_url\n{url}\n")
    monkeypatch.chdir(tmp_path)
    allowed = ("--allow-private-urls",)
    agents = {}
    for options in ((), ("--user-agent", OWN)):
        for command in (
            ("caption", "urls.txt", f"u{len(options)}.jsonl", *allowed),
            ("caption", "t.csv", f"t{len(options)}.jsonl", *allowed),
            ("compare", "pixels", "fake", "--input-path", "urls.txt", "-o", f"{len(options)}.html", *allowed),
        ):
            ran = cutline_here(*command, *options)
            assert ran.returncode == 0, ran.stderr
            agents.setdefault(options, set()).update(server.get("/agents"))
    assert cutline.caption(url, allow_private_urls=True, user_agent="mine/1").caption
    with cutline.load("pixels", allow_private_urls=True) as model:
        assert model.caption(url).caption
    assert agents == {(): {f"cutline/{cutline.__version__}"}, ("--user-agent", OWN): {OWN}}
    assert server.get("/agents") == ["mine/1", f"cutline/{cutline.__version__}"]


@pytest.mark.parametrize("name", ["", " ", "a\nb: c", "café"])
def test_a_name_that_cannot_be_sent_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="user_agent must be a line"):
        cutline.caption("x.png", user_agent=name)
