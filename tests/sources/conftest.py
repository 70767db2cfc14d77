from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image


def _encode(color=(200, 80, 20), size=(16, 12), form="JPEG"):
    file = io.BytesIO()
    Image.new("RGB", size, color).save(file, form)
    return file.getvalue()


@pytest.fixture(scope="session")
def jpeg():
    """Makes a small JPEG of one colour."""
    return _encode


@pytest.fixture
def photos(tmp_path):
    """A folder with pictures of awkward names: 9 of them, two with captions."""
    root = tmp_path / "photos"
    data = _encode()
    for name in (
        "a/1.jpg", "b/1.jpg", "same.jpg", "same.PNG", "c d/it's \"q\"\n2.jpeg", "c d/\N{GRINNING FACE}.webp",
        "x" * 250 + ".jpg", "z.TIFF", "b/deep/er/2.gif",
    ):  # fmt: skip
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "a/1.txt").write_text("stem caption\n")
    (root / "b/1.jpg.txt").write_bytes(b"\xef\xbb\xbfname caption")
    (root / "b/1.txt").write_text("not this one")
    (root / "notes.md").write_text("no picture")
    (root / ".hidden.jpg").write_bytes(data)
    (root / "._same.jpg").write_bytes(data)
    (root / ".git").mkdir()
    (root / ".git" / "x.jpg").write_bytes(data)
    return root


@pytest.fixture(scope="session")
def server():
    """The address of a server in another process."""
    script = Path(__file__).with_name("http_server.py")
    with subprocess.Popen(
        [sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()
