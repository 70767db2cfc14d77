"""The files that the page on Ray shows: their form, and that their commands are ours."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from cutline.cli.app import build

PAGE = (Path(__file__).parents[2] / "docs" / "ray.md").read_text("utf-8")


def block(language):
    """The one block of the page in a language."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return found


def parse(words):
    """Accept the words of a command of cutline as the program does."""
    assert words[0] == "cutline"
    build().parse_args(words[1:], exit_on_error=False, print_error=False)


def test_the_job_for_kubernetes_is_one_with_our_command():
    job = yaml.safe_load(block("yaml"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    parse(shlex.split(job["spec"]["entrypoint"]))
    cluster = job["spec"]["rayClusterSpec"]
    pods = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    for pod in pods:
        (container,) = pod["template"]["spec"]["containers"]
        mounted = {mount["name"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["template"]["spec"]["volumes"]}
        assert all(isinstance(value, str) for value in pod["rayStartParams"].values())
    assert f"rayproject/ray:{cluster['rayVersion']}-" in block("dockerfile")


def test_the_script_for_slurm_is_one_with_our_command(tmp_path):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    script = tmp_path / "captions.sbatch"
    script.write_text(block("bash"))
    subprocess.run([bash, "-n", script], check=True)
    words = shlex.split(block("bash").replace("\\\n", " "), comments=True)
    parse(words[words.index("--", words.index("symmetric-run")) + 1 :])
