"""Headers and query parameters of one's own: sent to the endpoint, to nobody else, and kept nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from cutline import Job, caption
from cutline.endpoint_headers import endpoint_headers
from cutline.errors import ConfigError
from processes import cutline_here
from server_process import Server

SECRET = "gw-SECRETvalue-0123456789"
TOKEN = "SECRETquery-9876543210"
GIVEN = ["--header", "x-gateway: $GATEWAY", "--query", "token=${QUERY_TOKEN}", "--query", "v=2"]
VARIABLES = {"GATEWAY": SECRET, "QUERY_TOKEN": TOKEN}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(2):
        Image.new("RGB", (40, 30), (90 * number, 90, 120)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def elsewhere(servers) -> Server:
    """Another server, which a request must not reach with our headers."""
    return servers("scripted.py", "--folder", str(Path(__file__).parent))


def assert_unseen(folder: Path, *said: str) -> None:
    for secret in (SECRET, TOKEN):
        assert not [text for text in said if secret in text]
        files = (path for path in folder.rglob("*") if path.is_file())
        assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_they_are_sent_and_kept_nowhere(scripted, photos, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    url = [*("--endpoint", f"{scripted.url}?a=1"), *("--model", "m"), *GIVEN, "--verbose"]
    said = []

    def run(*arguments: object, code: int = 0) -> str:
        ran = cutline_here(*arguments)
        said.extend((ran.stdout, ran.stderr))
        assert ran.returncode == code, ran.stderr
        return ran.stdout + ran.stderr

    scripted.post("/script", {"status": 401, "body": '{"error": "no: ECHO"}', "echoed": ["x-gateway"]})
    refused = run("caption", photos, "out.parquet", *url, code=3)
    assert "no: …" in refused
    scripted.post("/script", {"content": "A caption and ECHO.", "echoed": ["x-gateway"]})
    run("caption", photos, "out.parquet", *url, "--include-raw")
    last = scripted.get("/last")
    assert (last["headers"]["x-gateway"], last["query"]) == (SECRET, f"a=1&token={TOKEN}&v=2")
    run("caption", photos, *url[:-1], "--query", "x=$V", "--save-job", "job.toml", code=2)
    saved = [option for option in url if option not in {"--verbose", "v=2"}][:-1]
    run("caption", photos, "again.jsonl", *saved, "--save-job", "job.toml")
    assert 'header = ["x-gateway: $GATEWAY"]' in " ".join(
        Path(tmp_path, "job.toml").read_text().split()
    ).replace("[ ", "[").replace(", ]", "]")
    run("run", "job.toml")
    assert scripted.get("/last")["headers"]["x-gateway"] == SECRET
    run("compare", "m", "other", "--input-path", photos, "-o", "page.html", *url[:2], *url[4:-1])
    run("models", "check", "m", *url[:2], *url[4:-1])
    assert scripted.get("/last")["query"] == f"a=1&token={TOKEN}&v=2"
    job = {"DATA_PATH": str(photos), "OUTPUT_PATH": str(tmp_path / "job.parquet"), "MODEL_NAME": "m"}
    job |= {"CUTLINE_JOB_ENDPOINT": scripted.url, "CUTLINE_JOB_HEADER": "x-gateway: $GATEWAY"}
    for name, value in job.items():
        monkeypatch.setenv(name, value)
    ran = cutline_here("job")
    assert ran.returncode == 0, ran.stderr
    assert scripted.get("/last")["headers"]["x-gateway"] == SECRET
    assert_unseen(tmp_path, *said, ran.stdout, ran.stderr)


def test_a_value_given_as_it_is_is_sent_and_not_stored(scripted, photos, tmp_path, monkeypatch) -> None:
    scripted.post("/script", {"content": "A caption and ECHO.", "echoed": ["x-gateway"]})
    monkeypatch.chdir(tmp_path)
    given = ("--model", "m", "--endpoint", scripted.url, "--header", f"X-Gateway: {SECRET}")
    ran = cutline_here("caption", photos, "out.jsonl", *given, "--verbose")
    assert ran.returncode == 0, ran.stderr
    saved = cutline_here("caption", photos, *given, "--save-job", "job.toml")
    assert saved.returncode == 2
    assert "write --header 'X-Gateway: $VARIABLE'" in saved.stderr
    batch = cutline_here("batch", "submit", photos, "b.jsonl", *given[2:], "--model", "openai:m")
    assert batch.returncode == 2
    assert "write --header 'X-Gateway: $VARIABLE'" in batch.stderr
    assert_unseen(tmp_path, ran.stdout, ran.stderr, saved.stderr, batch.stderr)


def test_they_go_to_no_redirect_and_no_other_service(
    scripted, elsewhere, photos, tmp_path, monkeypatch
) -> None:
    elsewhere.post("/script", {"content": "A caption."})
    before = elsewhere.get("/last")
    headers = {"Location": f"{elsewhere.url}/chat/completions"}
    for status in (302, 307):
        scripted.post("/script", {"status": status, "headers": headers, "body": ""})
        given = ("--model", "m", "--endpoint", scripted.url, "--header", f"x-gateway: {SECRET}")
        ran = cutline_here("caption", photos, tmp_path / "o.jsonl", *given, "--max-retries", "0")
        assert ran.returncode in {1, 3}
        assert elsewhere.url in ran.stderr
    assert elsewhere.get("/last") == before
    monkeypatch.setenv("OPENAI_API_KEY", "a" * 9)
    monkeypatch.setenv("GEMINI_API_KEY", "b" * 9)
    for options in (
        ("compare", "openai:a", "gemini:b", "--input-path", photos, "-o", tmp_path / "page.html"),
        ("caption", photos, tmp_path / "c.jsonl", "--step", "a=openai:a", "--step", "b=gemini:b"),
        ("models", "check", "openai:a", "gemini:b"),
    ):
        ran = cutline_here(
            *options,
            "--header",
            f"x-gateway: {SECRET}",
        )
        assert ran.returncode == 2
        assert "--header" in ran.stderr
        assert "one service" in ran.stderr


def test_python_and_steps_of_a_chain_take_them(scripted, photos, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("GATEWAY", SECRET)
    scripted.post("/script", {"content": "A caption."})
    result = caption(
        photos / "0.png", model="m", endpoint=scripted.url, header=["Authorization: Basic $GATEWAY"]
    )
    assert result.caption == "A caption."
    assert scripted.get("/last")["headers"]["Authorization"] == f"Basic {SECRET}"
    chain = tmp_path / "chain.toml"
    chain.write_text(
        '[[step]]\nname = "a"\nmodel = "pixels"\n[[step]]\nname = "b"\nmodel = "endpoint:m"\n'
        f'endpoint = "{scripted.url}"\nheader = ["x-gateway: $GATEWAY"]\n'
    )
    assert caption(photos / "0.png", chain=str(chain)).caption == "A caption."
    assert scripted.get("/last")["headers"]["x-gateway"] == SECRET
    given = Job.from_dict({"input_path": "x", "model": {"header": [f"x: {SECRET}"]}})
    assert SECRET not in repr(given)


@pytest.mark.parametrize(
    ("headers", "query", "named"),
    [
        ([SECRET], [], "'NAME: $VARIABLE'"),
        ([f"x y: {SECRET}"], [], "'NAME: VALUE'"),
        ([f"x: {SECRET}", f"X: {SECRET}"], [], "--header X is given twice"),
        (["host: example.com"], [], "--header host"),
        (["x: $NOT_SET_HERE"], [], "the environment variable NOT_SET_HERE is not set"),
        ([f"x: {SECRET}$"], [], "write \\$\\$ for a dollar sign"),
        ([f"x: {SECRET}é"], [], "--header x holds"),
        ([], [SECRET], "'NAME=\\$VARIABLE'"),
        ([], ["a=$NOT_SET_HERE"], "NOT_SET_HERE is not set"),
    ],
)
def test_what_cannot_be_sent_is_refused_without_its_value(headers, query, named) -> None:
    with pytest.raises(
        ConfigError, match=named.replace("$V", "\\$V") if "\\$" not in named else named
    ) as refused:
        endpoint_headers(headers, query)
    assert SECRET not in str(refused.value)


def test_dollars_and_several_variables(monkeypatch) -> None:
    monkeypatch.setenv("ONE", "1")
    monkeypatch.setenv("TWO", "2")
    sent = endpoint_headers(["x: a$$b ${ONE}$TWO"], ["q=$ONE&=?"])
    assert dict(sent.headers) == {"x": "a$b 12"}
    assert sent.query == (("q", "1&=?"),)
    assert json.dumps(repr(sent)).count("12") == 0


@pytest.mark.parametrize(
    ("headers", "query", "echoed", "shown"),
    [
        (["X-Token: tok-9f8e7d"], [], "a tok-9f8e7d b", "a … b"),
        ([], ["sig=q7q7q7q7"], "a q7q7q7q7 b", "a … b"),
        (["X-Gateway-Auth: Basic abc12345"], [], "Basic abc12345", "Basic …"),
        (["X-Title: My captions 2026"], ["api-version=2024-06-01"], "captions of 2024-06-01", None),
        (["X-Token: captions"], [], "my captions", None),  # a word, and no secret
    ],
)
def test_short_values_are_secrets_where_their_name_says_so(headers, query, echoed, shown) -> None:
    text = echoed
    for secret in endpoint_headers(headers, query).secrets:
        text = secret.redact(text)
    assert text == (echoed if shown is None else shown)
