"""An enrichment job whose input and output are on S3, and how it continues in another container."""

from __future__ import annotations

import json
import signal
import sys
import time

import duckdb
import pandas as pd
import pytest
from job_surroundings import environment_of

from processes import PATIENCE, cutline, start_cutline, wait_until

COLUMNS = {
    "image_id": "VARCHAR",
    "image_path": "VARCHAR",
    "caption": "VARCHAR",
    "metadata": "STRUCT(folder VARCHAR, file_name VARCHAR)",
    "model": "VARCHAR",
    "prompt_id": "VARCHAR",
    "prompt_tokens": "BIGINT",
    "completion_tokens": "BIGINT",
    "finish_reason": "VARCHAR",
    "seconds": "DOUBLE",
    "captions": "VARCHAR",
    "fields": "VARCHAR",
    "text": "VARCHAR",
    "steps": "VARCHAR",
    "llm": "VARCHAR",
}

MODEL = """
import time
from cutline import register_model


class Result:
    def __init__(self, caption, llm_response):
        self.caption, self.llm_response = caption, llm_response


@register_model("mine")
class Mine:
    def infer(self, prompt, image, image_name):
        with open("asked.txt", "a") as file:
            file.write(image_name + "\\n")
        time.sleep({pause})
        name = image_name.rpartition("/")[2]
        return Result(f'A "caption", ünïcode of {{name}}', {{"id": name, "words": ["a", "b"], "n": 1.5}})
"""


@pytest.fixture
def mine(tmp_path):
    def write(pause=0.0):
        (tmp_path / "mine.py").write_text(MODEL.format(pause=pause))
        return {"MODEL_NAME": "mine", "CUTLINE_JOB_PLUGIN": "mine.py"}

    return write


def asked(tmp_path):
    return sorted(line.rpartition("/")[2] for line in (tmp_path / "asked.txt").read_text().splitlines())


def test_parquet_on_s3_is_read_back_column_by_column(job, photos, bucket, mine, tmp_path):
    for path in sorted(photos(5).iterdir()):
        bucket.write(f"in/deep/{path.name}", path.read_bytes())
    done = job(**mine(), **bucket.environment, DATA_PATH=f"{bucket.url}/in", OUTPUT_PATH=f"{bucket.url}/out/")
    assert done.returncode == 0, done.stderr
    local = tmp_path / "read.parquet"
    local.write_bytes(bucket.read("out/captions.parquet"))
    frame = pd.read_parquet(local)
    told = duckdb.sql(f"DESCRIBE SELECT * FROM '{local}'").fetchall()
    assert {name: kind for name, kind, *_ in told} == COLUMNS
    assert list(frame.columns) == list(COLUMNS)
    names = [f"{number:02}.png" for number in range(5)]
    expected = {
        "image_path": [f"{bucket.url}/in/deep/{name}" for name in names],
        "caption": [f'A "caption", ünïcode of {name}' for name in names],
        "llm": [{"id": name, "words": ["a", "b"], "n": 1.5} for name in names],
    }
    by_duckdb = duckdb.sql(f"SELECT image_path, caption, llm FROM '{local}' ORDER BY image_path").fetchall()
    for place, (name, values) in enumerate(expected.items()):
        for found in (list(frame[name]), [row[place] for row in by_duckdb]):
            assert [json.loads(value) if name == "llm" else value for value in found] == values
    first = duckdb.sql(f"SELECT llm::JSON ->> 'id' FROM '{local}' WHERE image_id = 'deep/03.png'").fetchall()
    assert first == [("03.png",)]


def test_the_folder_on_s3_can_be_read_as_one_table(job, photos, bucket, mine, monkeypatch):
    import s3fs

    done = job(**mine(), **bucket.environment, DATA_PATH=photos(3), OUTPUT_PATH=f"{bucket.url}/out")
    assert done.returncode == 0, done.stderr
    assert any(name.startswith("out/_captions.parquet.cutline/journal/") for name in bucket.names())
    for name, value in bucket.environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    try:
        assert len(pd.read_parquet(f"{bucket.url}/out")) == 3
    finally:
        s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("home", ["home", "another-home"])
def test_sigterm_half_way_and_the_same_job_goes_on_also_elsewhere(home, job, photos, bucket, mine, tmp_path):
    told = {**mine(pause=0.1), **bucket.environment}
    told |= {"DATA_PATH": photos(30), "OUTPUT_PATH": f"{bucket.url}/out", "CUTLINE_ML_ROOT": tmp_path / "ml"}
    (tmp_path / "ml").mkdir()
    process = start_cutline("job", cwd=tmp_path, env=environment_of(tmp_path / "home", told))
    wait_until(lambda: (tmp_path / "asked.txt").exists() and len(asked(tmp_path)) > 5)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM, errors
    assert "nothing is lost" in errors
    message = (tmp_path / "ml" / "output" / "failure").read_text()
    assert message.startswith("interrupted; ")
    assert "run the same job again to continue" in message
    before = len(asked(tmp_path))
    assert before < 30
    mine()
    done = job(home=home, **told)
    assert done.returncode == 0, done.stderr
    assert ("continuing from" in done.stderr) == (home != "home")
    assert asked(tmp_path) == [f"{number:02}.png" for number in range(30)], "each was asked exactly once"
    local = tmp_path / "read.parquet"
    local.write_bytes(bucket.read("out/captions.parquet"))
    frame = pd.read_parquet(local)
    assert list(frame["image_id"]) == [f"{number:02}.png" for number in range(30)]
    assert not (tmp_path / "ml" / "output" / "failure").exists()
    assert (tmp_path / "ml" / "output" / "message").read_text().startswith("30 captions, 0 failed")


@pytest.mark.parametrize("name", ["frame.parquet", "frame.parquet/", "frame.parquet/*.parquet"])
def test_a_dataframe_in_parts_on_s3_is_one_input(name, job, served, bucket, mine, tmp_path):
    url, _ = served
    for part in range(2):
        frame = pd.DataFrame({"url": [f"{url}/{number:02}.png" for number in (part, part + 1)]})
        bucket.write(f"in/frame.parquet/part-{part}.parquet", frame.to_parquet())
    told = {**mine(), **bucket.environment, "DATA_PATH": f"{bucket.url}/in/{name}", "OUTPUT_PATH": "out"}
    done = job("--allow-private-urls", **told)
    assert done.returncode == 0, done.stderr
    assert asked(tmp_path) == ["00.png", "01.png", "02.png"]


def test_failures_and_report_lie_beside_the_state_and_go_when_they_are_mended(job, photos, bucket, mine):
    folder = photos(3)
    good = (folder / "01.png").read_bytes()
    (folder / "01.png").write_bytes(b"no picture")
    told = {**mine(), **bucket.environment, "DATA_PATH": folder, "OUTPUT_PATH": f"{bucket.url}/out"}
    done = job(**told)
    assert done.returncode == 1
    state = "out/_captions.parquet.cutline"
    failures = [json.loads(line) for line in bucket.read(f"{state}/failures.jsonl").splitlines()]
    assert [failure["key"] for failure in failures] == ["01.png"]
    assert json.loads(bucket.read(f"{state}/report.json"))["failures"] == 1
    (folder / "01.png").write_bytes(good)
    again = job("--retry-failed", home="another-home", **told)
    assert again.returncode == 0, again.stderr
    assert json.loads(bucket.read(f"{state}/report.json"))["captions"] == 3
    assert f"{state}/failures.jsonl" not in bucket.names()


def test_an_output_of_someone_else_is_not_replaced(job, photos, bucket, mine):
    bucket.write("out/captions.parquet", b"something else")
    told = {**mine(), **bucket.environment, "DATA_PATH": photos(2), "OUTPUT_PATH": f"{bucket.url}/out"}
    refused = job(**told)
    assert refused.returncode == 2
    assert "already exists" in refused.stderr
    assert bucket.read("out/captions.parquet") == b"something else"
    done = job("--existing", "overwrite", **told)
    assert done.returncode == 0, done.stderr
    assert bucket.read("out/captions.parquet").startswith(b"PAR1")


def test_storage_that_refuses_is_one_line(job, photos, bucket, mine):
    done = job(
        **mine(), **bucket.environment, DATA_PATH=photos(1), OUTPUT_PATH="s3://no-such-bucket-here/out"
    )
    assert done.returncode == 4
    assert "s3://no-such-bucket-here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("job", "--data-path", "photos", "--model-name", "mine", "--output-path", "s3://no-such-bucket/out"),
        ("caption", "photos", "s3://no-such-bucket/c.jsonl", "--model", "mine"),
        ("caption", "photos", "s3://no-such-bucket/c", "--output-format", "webdataset", "--model", "mine"),
    ],
)
def test_storage_that_cannot_be_written_is_found_out_before_anything_is_asked(
    arguments, photos, bucket, mine, tmp_path
):
    photos(3)
    mine()
    told = environment_of(tmp_path / "home", bucket.environment)
    done = cutline(*arguments, "--plugin", "mine.py", cwd=tmp_path, env=told)
    assert done.returncode == 4, done.stderr
    assert sum(line.startswith("cutline: ") for line in done.stderr.splitlines()) == 1
    assert "s3://no-such-bucket/" in done.stderr
    assert not (tmp_path / "asked.txt").exists()


def test_a_killed_job_goes_on_in_the_same_home(job, photos, bucket, mine, tmp_path):
    if sys.platform == "win32":
        pytest.skip("there is no SIGKILL")
    told = {**mine(pause=1), **bucket.environment, "DATA_PATH": photos(12), "OUTPUT_PATH": bucket.url}
    process = start_cutline("job", cwd=tmp_path, env=environment_of(tmp_path / "home", told))
    wait_until(lambda: (tmp_path / "asked.txt").exists() and len(asked(tmp_path)) > 3)
    time.sleep(0.5)  # in the middle of a call: what the one before returned is in the journal
    process.kill()
    process.communicate()
    mine()
    done = job(**told)
    assert done.returncode == 0, done.stderr
    twice = len(asked(tmp_path)) - 12
    assert 0 <= twice <= 1, "only the one that was under way"
    assert bucket.read("captions.parquet").startswith(b"PAR1")
