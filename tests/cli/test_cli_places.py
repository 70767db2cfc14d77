"""Outputs and folders that cannot be used, storage that refuses, and URLs that open what they point to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cutline as package
from cutline.errors import ConfigError, SinkError
from cutline.formatting import without_signatures
from processes import command, cutline_here, environment
from server_process import Server

LONG = "a" * 260


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    return tmp_path


MISTAKES = {
    "the root as a file": (("/", "--output-format", "jsonl"), 2, "/ cannot be an output: give the name"),
    "the root as shards": (("/", "--output-format", "webdataset"), 2, "/ cannot be an output"),
    "the root by dots": (("/usr/..", "--output-format", "csv"), 2, "cannot be an output"),
    "the root as state": (("out.jsonl", "--state", "/"), 2, "/ cannot hold a state: give --state a folder"),
    "a folder as a table": (("folder", "--output-format", "parquet"), 2, "is a folder: give the name of a file"),
    "a folder as lines": (("folder/", "--output-format", "jsonl"), 2, "is a folder: give the name of a file"),
    "a folder that is not there": (("new/", "--output-format", "json"), 2, "is a folder: give the name"),
    "a folder as files": (("folder/", "--output-format", "parquet", "--rows-per-file", 4), 2, "is a folder"),
    "a long name": ((f"{LONG}.jsonl",), 2, "a name of 266 bytes in a path|holds a name of 266 bytes"),
    "a long folder": ((f"{LONG}/out.jsonl",), 2, "holds a name of 260 bytes"),
    "a long state": (("out.jsonl", "--state", LONG), 2, "holds a name of 260 bytes"),
    "a name without room": ((f"{'b' * 244}.json",), 2, "the output's name has 249 bytes"),
    "shards without room": (("c" * 250, "--output-format", "webdataset"), 2, "name has 250 bytes"),
    "letters of several bytes": (("ü" * 130 + ".csv",), 2, "holds a name of 264 bytes"),
    "a place that refuses": (("/proc/out.jsonl",), 4, "cannot write beside the output|choose another"),
    "a state that refuses": (("out.jsonl", "--state", "/proc/state"), 4, "cannot write beside the output|choose another"),
    "a file as a folder": (("file/out.jsonl",), 4, "cannot write beside the output|choose another"),
    "a file as state": (("out.jsonl", "--state", "file"), 2, "file is a file where a folder for the state belongs: move it away"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_place_that_cannot_be_used_is_one_line(case, here, pictures):
    arguments, code, message = MISTAKES[case]
    (here / "file").write_text("mine")
    done = cutline_here("caption", pictures, *arguments)
    assert done.returncode == code, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert any(part in lines[0] for part in message.split("|"))
    assert sorted(path.name for path in here.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize("lock", [".out.jsonl.cutline-lock", "out.jsonl.cutline/lock"])
def test_a_folder_where_a_lock_belongs_is_named(lock, here, pictures):
    (here / lock).mkdir(parents=True)
    refused = cutline_here("caption", pictures, "out.jsonl", "--model", "fake")
    assert refused.returncode == 4
    assert f"{here / lock}: Is a directory; move that folder away" in refused.stderr
    (here / lock).rmdir()
    assert cutline_here("caption", pictures, "out.jsonl", "--model", "fake").returncode == 0


DEEP = "/".join(["d" * 200] * 25)
FILES = {
    "a long input": (("caption", DEEP, "out.jsonl"), "a path has 5,024 bytes"),
    "a long output": (("caption", "folder", f"{DEEP}.jsonl"), "a path has 5,030 bytes"),
    "a long plug-in": (("caption", "folder", "out.jsonl", "--plugin", f"{DEEP}.py"), "…: File name too long"),
    "a long job file": (("run", f"{DEEP}.toml"), "File name too long"),
    "an endless job": (("run", "/dev/zero"), "it is larger than 33,554,432 bytes"),
    "an endless chain": (("caption", "folder", "out.jsonl", "--chain", "/dev/zero"), "it is larger than"),
    "an endless schema": (("caption", "folder", "out.jsonl", "--schema", "/dev/zero"), "it is larger than"),
    "endless prices": (("caption", "folder", "out.jsonl", "--prices", "/dev/zero"), "it is larger than"),
    "a null character": (("run", "null.toml"), "a setting cannot hold a null character"),
    "a deep job": (("run", "deep.toml"), "is not TOML: it is too deeply nested"),
    "a deep chain": (("caption", "folder", "out.jsonl", "--chain", "deep.toml"), "it is too deeply nested"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_read_is_one_line(case, here):
    arguments, message = FILES[case]
    (here / "null.toml").write_text('input_path = "folder"\n[prompts]\nschema = "a\\u0000b"\n')
    (here / "deep.toml").write_text(f"a = {'[' * 5_000}{']' * 5_000}")
    done = cutline_here(*arguments)
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.strip().splitlines()
    assert message in line


def test_a_long_name_of_an_input_is_one_line(here):
    done = cutline_here("caption", LONG, "out.jsonl")
    assert done.returncode == 2
    assert "holds a name of 260 bytes" in done.stderr


@pytest.mark.parametrize("name", ["deep/er/out.jsonl", "deep/er/out.parquet", "deep/er/out.csv"])
def test_missing_folders_are_made_also_with_a_state_elsewhere(name, here, pictures):
    done = cutline_here("caption", pictures, name, "--state", "state", "--quiet")
    assert done.returncode == 0, done.stderr
    assert (here / name).stat().st_size


@pytest.mark.parametrize(
    "arguments",
    [
        ("caption", "photos", "out.jsonl"),
        ("caption", "photos"),
        ("serve",),
        ("eval", "a.jsonl"),
        ("judge", "a.jsonl"),
    ],
)
def test_a_working_folder_that_is_gone_is_one_line(arguments, here):
    (here / "gone").mkdir()
    script = (
        f"import os, subprocess, sys; os.chdir({str(here / 'gone')!r}); os.rmdir({str(here / 'gone')!r}); "
    )
    script += f"sys.exit(subprocess.run({command(*arguments)!r}).returncode)"
    source = str(Path(package.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment(PYTHONPATH=source, PYTHONSAFEPATH="1"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr == "cutline: the working folder is gone: change to one that exists\n"


def test_signatures_of_urls_are_not_shown(here, scripted):
    signed = (
        "X-Amz-Algorithm=A&X-Amz-Credential=HIDDEN-1&X-Amz-Security-Token=HIDDEN-2&X-Amz-Signature=HIDDEN-3"
    )
    urls = [f"{scripted.root}/pictures/crimson.jpg?{signed}", f"{scripted.root}/none.jpg?v=2&sig=HIDDEN-4"]
    (here / "urls.txt").write_text("\n".join(urls))
    for more in (("--verbose",), ("--preview", 2), ("--retry-failed",)):
        done = cutline_here("caption", "urls.txt", "out.jsonl", "--allow-private-urls", *more)
        assert done.returncode == 1, done.stderr
        shown = done.stdout + done.stderr
        assert "none.jpg" in shown
        assert "HIDDEN" not in shown
    output = here / "out.jsonl"
    assert json.loads(output.read_text())["image_id"] == urls[0], "it names the row of the input"
    failed = json.loads((here / "out.jsonl.failures.jsonl").read_text())["image_id"]
    assert re.fullmatch(re.escape(f"{scripted.root}/none.jpg?v=2&sig=…#") + "[0-9a-f]{16}", failed)

    # A journal of an older version has the whole keys.
    journal = here / "out.jsonl.cutline/journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    assert any("?X-Amz-Algorithm=A&X-Amz-Credential=…" in line for line in lines)
    journal.write_text("".join(_with_whole_key(line, urls) for line in lines))
    assert "HIDDEN" in journal.read_text()
    done = cutline_here("caption", "urls.txt", "out.jsonl", "--allow-private-urls")
    assert "every picture has an outcome from an earlier run" in done.stderr, done.stderr
    journal.write_text("".join(lines))

    for ending in ("html", "csv", "json"):
        done = cutline_here("compare", "out.jsonl", "fake", "--input-path", "urls.txt", "--allow-private-urls",
                            "-o", f"c.{ending}", "--state", "compared")  # fmt: skip
        assert "HIDDEN" not in done.stdout + done.stderr + (here / f"c.{ending}").read_text()
        assert "crimson.jpg?X-Amz-Algorithm=A" in (here / f"c.{ending}").read_text(), ending
    outputs = {output, here / "urls.txt", *here.glob("compared/*/captions.jsonl")}
    files = [path for path in here.rglob("*") if path.is_file() and path not in outputs]
    assert len(files) > 10
    assert not [path for path in files if b"HIDDEN" in path.read_bytes()]


def _with_whole_key(line: str, urls: list[str]) -> str:
    data = json.loads(line)
    if "key" in data:
        data["key"] = next(url for url in urls if data["key"].startswith(url.partition("?")[0]))
    return json.dumps(data) + "\n"


def test_urls_in_a_form_that_is_not_fetched_are_to_be_corrected(here):
    urls = ["https://me:HIDDEN-PASSWORD@a.example/1.jpg", "ftp://a.example/2.jpg", "http://0x7f.1/3.jpg"]
    (here / "urls.txt").write_text("\n".join(urls))
    for more in ((), ("--allow-private-urls",), ("--verbose", "--retry-failed")):
        done = cutline_here("caption", "urls.txt", "out.jsonl", *more)
        assert done.returncode == 1
        assert "3 failed (3 bad-url)" in done.stderr
        assert "correct them in the input, and run the same command again" in done.stderr
        assert "--retry-failed" not in done.stderr.replace("cutline: ", "")
        assert "--allow-private-urls" not in done.stderr
        assert "HIDDEN" not in done.stderr + (here / "out.jsonl.failures.jsonl").read_text()
    assert "HIDDEN" not in "".join(path.read_text() for path in (here / "out.jsonl.cutline").iterdir())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://a.example/x.jpg?w=3&sig=abc%2F: 404", "at https://a.example/x.jpg?w=3&sig=…: 404"),
        ("s3://b/k?X-Goog-Signature=0a#t", "s3://b/k?X-Goog-Signature=…#t"),
        ("https://u:p@a.example/?access_token=t;api_key=k", "https://a.example/?access_token=…;api_key=…"),
        ("(HTTPS://a.example?Policy=p&Key-Pair-Id=i&page=2)", "(HTTPS://a.example?Policy=…&Key-Pair-Id=…&page=2)"),
        ("what?key=value", "what?key=value"),
        ("https://u:p@w@a.example/x", "https://a.example/x"),
        ("http://u:p/w@a.example/x", "http://a.example/x"),
        ("http://a.example:80/@x http://[::1]:80/@x", "http://a.example:80/@x http://[::1]:80/@x"),
        ("https://a.example/x?url=https%3A%2F%2Fb%2Fx%3FX-Amz-Signature%3D0a%26w%3D2", "https://a.example/x?url=https%3A%2F%2Fb%2Fx%3FX-Amz-Signature%3D…%26w%3D2"),
        ("https://c.example/a.png?ex=66&is=65&hm=0f3", "https://c.example/a.png?ex=66&is=65&hm=…"),
        ("https://c.example/a.png?s=0123456789abcdef0123&page=20", "https://c.example/a.png?s=…&page=20"),
        ("https://c.example/?id=123e4567-e89b-12d3-a456-426614174000", "https://c.example/?id=123e4567-e89b-12d3-a456-426614174000"),
    ],
)  # fmt: skip
def test_secrets_in_urls_are_left_out(text, shown):
    assert without_signatures(text) == shown


def test_long_texts_are_searched_in_one_pass():
    for start, end in (
        ("https://c.example/?sig=" + "." * 200_000, "a"),
        ("a" * 200_000, " https://c.example/"),
    ):
        assert without_signatures(start + end).endswith(("=…", "example/"))


@pytest.fixture(scope="module")
def storage():
    with Server("storage_errors.py") as server:
        yield server.root


@pytest.fixture
def refusing(storage, here, monkeypatch):
    s3fs = pytest.importorskip("s3fs")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", storage)
    monkeypatch.setenv("XDG_STATE_HOME", str(here / "state-home"))
    s3fs.S3FileSystem.clear_instance_cache()
    yield
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize(
    ("bucket", "cure"),
    [
        ("denied", "access is denied: allow these credentials"),
        ("unknown-key", "the credentials are not accepted: check AWS_ACCESS_KEY_ID"),
        ("wrong-key", "the credentials are not accepted"),
        ("absent", "there is no such bucket: check its name"),
        ("expired", "the credentials have expired: sign in again"),
        ("elsewhere", "the bucket is in another region: set AWS_DEFAULT_REGION"),
    ],
)
def test_refusals_of_storage_name_the_cure(bucket, cure, refusing, pictures):
    with pytest.raises(SinkError) as refused:
        package.caption(str(pictures), f"s3://{bucket}/out.jsonl")
    assert cure in str(refused.value)
    assert "\n" not in str(refused.value)


def test_storage_that_cannot_be_reached_names_the_cure(refusing, pictures, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for given, output, error in (
        (str(pictures), "s3://bucket/out.jsonl", SinkError),
        ("s3://bucket/in", "out.jsonl", ConfigError),
    ):
        with pytest.raises(error, match="cannot be reached: check the network, and that AWS_ENDPOINT_URL"):
            package.caption(given, output)


CONNECTIONS = {
    "certificates that are not there": ({"AWS_CA_BUNDLE": "none.pem"}, "AWS_CA_BUNDLE, or ca_bundle of"),
    "a folder as certificates": ({"AWS_CA_BUNDLE": "folder"}, "is not a file of certificates: name one"),
    "no certificates": (
        {"AWS_CA_BUNDLE": "words.pem"},
        "is not a file of certificates: name one, or unset it",
    ),
    "a proxy that is not there": (
        {"HTTP_PROXY": "http://me:hidden@127.0.0.1:9"},
        "the proxy cannot be used: check http_proxy",
    ),
    "a proxy whose password breaks it": (
        {"HTTP_PROXY": "http://me:hid/den@127.0.0.1:9"},
        "the proxy cannot be used: check http_proxy",
    ),
    "a password in the address": (
        {"AWS_ENDPOINT_URL": "http://me:hidden@127.0.0.1:9"},
        "remove the name and the password from AWS_ENDPOINT_URL",
    ),
}


@pytest.mark.parametrize("case", CONNECTIONS)
def test_settings_of_the_connection_to_storage_name_the_cure(case, refusing, here, pictures, monkeypatch):
    settings, cure = CONNECTIONS[case]
    (here / "words.pem").write_text("words")
    for name, value in {"AWS_MAX_ATTEMPTS": "1", **settings}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SinkError) as refused:
        package.caption(str(pictures), "s3://bucket/out.jsonl")
    assert cure in str(refused.value)
    assert "hid" not in str(refused.value)


@pytest.mark.parametrize("secure", [True, False])
def test_storage_over_tls_needs_a_certificate_that_is_trusted(
    secure, refusing, storage, here, pictures, monkeypatch
):
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    cure = (
        "for a CA of your own set AWS_CA_BUNDLE to its file" if secure else "for one without it write http://"
    )
    with Server("tls.py", str(here / "ca.pem")) as server:
        address = server.root if secure else storage
        monkeypatch.setenv("AWS_ENDPOINT_URL", address.replace("http:", "https:"))
        with pytest.raises(SinkError, match=cure):
            package.caption(str(pictures), "s3://bucket/out.jsonl")


def test_credentials_that_are_missing_name_the_cure(refusing, pictures, monkeypatch, here):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(here))
    for given, output, error in (
        (str(pictures), "s3://denied/out.jsonl", SinkError),
        ("s3://denied/in", "out.jsonl", ConfigError),
    ):
        with pytest.raises(error, match="give credentials: set AWS_ACCESS_KEY_ID"):
            package.caption(given, output)
