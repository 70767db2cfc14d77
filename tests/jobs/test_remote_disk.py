"""Remote outputs on a machine whose own disk is full: that of the state, and that of temporary files."""

from __future__ import annotations

import json
import subprocess

import pytest
from job_surroundings import environment_of

from processes import cutline

COUNT = 30
FORMS = {
    "out.jsonl": (),
    "shards": ("--output-format", "webdataset", "--samples-per-shard", 8),
}


@pytest.fixture
def disk(tmp_path):
    """A folder with a file system of its own; ``resize`` changes its size, in pages."""
    folder = tmp_path / "disk"
    folder.mkdir()
    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=4096", "none", str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("there is no mount program here")
    if done.returncode:
        pytest.skip(f"may not mount a file system here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def resize(disk, pages):
    subprocess.run(["mount", "-o", f"remount,size={pages * 4096}", str(disk)], check=True)


@pytest.mark.parametrize("name", FORMS)
def test_a_remote_output_is_finished_once_there_is_space(name, disk, photos, bucket, endpoint, tmp_path):
    photos(COUNT)
    environment = environment_of(disk / "home", bucket.environment) | {"TMPDIR": str(disk)}
    model = ("--model", "test", "--endpoint", endpoint.url, "--max-concurrent-requests", 2)
    output = f"{bucket.url}/{name}"
    before, refusals = endpoint.stats()["requests"], []
    for pages in (1, 14, 30, 500):
        resize(disk, pages)
        done = cutline("caption", "photos", output, *model, *FORMS[name], cwd=tmp_path, env=environment)
        if done.returncode == 0:
            break
        refusals.append(done)
        assert not [key for key in bucket.names() if key == name]
    assert done.returncode == 0, done.stderr
    assert len(refusals) >= 2
    for refusal in refusals:
        assert refusal.returncode == 4, refusal.stderr
        assert "No space left on device" in refusal.stderr
        assert "the same command" in refusal.stderr
        assert "Traceback" not in refusal.stderr
    # What could not be written down is paid again: those under way, and one whose line was cut.
    assert endpoint.stats()["requests"] - before <= COUNT + 3 * len(refusals)
    names = [key for key in bucket.names() if key.startswith("_") and "/journal/" in key]
    rows = [json.loads(line) for key in names for line in bucket.read(key).splitlines()]
    assert {row["key"] for row in rows if "key" in row} == {f"{number:02}.png" for number in range(COUNT)}
