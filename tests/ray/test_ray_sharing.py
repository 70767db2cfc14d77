"""What all workers of a run share: repeated pictures, checks that compare captions, and the mark of a run before."""

from __future__ import annotations

import signal

import pytest

from engine_outputs import captions, failures, report
from processes import cutline, free_port, rest_of, start_cutline, stop, wait_until

pytest.importorskip("ray", reason="needs the extra ray")

LINES = "import os\nfrom cutline import register_model\n\n\n@register_model('lines')\nclass Lines:\n"
SAME_TEXT = LINES + "    def infer(self, prompt, image, image_name):\n        return 'A cat on a mat.'\n"


def repeated(folder, times):
    """A list of the folder's pictures, several times over."""
    names = sorted(path.name for path in folder.iterdir())
    path = folder / "list.txt"
    path.write_text("".join(f"{name}\n" for _ in range(times) for name in names))
    return path


def test_a_picture_that_comes_again_in_another_shard_is_paid_once(endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.1, fault={"500": 0.1})
    folder, output = pictures(40), tmp_path / "captions.jsonl"
    listed = repeated(folder, 5)
    done = cutline(
        *("caption", listed, output, "--samples-per-task", 20),
        *endpoint.arguments(max_concurrent_requests=16),
        *cluster.arguments(),
    )
    assert done.returncode == 0, done.stderr
    texts = [text for _, text in captions("jsonl", output)]
    assert len(texts) == 200
    assert len(set(texts)) == 40
    assert texts == 5 * texts[:40]
    assert endpoint.stats()["answered"] == 40


def test_a_killed_worker_leaves_its_requests_to_others(endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.5)
    folder, output = pictures(30), tmp_path / "captions.jsonl"
    run = start_cutline(
        *("caption", repeated(folder, 4), output, "--samples-per-task", 15),
        *endpoint.arguments(max_concurrent_requests=4),
        *cluster.arguments(),
    )
    wait_until(lambda: endpoint.stats()["pictures"] >= 8 and cluster.workers(endpoint))
    cluster.workers(endpoint)[0].kill()
    _, errors = run.communicate()
    assert run.returncode == 0, errors
    texts = [text for _, text in captions("jsonl", output)]
    assert texts == 4 * texts[:30]
    assert endpoint.stats()["answered"] <= 30 + 8


def test_captions_of_all_workers_are_compared(pictures, tmp_path, cluster):
    folder, output, plugin = pictures(60), tmp_path / "captions.jsonl", tmp_path / "lines.py"
    plugin.write_text(SAME_TEXT)
    arguments = (
        *("caption", folder, output, "--model", "lines", "--plugin", plugin, "--check", "same=7"),
        *("--samples-per-task", 10, "--allow-failures", 60, *cluster.arguments()),
    )
    first = cutline(*arguments, "--image-limit", 30)
    assert first.returncode == 0, first.stderr
    assert report(output)["captions"] == 7
    assert {failed["kind"] for failed in failures(output)} == {"same"}
    assert len(failures(output)) == 23
    second = cutline(*arguments)
    assert second.returncode == 0, second.stderr
    assert report(output)["captions"] == 7, "those of the run before count"
    assert "failed 53" in second.stderr


def test_a_run_without_anything_left_needs_no_cluster(endpoint, pictures, tmp_path, cluster):
    folder, output = pictures(20), tmp_path / "captions.jsonl"
    arguments = ("caption", folder, output, *endpoint.arguments())
    assert cutline(*arguments, *cluster.arguments()).returncode == 0
    again = cutline(*arguments, "--engine", "ray", "--address", f"127.0.0.1:{free_port()}")
    assert again.returncode == 0, again.stderr
    assert len(captions("jsonl", output)) == 20


@pytest.mark.parametrize("form", ["jsonl", "webdataset"])
def test_the_output_goes_on_behind_the_mark(form, endpoint, pictures, tmp_path, cluster):
    """What an interrupted run has written stays: its pictures are not even listed to a worker."""
    endpoint.configure(latency=0.1)
    folder, output = pictures(150), tmp_path / ("captions.jsonl" if form == "jsonl" else "shards")
    arguments = (
        *("caption", folder, output, "--output-format", form),
        *(("--samples-per-shard", 40) if form == "webdataset" else ()),
        *("--samples-per-task", 20, *endpoint.arguments(max_concurrent_requests=8)),
        *cluster.arguments(),
    )
    run = start_cutline(*arguments)
    wait_until(lambda: endpoint.stats()["pictures"] >= 70)
    stop(run, signal.SIGINT)
    assert "same command" in rest_of(run)
    written = report(output)["captions"]
    assert written >= 60
    endpoint.configure(latency=0.01)
    done = cutline(*arguments, "--verbose")
    assert done.returncode == 0, done.stderr
    keys = [key for key, _ in captions(form, output)]
    assert keys == sorted(path.name for path in folder.iterdir())
    assert report(output)["captions"] == 150
    assert endpoint.stats()["twice"] == 0
