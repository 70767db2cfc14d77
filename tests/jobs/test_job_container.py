"""An enrichment job in SageMaker's container: its folders, its hosts, and its last words."""

from __future__ import annotations

import json
import signal

import pyarrow.parquet
import pytest
from job_surroundings import environment_of, fill

from processes import PATIENCE, start_cutline, wait_until


def rows(path):
    return pyarrow.parquet.read_table(path).to_pylist()


@pytest.fixture
def ml(tmp_path):
    """/opt/ml as a processing job finds it."""
    root = tmp_path / "ml"
    for folder in ("processing/input", "processing/output", "output", "config"):
        (root / folder).mkdir(parents=True)
    return root


def words(ml, name):
    path = ml / "output" / name
    return path.read_text() if path.exists() else None


def test_input_and_output_are_where_sagemaker_puts_them(job, ml):
    fill(ml / "processing/input/photos", 3)
    done = job(MODEL_NAME="fake", CUTLINE_ML_ROOT=ml)
    assert done.returncode == 0, done.stderr
    assert len(rows(ml / "processing/output/captions.parquet")) == 3
    assert words(ml, "failure") is None
    assert words(ml, "message").startswith("3 captions, 0 failed: ")


def test_a_folder_that_sagemaker_has_not_made_is_named(job_here, ml):
    fill(ml / "processing/input", 1)
    (ml / "processing/output").rmdir()
    done = job_here(MODEL_NAME="fake", CUTLINE_ML_ROOT=ml)
    assert done.returncode == 2
    assert "OUTPUT_PATH is missing: set it in the environment, or pass --output-path" in done.stderr
    assert f"the default {ml / 'processing/output'} does not exist" in done.stderr
    assert words(ml, "failure") in done.stderr
    without = job_here(CUTLINE_ML_ROOT=ml, MODEL_NAME="")
    assert "processing/input" not in without.stderr


def test_a_table_alone_in_the_input_is_the_input(job, ml, served):
    url, _ = served
    (ml / "processing/input/urls.csv").write_text(f"url\n{url}/00.png\n{url}/01.png\n{url}/00.png\n")
    done = job("--allow-private-urls", MODEL_NAME="fake", CUTLINE_ML_ROOT=ml)
    assert done.returncode == 0, done.stderr
    assert len(rows(ml / "processing/output/captions.parquet")) == 2


@pytest.mark.parametrize(
    ("arguments", "told", "code", "words_of_it"),
    [
        ((), {}, 2, "MODEL_NAME is missing"),
        (("--model-nam", "x"), {"MODEL_NAME": "fake"}, 2, "nknown option"),
        (("--num-of-threads", "x"), {"MODEL_NAME": "fake"}, 2, "must be a whole number"),
        ((), {"MODEL_NAME": "nobody"}, 2, "MODEL_NAME: 'nobody' names no provider"),
        ((), {"MODEL_NAME": "fake:error=1"}, 1, "0 captions, 3 failed (3 captioner)"),
        (("--stop-after-failures", "2"), {"MODEL_NAME": "fake:error=1"}, 3, "2 pictures in a row failed"),
    ],
)
def test_the_reason_of_a_failure_is_left_where_it_is_looked_for(
    arguments, told, code, words_of_it, job_here, ml
):
    fill(ml / "processing/input", 3)
    done = job_here(*arguments, **told, CUTLINE_ML_ROOT=ml)
    assert done.returncode == code, done.stderr
    assert words_of_it in words(ml, "failure")
    assert words(ml, "failure") == words(ml, "message")


def test_long_reasons_are_cut_within_a_character_and_never_empty(job_here, ml):
    done = job_here("--data-path", "ü" * 2000, MODEL_NAME="fake", CUTLINE_ML_ROOT=ml)
    assert done.returncode == 2
    assert 1000 < len((ml / "output/failure").read_bytes()) <= 1024
    assert words(ml, "failure").startswith("DATA_PATH")


def test_allowed_failures_are_a_success(job, ml):
    fill(ml / "processing/input", 3)
    (ml / "processing/input/01.png").write_bytes(b"no picture")
    done = job("--allow-failures", 1, MODEL_NAME="pixels:no-ocr", CUTLINE_ML_ROOT=ml)
    assert done.returncode == 0, done.stderr
    assert words(ml, "failure") is None
    assert "2 captions, 1 failed (1 unsupported)" in words(ml, "message")


def test_outside_of_a_container_nothing_is_left(job, photos, tmp_path):
    job(MODEL_NAME="nobody", DATA_PATH=photos(1), OUTPUT_PATH="out")
    assert not list(tmp_path.rglob("failure"))


def test_sigterm_half_way_leaves_local_captions_and_the_same_job_goes_on(job, ml, tmp_path):
    fill(ml / "processing/input", 40)
    told = {"MODEL_NAME": "fake:latency=0.2,slots=2", "CUTLINE_ML_ROOT": ml}
    process = start_cutline("job", cwd=tmp_path, env=environment_of(tmp_path / "home", told))
    journal = ml / "processing/output/_captions.parquet.cutline/journal.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 143
    done = len(rows(ml / "processing/output/captions.parquet"))
    assert 0 < done < 40
    again = job(**told)
    assert again.returncode == 0, again.stderr
    found = rows(ml / "processing/output/captions.parquet")
    assert [row["image_id"] for row in found] == [f"{number:02}.png" for number in range(40)]


# Several hosts


def shares(job, ml, hosts, how):
    """What each host's job wrote."""
    for host in hosts:
        told = {"MODEL_NAME": "fake", "CUTLINE_ML_ROOT": ml}
        if how == "environment":
            told |= {"SM_HOSTS": json.dumps(hosts), "SM_CURRENT_HOST": host}
        else:
            config = {"current_host": host, "hosts": hosts, "network_interface_name": "eth0"}
            (ml / "config/resourceconfig.json").write_text(json.dumps(config))
        done = job(**told)
        assert done.returncode == 0, done.stderr
    paths = sorted((ml / "processing/output").glob("*.parquet"))
    return [(path.name, [row["image_id"] for row in rows(path)]) for path in paths]


@pytest.mark.parametrize("how", ["environment", "config"])
def test_several_hosts_share_the_input(how, job, ml):
    fill(ml / "processing/input", 30)
    found = shares(job, ml, ["algo-1", "algo-2", "algo-3"], how)
    assert [name for name, _ in found] == [f"captions-{number}-of-3.parquet" for number in (1, 2, 3)]
    keys = [key for _, keys in found for key in keys]
    assert sorted(keys) == [f"{number:02}.png" for number in range(30)], "each picture is one host's"
    assert all(keys for _, keys in found)


def test_an_input_that_sagemaker_has_divided_is_not_divided_again(job, ml):
    fill(ml / "processing/input", 4)
    place = {"LocalPath": "/opt/ml/processing/input", "S3DataDistributionType": "ShardedByS3Key"}
    place["LocalPath"] = str(ml / "processing/input")
    (ml / "config/processingjobconfig.json").write_text(
        json.dumps({"ProcessingInputs": [{"S3Input": place}]})
    )
    found = shares(job, ml, ["algo-1", "algo-2"], "config")
    assert [len(keys) for _, keys in found] == [4, 4], "on hosts of their own these would be other pictures"
