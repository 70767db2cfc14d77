"""Nodes that lack what a job needs: one line says which and what, and the others go on without them."""

from __future__ import annotations

import json

import pytest

from cutline.files import content_digest
from cutline.job import Job
from cutline.options import InputOptions, ModelOptions
from cutline.ray.node_check import digests_of, inputs_of, problem_here
from cutline.ray.placement import cause_of
from engine_outputs import captions, check_once_each, failures
from processes import cutline, free_port

pytest.importorskip("ray", reason="needs the extra ray")

# Changes what the cluster has recorded of itself when it was started, which whoever joins compares.
PRETEND = """
import json, sys
import ray
ray.init(address=sys.argv[1], log_to_driver=False, logging_level="ERROR")
kv = ray._private.worker.global_worker.gcs_client
record = json.loads(kv.internal_kv_get(b"CLUSTER_METADATA", b"cluster"))
print(json.dumps({name: record[name] for name in ("ray_version", "python_version")}))
record |= json.loads(sys.argv[2])
kv.internal_kv_put(b"CLUSTER_METADATA", json.dumps(record).encode(), True, b"cluster")
"""


@pytest.mark.parametrize(
    ("changed", "shown"),
    [({"ray_version": "2.9.3"}, "Ray: 2.9.3"), ({"python_version": "3.10.14"}, "Python: 3.10.14")],
)
def test_another_version_on_the_cluster_is_one_line(changed, shown, pictures, tmp_path, cluster):
    own = json.loads(cluster.python(PRETEND, json.dumps(changed)).splitlines()[-1])
    output = tmp_path / "captions.jsonl"
    try:
        done = cutline("caption", pictures(2), output, "--model", "fake", *cluster.arguments())
    finally:
        # Whoever joins is refused now, so the record is set right by the library that does not compare.
        cluster.python(PRETEND.replace("ray.init(", "ray._private.utils.check_version_info = "
                       "lambda *_, **__: None\nray.init("), json.dumps(own))  # fmt: skip
    assert done.returncode == 2, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("cutline: ")]
    assert f"the cluster at {cluster.address} runs other versions; install the same Ray and Python" in line
    assert shown in line
    assert not output.exists()


def test_a_node_that_does_not_reach_the_endpoint_is_left_out(new_endpoint, pictures, tmp_path, cluster):
    endpoint = new_endpoint(latency=0.5)
    folder, output = pictures(120), tmp_path / "captions.jsonl"
    # An address of this machine that goes through a proxy, where a node has one.
    url = endpoint.url.replace("127.0.0.1", "[::ffff:127.0.0.1]")
    node = cluster.join(http_proxy=f"http://127.0.0.1:{free_port()}", no_proxy="127.0.0.1,localhost")
    try:
        done = cutline(
            *("caption", folder, output, "--endpoint", url, "--model", "test", "--retry-delay", 0.05),
            *("--max-concurrent-requests", 6, "--samples-per-task", 10, *cluster.arguments()),
        )
    finally:
        node.kill()
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if "the other nodes continue without it" in line]
    assert len(lines) == 1
    assert "cannot connect to the proxy" in lines[0]
    check_once_each(endpoint, folder, output, "jsonl", twice=0)
    assert failures(output) == []


def test_an_endpoint_that_nobody_reaches_ends_the_run(pictures, tmp_path, cluster):
    output = tmp_path / "captions.jsonl"
    done = cutline(
        *("caption", pictures(40), output, "--endpoint", f"http://127.0.0.1:{free_port()}/v1"),
        *("--model", "test", "--retry-delay", 0.05, "--samples-per-task", 10, *cluster.arguments()),
    )
    assert done.returncode == 3, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("stopped: ")]
    assert "is the server running?" in line
    assert not failures(output)


def job(tmp_path, **options):
    folder = tmp_path / "photos"
    folder.mkdir(exist_ok=True)
    (folder / "notes.txt").write_text("of somebody")
    (folder / "a.png").write_bytes(b"a picture")
    return Job(input_path=str(folder), **options)


def problem(made, tmp_path, monkeypatch, *, files=None):
    """What a node would find missing of a job."""
    monkeypatch.chdir(tmp_path)
    return problem_here(str(tmp_path), digests_of(made) if files is None else files, inputs_of(made))


def test_a_node_with_everything_has_no_problem(tmp_path, monkeypatch):
    assert problem(job(tmp_path), tmp_path, monkeypatch) == ""
    for path in ("s3://bucket/photos", "https://pictures.example/list.txt", str(tmp_path / "{a,b}.tar")):
        assert inputs_of(Job(input_path=path)) == {}


@pytest.mark.parametrize("change", ["gone", "empty", "other"])
def test_a_node_with_another_folder_is_named_by_what_it_lacks(change, tmp_path, monkeypatch):
    made = job(tmp_path, input=InputOptions(image_root=str(tmp_path / "photos")))
    inputs = inputs_of(made)
    folder = tmp_path / "photos"
    if change == "other":
        (folder / "a.png").write_bytes(b"another picture")
    else:
        for path in folder.iterdir():
            path.unlink()
        if change == "gone":
            folder.rmdir()
    monkeypatch.chdir(tmp_path)
    line = problem_here(str(tmp_path), {}, inputs)
    assert "put the input where all nodes share it" in line
    assert str(folder if change == "gone" else folder / "a.png") in line


@pytest.mark.parametrize("change", ["gone", "other"])
def test_a_plugin_that_is_only_here_is_named(change, tmp_path, monkeypatch):
    plugin = tmp_path / "mine.py"
    plugin.write_text("# a model")
    made = job(tmp_path, model=ModelOptions(plugin=(str(plugin),)))
    files = digests_of(made)
    assert files == {str(plugin): content_digest(b"# a model")}
    if change == "gone":
        plugin.unlink()
    else:
        plugin.write_text("# another model")
    found = problem(made, tmp_path, monkeypatch, files=files)
    assert found == f"{plugin} is missing or another file; put it where all nodes share it"


def test_a_folder_that_is_only_here_is_named(tmp_path):
    assert problem_here(str(tmp_path / "mine"), {}, {}) == (
        f"the folder {tmp_path / 'mine'} is not there; start from one that all nodes share"
    )


HUNGRY = """
from cutline import register_model


@register_model("hungry")
class Hungry:
    def __init__(self, **options):
        {load}

    def infer(self, prompt, image, image_name):
        if image_name.endswith("00003.png"):
            bytearray(1 << 62)
        return "a picture named " + image_name
"""


def test_a_worker_without_memory_for_a_picture_fails_that_alone(pictures, tmp_path, cluster):
    output, plugin = tmp_path / "captions.jsonl", tmp_path / "hungry.py"
    plugin.write_text(HUNGRY.format(load="pass"))
    done = cutline(
        *("caption", pictures(8), output, "--model", "hungry", "--plugin", plugin, *cluster.arguments())
    )
    assert done.returncode == 1, done.stderr
    assert len(captions("jsonl", output)) == 7
    (failed,) = failures(output)
    assert (failed["image_id"], failed["kind"]) == ("00003.png", "out-of-memory")


def test_workers_without_memory_for_the_model_are_one_line(pictures, tmp_path, cluster):
    output, plugin = tmp_path / "captions.jsonl", tmp_path / "hungry.py"
    plugin.write_text(HUNGRY.format(load="bytearray(1 << 62)"))
    done = cutline(
        *("caption", pictures(8), output, "--model", "hungry", "--plugin", plugin, *cluster.arguments())
    )
    assert done.returncode == 2, done.stderr
    assert "hungry cannot be loaded: MemoryError" in done.stderr
    assert len([line for line in done.stderr.splitlines() if line.startswith("cutline: ")]) == 1
    assert not output.exists()


def test_variables_of_headers_are_the_drivers(endpoint, pictures, tmp_path, cluster):
    output = tmp_path / "captions.jsonl"
    done = cutline(
        *("caption", pictures(4), output, "--header", "X-Team: $CUTLINE_TEST_TEAM"),
        *endpoint.arguments(),
        *cluster.arguments(),
        env={"CUTLINE_TEST_TEAM": "painters"},
    )
    assert done.returncode == 0, done.stderr
    assert endpoint.last_headers["X-Team"] == "painters"


def test_a_worker_that_ray_kills_for_memory_is_named_with_a_cure():
    from ray.exceptions import OutOfMemoryError

    text = (
        "1 worker(s) were killed due to the node running low on memory. Memory on the node (IP: 10.0.0.7, ID: 91c3) "
        "was 9.98GB used / 23.54GB limit (0.423809)\nOOM kill reason: Memory usage exceeded threshold\n"
        "Refer to the documentation on how to address the out of memory issue: https://docs.ray.io/en/latest/."
    )
    assert cause_of(OutOfMemoryError(text)) == (
        "its node ran out of memory (9.98GB of 23.54GB were used); --cpus-per-actor 2 or more lets fewer workers run "
        "there"
    )
