"""A run on a cluster says of its input and its outcomes what one in a single process says."""

from __future__ import annotations

import re
import shutil

import pytest

from engine_outputs import failures
from engine_pictures import png
from processes import cutline

pytest.importorskip("ray", reason="needs the extra ray")

TIME = re.compile(r"\d+(\.\d+)? s\b")
SIDECAR = ("--output-format", "sidecar", "--existing", "append")


def fill(folder):
    """Pictures, some of which fail or are left out, and texts in another encoding."""
    folder.mkdir(parents=True)
    (folder / ".hidden.png").write_bytes(png())
    for number in range(24):
        (folder / f"{number:05}.png").write_bytes(png() if number % 8 != 3 else b"no picture")
        (folder / f"{number:05}.txt").write_bytes("图片标题七图片标题".encode("gb18030"))
        (folder / f"{number:05}.json").write_text("[1]")
    (folder / "00007.png").write_bytes(b"")
    (folder / "00009.png").unlink()
    (folder / "00009.png").symlink_to("nowhere.png")


def said(done):
    """Its exit code and what it printed, without times, progress, and what only a cluster has."""
    lines = TIME.sub("T", done.stdout + done.stderr).splitlines()
    own = ("connecting to Ray", "starting workers")
    return done.returncode, [line for line in lines if not line.startswith(own) and "in flight" not in line]


@pytest.mark.parametrize("options", [(), SIDECAR], ids=["table", "sidecars"])
def test_a_run_and_the_one_that_goes_on_from_it_have_the_summary_of_one_process(
    options, endpoint, tmp_path, cluster
):
    fill(tmp_path / "made")
    runs = {"alone": (), "on a cluster": ("--samples-per-task", 5, *cluster.arguments())}
    found = {}
    for name, engine in runs.items():
        work = tmp_path / "work"
        shutil.copytree(tmp_path / "made", work / "in", symlinks=True)
        output = "in" if options else "out.jsonl"
        arguments = ("caption", "in", output, *options, *endpoint.arguments(), *engine)
        limits = (("--image-limit", 11), ())
        found[name] = [said(cutline(*arguments, *limit, cwd=work)) for limit in limits]
        found[name].append(failures(work / output))
        shutil.rmtree(work)
    assert found["on a cluster"] == found["alone"]
    (code, lines), *_ = found["alone"]
    assert code == 1
    assert any("text files not in UTF-8, read as gb18030" in line for line in lines)
