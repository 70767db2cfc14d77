"""Runs on a cluster of two nodes have the outcomes of a run in one process, in order, whatever dies."""

from __future__ import annotations

import signal

import pytest
from ray_kills import run_with_kills

from engine_outputs import NAMES, captions, check_once_each, failures, report
from processes import cutline, rest_of, start_cutline, stop, wait_until

pytest.importorskip("ray", reason="needs the extra ray")

IN_FLIGHT = 16
KILLED = ("jsonl", "json", "csv", "webdataset", "sidecar")


@pytest.mark.parametrize("form", ["jsonl", "parquet", "webdataset", "sidecar"])
def test_each_format_has_every_picture_once_and_in_order(form, endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.02)
    folder, output = pictures(60), tmp_path / NAMES[form]
    done = cutline(
        *(
            "caption",
            folder,
            output,
            "--output-format",
            form,
            "--samples-per-task",
            7,
        ),
        *(("--samples-per-shard", 9) if form == "webdataset" else ()),
        *endpoint.arguments(max_concurrent_requests=IN_FLIGHT),
        *cluster.arguments(),
    )
    assert done.returncode == 0, done.stderr
    check_once_each(endpoint, folder, output, form, twice=0)
    assert endpoint.stats()["most_in_flight"] <= IN_FLIGHT


def test_a_killed_worker_is_replaced(endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.4)
    folder, output = pictures(150), tmp_path / "captions.jsonl"
    run = start_cutline(
        *("caption", folder, output, "--samples-per-task", 20),
        *endpoint.arguments(max_concurrent_requests=IN_FLIGHT),
        *cluster.arguments(),
    )
    wait_until(lambda: endpoint.stats()["pictures"] >= 40)
    cluster.workers(endpoint)[0].kill()
    _, errors = run.communicate()
    assert run.returncode == 0, errors
    assert "died" in errors
    check_once_each(endpoint, folder, output, "jsonl", twice=IN_FLIGHT + 20)
    assert endpoint.stats()["most_in_flight"] <= IN_FLIGHT


@pytest.mark.parametrize(
    "form", ["parquet", *(pytest.param(form, marks=pytest.mark.soak) for form in KILLED)]
)
def test_three_kills_lose_nothing_and_double_nothing(form, endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.1)
    folder, output = pictures(200), tmp_path / NAMES[form]
    done = run_with_kills(endpoint, cluster, folder, output, form=form, kills=3, seed=len(form))
    assert done.returncode == 0, done.stderr
    # Those in flight, and those of the fifth of a second in which an outcome reaches the driver.
    check_once_each(endpoint, folder, output, form, twice=3 * (IN_FLIGHT + 4 * IN_FLIGHT))


def test_a_run_without_ray_goes_on_from_one_on_a_cluster_and_the_other_way_round(
    endpoint, pictures, tmp_path, cluster
):
    folder, output = pictures(60), tmp_path / "captions.jsonl"
    arguments = ("caption", folder, output, *endpoint.arguments())
    assert cutline(*arguments, "--image-limit", 20).returncode == 0
    middle = cutline(*arguments, "--image-limit", 40, *cluster.arguments())
    assert middle.returncode == 0, middle.stderr
    assert endpoint.stats()["requests"] == 40
    assert cutline(*arguments).returncode == 0
    check_once_each(endpoint, folder, output, "jsonl", twice=0)
    assert endpoint.stats()["requests"] == 60


def test_a_picture_that_kills_its_workers_fails_alone(pictures, tmp_path, cluster):
    folder, output = pictures(40), tmp_path / "captions.jsonl"
    plugin = tmp_path / "fatal.py"
    plugin.write_text(
        "import os, signal\n"
        "from cutline import register_model\n\n\n"
        "@register_model('fatal')\n"
        "class Fatal:\n"
        "    def infer(self, prompt, image, image_name):\n"
        "        if image_name.endswith('00017.png'):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return 'a picture named ' + image_name\n"
    )
    done = cutline(
        *("caption", folder, output, "--model", "fatal", "--plugin", plugin, "--samples-per-task", 10),
        *cluster.arguments(),
    )
    assert done.returncode == 1, done.stderr
    assert [key for key, _ in captions("jsonl", output)] == [
        f"{number:05}.png" for number in range(40) if number != 17
    ]
    (failed,) = failures(output)
    assert (failed["image_id"], failed["kind"]) == ("00017.png", "worker-died")
    assert failed["message"].startswith(
        "workers died over this picture, the last of them with it alone: its process was killed"
    )


def test_a_slow_picture_beside_those_that_kill_workers_is_not_blamed(pictures, tmp_path, cluster):
    folder, output, plugin = pictures(60), tmp_path / "captions.jsonl", tmp_path / "fatal.py"
    plugin.write_text(
        "import os, signal, time\n"
        "from cutline import register_model\n\n\n"
        "SECONDS = {'00002': 0.8, '00003': 3, '00005': 0.4}\n\n\n"
        "@register_model('fatal')\n"
        "class Fatal:\n"
        "    threads = 4\n\n"
        "    def infer(self, prompt, image, image_name):\n"
        "        name = image_name.removesuffix('.png')[-5:]\n"
        "        time.sleep(SECONDS.get(name, 0.1))\n"
        "        if name in ('00005', '00025'):\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return 'a picture named ' + image_name\n"
    )
    done = cutline(
        *("caption", folder, output, "--model", "fatal", "--plugin", plugin, "--samples-per-task", 60),
        *("--actors", 1, *cluster.arguments()),
    )
    assert done.returncode == 1, done.stderr
    assert [failed["image_id"] for failed in failures(output)] == ["00005.png", "00025.png"]


def test_a_model_that_kills_all_its_workers_ends_the_run_soon(pictures, tmp_path, cluster):
    folder, output = pictures(40), tmp_path / "captions.jsonl"
    plugin = tmp_path / "fatal.py"
    plugin.write_text(
        "import os, pathlib, signal\n"
        "from cutline import register_model\n\n\n"
        "@register_model('fatal')\n"
        "class Fatal:\n"
        "    def infer(self, prompt, image, image_name):\n"
        f"        if not pathlib.Path({str(tmp_path / 'repaired')!r}).exists():\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return 'a picture named ' + image_name\n"
    )
    arguments = ("caption", folder, output, "--model", "fatal", "--plugin", plugin, *cluster.arguments())
    done = cutline(*arguments)
    assert done.returncode == 3, done.stderr
    assert "stopped: workers died over 5 pictures in a row" in done.stderr
    (tmp_path / "repaired").touch()
    done = cutline(*arguments, "--retry-failed")
    assert done.returncode == 0, done.stderr
    assert [key for key, _ in captions("jsonl", output)] == [f"{number:05}.png" for number in range(40)]


def test_texts_that_are_there_are_kept_on_a_cluster_too(endpoint, pictures, tmp_path, cluster):
    folder = pictures(12)
    (folder / "00003.txt").write_text("a text of a person")
    done = cutline(
        "caption", folder, "--output-format", "sidecar", *endpoint.arguments(), *cluster.arguments()
    )
    assert done.returncode == 0, done.stderr
    assert endpoint.stats()["requests"] == 11
    assert (folder / "00003.txt").read_text() == "a text of a person"


def test_a_text_that_cannot_be_joined_is_one_failure_on_a_cluster_too(endpoint, pictures, tmp_path, cluster):
    folder = pictures(12)
    (folder / "00003.txt").write_bytes(b"a\x00 \xff\xfe bytes")
    done = cutline(
        *("caption", folder, "--output-format", "sidecar", "--existing", "append"),
        *endpoint.arguments(),
        *cluster.arguments(),
    )
    assert done.returncode == 1, done.stderr
    (failed,) = failures(folder)
    assert (failed["image_id"], failed["kind"]) == ("00003.png", "sidecar")
    assert len(list(folder.glob("*.txt"))) == 12


def test_what_workers_note_of_their_parts_is_one_line(pictures, tmp_path, cluster):
    folder, output = pictures(12), tmp_path / "captions.jsonl"
    for number in range(0, 12, 2):
        (folder / f"{number:05}.txt").write_bytes("图片标题七图片标题".encode("gb18030"))
    (tmp_path / "elsewhere.txt").write_text("a text of another folder")
    for number in (1, 11):
        (folder / f"{number:05}.txt").symlink_to(tmp_path / "elsewhere.txt")
    done = cutline(
        *("caption", folder, output, "--model", "fake", "--samples-per-task", 3, *cluster.arguments())
    )
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stderr.splitlines() if "gb18030" in line]
    assert line.startswith("6 text files not in UTF-8, read as gb18030")
    (line,) = [line for line in done.stderr.splitlines() if "--follow-links" in line]
    assert line.startswith("left out 2 texts beside pictures that lie out of the input, behind links")


def test_a_budget_is_that_of_all_workers(endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.05)
    folder, output = pictures(200), tmp_path / "captions.jsonl"
    arguments = ("caption", folder, output, *endpoint.arguments(max_concurrent_requests=8))
    assert cutline(*arguments, "--image-limit", 1).returncode == 0
    tokens = report(output)["prompt_tokens"] + report(output)["completion_tokens"]
    before = endpoint.stats()["pictures"]
    done = cutline(*arguments, "--budget-tokens", 50 * tokens, *cluster.arguments())
    assert done.returncode == 3, done.stderr
    assert "budget" in done.stderr
    assert 45 <= 1 + endpoint.stats()["pictures"] - before <= 52
    assert cutline(*arguments).returncode == 0
    assert endpoint.stats()["pictures"] == before + 199, "what was paid but not written yet is not paid again"


def test_an_interrupt_ends_cleanly_and_the_same_command_goes_on(endpoint, pictures, tmp_path, cluster):
    endpoint.configure(latency=0.2)
    folder, output = pictures(150), tmp_path / "captions.jsonl"
    arguments = (
        *("caption", folder, output),
        *endpoint.arguments(max_concurrent_requests=IN_FLIGHT),
        *cluster.arguments(),
    )
    run = start_cutline(*arguments)
    wait_until(lambda: endpoint.stats()["pictures"] >= 30)
    stop(run, signal.SIGINT)
    errors = rest_of(run)
    assert run.returncode == 130, errors
    assert "same command" in errors
    assert 30 <= len(captions("jsonl", output)) < 150
    assert cutline(*arguments).returncode == 0
    check_once_each(endpoint, folder, output, "jsonl", twice=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--address", "127.0.0.1:9"], "no Ray cluster responds at 127.0.0.1:9"),
        (["--address", None, "--gpus-per-actor", "1"], "no node of the cluster has 1 GPUs"),
        (["--address", None, "--cpus-per-actor", "64"], "no node of the cluster has 64 CPUs"),
        (["--samples-per-task", "0"], "--samples-per-task must be greater than 0"),
        (["--actors", "0"], "--actors must be greater than 0"),
        (["--cpus-per-actor", "-1"], "--cpus-per-actor must be a number from 0 up"),
    ],
)
def test_what_a_cluster_cannot_do_is_one_line(arguments, message, pictures, tmp_path, cluster):
    output = tmp_path / "captions.jsonl"
    arguments = [cluster.address if word is None else word for word in arguments]
    done = cutline("caption", pictures(2), output, "--engine", "ray", *arguments)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert not output.exists()


def test_pictures_that_rules_reject_are_skips_on_a_cluster_too(endpoint, pictures, tmp_path, cluster):
    folder, output = pictures(30), tmp_path / "captions.jsonl"
    (folder / "00031.png").write_bytes((folder / "00004.png").read_bytes())
    done = cutline("caption", folder, output, "--dedup", "exact", *endpoint.arguments(), *cluster.arguments())
    assert done.returncode == 0, done.stderr
    assert endpoint.stats()["requests"] == 30
    assert report(output)["skips"] == 1


def test_a_key_of_the_drivers_environment_reaches_the_workers_and_no_file(
    endpoint, pictures, tmp_path, cluster
):
    key = "sk-of-the-driver-alone-0123456789"
    endpoint.configure(key=key)
    folder, output = pictures(20), tmp_path / "captions.jsonl"
    arguments = ("caption", folder, output, *endpoint.arguments(), *cluster.arguments())
    refused = cutline(*arguments)
    assert refused.returncode == 3, refused.stderr
    done = cutline(*arguments, env={"CUTLINE_API_KEY": key})
    assert done.returncode == 0, done.stderr
    assert len(captions("jsonl", output)) == 20
    state = output.with_name(output.name + ".cutline")
    written = [done.stderr.encode(), output.read_bytes(), *(file.read_bytes() for file in state.iterdir())]
    assert not any(key.encode() in text for text in written)


def test_a_call_leaves_the_callers_ray_as_it_was(pictures, tmp_path, cluster):
    program = (
        "import sys, cutline, ray\n"
        "ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR')\n"
        "captions = cutline.caption(sys.argv[2], sys.argv[3], model='fake', engine='ray', progress=False)\n"
        "print(len(captions), ray.is_initialized(), ray.get(ray.remote(lambda: 7).remote()))\n"
    )
    assert cluster.python(program, pictures(5), tmp_path / "out.jsonl").split() == ["5", "True", "7"]


CLOSING = """
import os, pathlib
from cutline import register_model


@register_model("closing")
class Closing:
    def __init__(self, **options):
        self.calls = 0

    def infer(self, prompt, image, image_name):
        self.calls += 1
        if image_name.endswith("00003.png"):
            raise ValueError("it is the third")
        return "a picture named " + image_name

    def close(self):
        pathlib.Path(f"closed-{os.getpid()}").write_text(str(self.calls))
        raise OSError("the line is cut")
"""


def test_a_model_of_ones_own_is_closed_in_each_worker_and_its_log_is_the_drivers(pictures, tmp_path, cluster):
    folder, plugin = pictures(40), tmp_path / "closing.py"
    plugin.write_text(CLOSING)
    done = cutline(
        *("caption", folder, "out.jsonl", "--model", "closing", "--plugin", plugin, "--verbose"),
        *("--samples-per-task", 10, *cluster.arguments()),
        cwd=tmp_path,
    )
    assert done.returncode == 1, done.stderr
    closed = list(tmp_path.glob("closed-*"))
    assert sum(int(file.read_text()) for file in closed) == 40
    assert done.stderr.count("close model=closing failed: OSError: the line is cut") == len(closed)
    assert done.stderr.count("ValueError: it is the third\n") == 1, "the traceback"
    assert done.stderr.count("captioned key=00005.png") == 1
