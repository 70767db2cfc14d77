"""Damaged pictures must not write to the error stream behind our back."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import pathlib, sys
from cutline.errors import PictureError
from cutline.imaging import Picture
from cutline.locations.stored import LocalFile

opened = 0
for path in sorted(pathlib.Path(sys.argv[1]).glob("*.tif*")):
    try:
        Picture(LocalFile(str(path))).image()
        opened += 1
    except PictureError:
        pass
print(opened)
"""


def test_damaged_tiffs_say_nothing_on_the_error_stream(shared_data):
    folder = shared_data / "bad-images" / "files"
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder)], capture_output=True, text=True, timeout=60, check=True
    )
    assert int(result.stdout) > 0
    assert result.stderr == ""
