"""An enrichment job by its environment, by arguments, by both, and what is said when neither makes sense."""

from __future__ import annotations

import json
import os
import urllib.request

import pandas as pd
import pyarrow.parquet
import pytest
from job_surroundings import fill
from PIL import Image

from processes import Endpoint


def rows(path):
    return pyarrow.parquet.read_table(path).to_pylist()


TEMPLATE = {
    "system_prompt": "You are a helpful AI assistant.",
    "prompt_prefix": "Describe the following image in detail:",
    "prompt_suffix": "Please provide a detailed caption for the image. \nQ:",
    "cot_prompt": {"image_path": "example.png", "explanation": 'A: "Park moments"'},
    "regex": ".*",
}


@pytest.fixture
def template(tmp_path):
    Image.new("RGB", (30, 20), "teal").save(tmp_path / "example.png")
    path = tmp_path / "prompt.json"
    path.write_text(json.dumps(TEMPLATE))
    return path


def comparable(path):
    return [{**row, "seconds": 0, "steps": "", "llm": json.loads(row["llm"])["bytes"]} for row in rows(path)]


def test_the_whole_response_is_left_out_on_demand(job_here, photos, tmp_path):
    for place, options, told in (
        ("whole", (), {}),
        ("without", ("--no-include-raw",), {}),
        ("variable", (), {"CUTLINE_JOB_INCLUDE_RAW": "false"}),
    ):
        done = job_here(*options, MODEL_NAME="fake", DATA_PATH=photos(2), OUTPUT_PATH=place, **told)
        assert done.returncode == 0, done.stderr
        assert ("llm" in rows(tmp_path / place / "captions.parquet")[0]) == (place == "whole")
        for name in told:
            os.environ.pop(name)


def test_the_environment_alone_arguments_alone_and_both_give_the_same(job, photos, template, tmp_path):
    told = {
        "MODEL_NAME": "fake",
        "DATA_PATH": photos(4),
        "PROMPT_PATH": template,
        "NUM_OF_THREADS": 2,
        "IMAGE_TARGET_SIZE": 30,
    }
    arguments = [
        part for name, value in told.items() for part in (f"--{name.lower().replace('_', '-')}", value)
    ]
    by_environment = job(**told, OUTPUT_PATH="one")
    by_arguments = job(*arguments, "--output-path", "two")
    both = job(*arguments[:4], **{**told, "MODEL_NAME": "nobody"}, OUTPUT_PATH="three")
    for done in (by_environment, by_arguments, both):
        assert done.returncode == 0, done.stderr
    one, two, three = (comparable(tmp_path / name / "captions.parquet") for name in ("one", "two", "three"))
    assert one == two == three
    assert len(one) == 4
    assert {row["prompt_id"].partition("@")[0] for row in one} == {"prompt"}
    assert "takes precedence" not in by_environment.stderr + by_arguments.stderr
    assert both.stderr.count("takes precedence") == 1
    assert (
        "cutline: --model-name fake takes precedence over MODEL_NAME=nobody in the environment" in both.stderr
    )


def test_an_endpoint_is_asked_with_the_template_and_its_whole_response_is_kept(
    job, served, template, tmp_path
):
    url, folder = served
    server = url.removesuffix("/pictures")
    said = "The picture shows a colour. <caption>A colour.</caption>"
    ask(f"{server}/script", {"content": said})
    template.write_text(json.dumps({**TEMPLATE, "regex": "<caption>.*?</caption>"}))
    done = job(
        MODEL_NAME="test",
        CUTLINE_JOB_ENDPOINT=f"{server}/v1",
        CUTLINE_JOB_MAX_TOKENS=2048,
        DATA_PATH=folder,
        PROMPT_PATH=template,
        OUTPUT_PATH="out",
    )
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "out" / "captions.parquet")
    assert {row["caption"] for row in found} == {"A colour."}
    assert {json.loads(row["llm"])["choices"][0]["message"]["content"] for row in found} == {said}
    body = ask(f"{server}/last")["body"]
    assert body["max_tokens"] == 2048
    system, user = body["messages"]
    assert system["content"] == TEMPLATE["system_prompt"]
    kinds = [part["type"] for part in user["content"]]
    assert kinds == ["text", "image_url", "text", "text", "image_url"], (
        "prefix, example, its words, suffix, picture"
    )


def ask(url, data=None):
    body = None if data is None else json.dumps(data).encode()
    with urllib.request.urlopen(url, body, timeout=240) as answer:
        return json.loads(answer.read() or b"null") if data is None else None


def test_several_values_of_a_variable_are_a_list(job, photos, tmp_path):
    done = job(
        CUTLINE_JOB_STEP='["first=fake", "second=fake"]', DATA_PATH=photos(2), OUTPUT_PATH="out.parquet"
    )
    assert done.returncode == 0, done.stderr
    assert [list(json.loads(row["captions"])) for row in rows(tmp_path / "out.parquet")] == [
        ["first", "second"]
    ] * 2


def test_what_is_told_reaches_the_run(job, photos, tmp_path):
    (tmp_path / "mine.py").write_text(
        "import threading\nfrom cutline import register_model\n"
        "@register_model('mine')\nclass Mine:\n"
        "    gate = threading.Barrier(3)\n"
        "    def infer(self, prompt, image, image_name):\n"
        "        self.gate.wait(240)\n"  # breaks when fewer than three come at once
        "        return f'{image.size} {prompt.prefix}'\n"
    )
    (tmp_path / "p.txt").write_text("What is it?")
    done = job(
        MODEL_NAME="mine",
        CUTLINE_JOB_PLUGIN="mine.py",
        DATA_PATH=photos(9),
        PROMPT_PATH="p.txt",
        OUTPUT_PATH="x.parquet",
        NUM_OF_THREADS=3,
        IMAGE_TARGET_SIZE=30,
        CUTLINE_JOB_CAPTION_PREFIX="It is so:",
    )
    assert done.returncode == 0, done.stderr
    assert {row["caption"] for row in rows(tmp_path / "x.parquet")} == {"It is so: (30, 20) What is it?"}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"MODEL_NAME": "", "DATA_PATH": "", "OUTPUT_PATH": ""}, "MODEL_NAME, DATA_PATH and OUTPUT_PATH are missing: set them in the environment, or pass --model-name"),
        ({"OUTPUT_PATH": ""}, "OUTPUT_PATH is missing: set it"),
        ({"MODEL_NAME": "  "}, "MODEL_NAME is missing"),
        ({"MODEL_NAME": "my_new_model"}, "MODEL_NAME: 'my_new_model' names no provider"),
        ({"MODEL_NAME": "my_new_model"}, "`cutline models` lists all"),
        ({"MODEL_NAME": "my_new_model"}, "(in the environment: CUTLINE_JOB_ENDPOINT, CUTLINE_JOB_PLUGIN)"),
        ({"CUTLINE_JOB_DEVICE": "cpu"}, "does not support --device; remove it (in the environment: CUTLINE_JOB_DEVICE)"),
        ({"DATA_PATH": "links.csv"}, "(in the environment: CUTLINE_JOB_IMAGE_COLUMN, URL_COLUMN)"),
        ({"CUTLINE_JOB_MODEL": "fake"}, "no option --model; it is MODEL_NAME"),
        ({"CUTLINE_JOB_PLUGN": "mine.py"}, "no option --plugn; did you mean CUTLINE_JOB_PLUGIN?"),
        ({"CUTLINE_JOB_NUM_THREADS": "2"}, "did you mean NUM_OF_THREADS?"),
        ({"PROMT_PATH": "tpl.json"}, "PROMT_PATH is not a setting of `cutline job`: did you mean PROMPT_PATH?"),
        ({"IMAGE_TARGETSIZE": "512"}, "did you mean IMAGE_TARGET_SIZE?"),
        ({"NUM_THREADS": "2"}, "did you mean NUM_OF_THREADS?"),
        ({"URL_COLUM": "link"}, "did you mean URL_COLUMN?"),
        ({"prompt_path": "tpl.json"}, "did you mean PROMPT_PATH?"),
        ({"CULTINE_JOB_PLUGIN": "mine.py"}, "did you mean CUTLINE_JOB_PLUGIN?"),
        ({"CUTLINE_JOB_RETRY_FAILED": "maybe"}, 'must be true or false, not "maybe"'),
        ({"DATA_PATH": "nowhere"}, "DATA_PATH: nowhere does not exist"),
        ({"DATA_PATH": "empty"}, "DATA_PATH: empty holds neither pictures nor a table"),
        ({"DATA_PATH": "tables"}, "DATA_PATH: tables holds 2 tables (a.csv, b.csv): name one of them"),
        ({"NUM_OF_THREADS": "many"}, 'NUM_OF_THREADS from environment: must be a whole number, not "many"'),
        ({"NUM_OF_THREADS": "0"}, "NUM_OF_THREADS must be greater than 0, not 0"),
        ({"IMAGE_TARGET_SIZE": "-3"}, "IMAGE_TARGET_SIZE must be greater than 0, not -3: it is the longest side"),
        ({"IMAGE_TARGET_SIZE": "512x512"}, "IMAGE_TARGET_SIZE from environment"),
        ({"PROMPT_PATH": "no.json"}, "PROMPT_PATH: no.json does not exist"),
        ({"PROMPT_PATH": "s3://b/p.json"}, "PROMPT_PATH must be a file on this machine, not s3://b/p.json"),
        ({"PROMPT_PATH": "tables/a.csv"}, "PROMPT_PATH must be a .json file, not tables/a.csv"),
        ({"OUTPUT_PATH": "o/x.csv"}, "OUTPUT_PATH must be a folder or end in .parquet, not in .csv"),
        ({"URL_COLUMN": "link"}, "URL_COLUMN is for a table, and DATA_PATH photos is not one"),
        ({"URL_COLUMN": "no", "DATA_PATH": "tables/a.csv"}, "'no'"),
        ({"CUTLINE_JOB_MAX_COSTS": "3"}, "CUTLINE_JOB_MAX_COSTS is not a setting: `cutline job` has no option"),
        ({"CUTLINE_JOB_MODEL": "fake"}, "CUTLINE_JOB_MODEL is not a setting"),
        ({"SM_HOSTS": "algo-1"}, 'SM_HOSTS must be a JSON list, such as ["algo-1","algo-2"], not'),
        ({"SM_HOSTS": '["a","b"]', "SM_CURRENT_HOST": "c"}, "SM_CURRENT_HOST is 'c', which is not among"),
    ],
)  # fmt: skip
def test_what_is_missing_or_contradicts_is_one_line_that_names_the_variable(
    told, words, job_here, photos, tmp_path
):
    photos(2)
    fill(tmp_path / "empty", 0)
    (tmp_path / "tables").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "tables" / name).write_text("url\nhttp://127.0.0.1:9/1.jpg\n")
    (tmp_path / "links.csv").write_text("link,of\nhttp://127.0.0.1:9/1.jpg,me\n")
    usual = {"MODEL_NAME": "fake", "DATA_PATH": "photos", "OUTPUT_PATH": "out"}
    done = job_here(**{**usual, **told})
    assert done.returncode == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.rglob("*.parquet"))


ORDINARY = """
PATH PYTHONPATH MODEL_PATH INPUT_PATH IMAGE_PATH DATABASE_PATH LD_LIBRARY_PATH OMP_NUM_THREADS MKL_NUM_THREADS
HF_MODEL_NAME SM_OUTPUT_PATH S3_DATA_PATH MODULE_NAME NODE_NAME POD_NAME HOSTNAME IMAGE_NAME OUTPUT_DIR DATA_DIR
SM_MODEL_DIR SM_OUTPUT_DIR SM_OUTPUT_DATA_DIR SM_INPUT_DIR SM_INPUT_DATA_CONFIG SM_CHANNELS SM_CHANNEL_DATA SM_HPS
SM_NUM_GPUS SM_NUM_CPUS SM_NETWORK_INTERFACE_NAME SM_MODULE_NAME SM_MODULE_DIR SM_USER_ARGS SM_LOG_LEVEL
SM_HP_MODEL_NAME SAGEMAKER_PROGRAM SAGEMAKER_SUBMIT_DIRECTORY TRAINING_JOB_NAME PROCESSING_JOB_ARN DMLC_INTERFACE
AWS_REGION AWS_CONTAINER_CREDENTIALS_RELATIVE_URI CUTLINE_PUBLISHED_PORT CUTLINE_ALLOW_PRIVATE_URLS CUTLINE_MODEL
"""


def test_what_other_programs_are_told_is_no_slip(job_here, photos):
    told = {"MODEL_NAME": "fake", "DATA_PATH": photos(1), "OUTPUT_PATH": "out"}
    done = job_here(**{name: os.environ.get(name, "some") for name in ORDINARY.split()}, **told)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_name_like_one_that_is_set_is_no_slip(way, job_here, photos):
    arguments = ("--num-of-threads", 1) if way == "argument" else ()
    told = {"NUM_OF_THREADS": 1} if way == "environment" else {}
    done = job_here(
        *arguments, **told, NUM_THREADS=8, MODEL_NAME="fake", DATA_PATH=photos(1), OUTPUT_PATH="out"
    )
    assert done.returncode == 0, done.stderr


def test_the_first_line_says_what_is_done(job_here, photos, template):
    told = {"MODEL_NAME": "fake", "DATA_PATH": photos(1).name, "OUTPUT_PATH": "out"}
    by_default = job_here(**told).stderr.splitlines()
    assert by_default[0] == (
        "cutline: captioning photos with fake and the default prompt, into out/captions.parquet"
    )
    asked = job_here("--on-change", "redo-all", **told, PROMPT_PATH=template.name).stderr.splitlines()
    assert asked[0] == (
        "cutline: captioning photos with fake and the prompt of prompt.json, into out/captions.parquet"
    )
    assert not job_here("--quiet", **told, PROMPT_PATH=template.name).stderr


def test_a_key_is_not_repeated_when_two_are_given(job_here, photos):
    done = job_here(
        *("--api-key", "sk-first"),
        MODEL_NAME="fake",
        DATA_PATH=photos(1),
        OUTPUT_PATH="o",
        CUTLINE_JOB_API_KEY="sk-second",
    )
    assert "sk-" not in done.stderr
    assert "fake needs no key" in done.stderr


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_a_key_can_be_in_a_file(way, job_here, photos, tmp_path):
    (tmp_path / "key").write_text("sk-from-a-file\n")
    said = {"argument": ["--api-key-file", "key"], "environment": []}[way]
    told = {"CUTLINE_JOB_API_KEY_FILE": "key"} if way == "environment" else {}
    with Endpoint(key="sk-from-a-file") as endpoint:
        told |= {"MODEL_NAME": "openai:m", "CUTLINE_JOB_ENDPOINT": endpoint.url, "OPENAI_API_KEY": "wrong"}
        done = job_here(*said, **told, DATA_PATH=photos(2), OUTPUT_PATH="out.parquet")
    assert done.returncode == 0, done.stderr
    assert "sk-" not in done.stderr


# Inputs that are tables


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_dataframe_of_urls_is_asked_once_for_each(form, job, served, tmp_path):
    url, folder = served
    names = sorted(path.name for path in folder.iterdir())
    frame = pd.DataFrame({"image": ["x"] * 6, "url": [f"{url}/{name}" for name in [*names, names[0]]]})
    path = tmp_path / f"frame.{form}"
    frame.to_csv(path, index=False) if form == "csv" else frame.to_parquet(path)
    done = job("--allow-private-urls", MODEL_NAME="fake", DATA_PATH=path, OUTPUT_PATH="out")
    assert done.returncode == 0, done.stderr
    found = rows(tmp_path / "out" / "captions.parquet")
    assert [row["image_path"] for row in found] == [f"{url}/{name}" for name in names]
    assert "1 skipped (1 duplicate)" in done.stderr


def test_a_dataframe_in_parts_is_asked_once_for_each_url_too(job, served, tmp_path):
    url, _ = served
    (tmp_path / "frame.parquet").mkdir()
    for part, names in enumerate((["00", "01"], ["01", "02"])):
        frame = pd.DataFrame({"path": ["nowhere"] * 2, "url": [f"{url}/{name}.png" for name in names]})
        frame.to_parquet(tmp_path / "frame.parquet" / f"part-{part}.parquet")
    done = job("--allow-private-urls", MODEL_NAME="fake", DATA_PATH="frame.parquet", OUTPUT_PATH="out")
    assert done.returncode == 0, done.stderr
    assert [row["image_path"] for row in rows(tmp_path / "out" / "captions.parquet")] == [
        f"{url}/{name}.png" for name in ("00", "01", "02")
    ]


def test_another_column_can_hold_the_urls(job, served, tmp_path):
    url, _ = served
    (tmp_path / "t.csv").write_text(f"link,url\n{url}/00.png,nonsense\n{url}/01.png,\n")
    told = {"MODEL_NAME": "fake", "DATA_PATH": "t.csv", "CUTLINE_JOB_ALLOW_PRIVATE_URLS": "true"}
    done = job(**told, OUTPUT_PATH="out", URL_COLUMN="link")
    assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "out" / "captions.parquet")) == 2


def test_private_addresses_are_refused_unless_allowed(job, served, tmp_path):
    url, _ = served
    (tmp_path / "t.csv").write_text(f"url\n{url}/00.png\n")
    done = job(MODEL_NAME="fake", DATA_PATH="t.csv", OUTPUT_PATH="out")
    assert done.returncode == 1
    assert "blocked-address" in done.stderr


def test_a_job_that_is_refused_leaves_no_folder_behind(job_here, photos, tmp_path):
    told = {"MODEL_NAME": "openai:gpt-4o-mini", "OPENAI_API_KEY": "", "DATA_PATH": photos(1)}
    refused = job_here(**told, OUTPUT_PATH="out")
    assert refused.returncode == 2
    assert "needs a key" in refused.stderr
    assert not (tmp_path / "out").exists()
    (tmp_path / "theirs").mkdir()
    job_here(**told, OUTPUT_PATH="theirs")
    assert (tmp_path / "theirs").exists(), "it was there before"


def test_parameters_that_are_empty_are_none(job_here, photos, tmp_path):
    done = job_here("--parameters", "", MODEL_NAME="fake", DATA_PATH=photos(1), OUTPUT_PATH="out.parquet")
    assert done.returncode == 0, done.stderr
