"""Requests through the proxies that the environment names, and certificates of one's own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from cutline.captioners.hosted.proxies import proxy_for
from cutline.errors import ConfigError
from processes import cutline
from server_process import Server

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch):
    for name in (*NAMES, *map(str.upper, NAMES), "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photo") / "a.png"
    Image.new("RGB", (40, 30), "teal").save(path)
    return path


def caption(photo: Path, output: Path, url: str, **environment: str):
    return cutline(
        *("caption", photo, output, "--endpoint", url, "--model", "m", "--max-retries", "0"), env=environment
    )


@pytest.mark.parametrize("variable", ["all_proxy", "ALL_PROXY", "http_proxy"])
@pytest.mark.parametrize(
    ("scheme", "host", "lines"),
    [
        ("socks5h", "captions.test", ["connect captions.test"]),
        ("socks5", "192.0.2.7", ["connect 192.0.2.7"]),
        ("socks5h://me:se%20cret@", "captions.test", ["login me se cret", "connect captions.test"]),
    ],
)
def test_a_socks_proxy_makes_the_connections(variable, scheme, host, lines, photo, tmp_path):
    with Server("endpoint.py") as endpoint, Server("socks.py") as proxy:
        port, place = endpoint.root.rpartition(":")[2], proxy.root.removeprefix("http://")
        url = f"{scheme}{place}" if "://" in scheme else f"{scheme}://{place}"
        ran = caption(photo, tmp_path / "o.jsonl", f"http://{host}:{port}/v1", **{variable: url})
        assert ran.returncode == 0, ran.stderr
        printed = [proxy._process.stdout.readline() for _ in lines]
    assert [line.strip().removesuffix(f" {port}") for line in printed] == lines
    assert len((tmp_path / "o.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_an_http_proxy_may_be_named_without_its_scheme(scheme, photo, tmp_path):
    with Server("endpoint.py") as proxy:  # it takes requests for other hosts too
        place = proxy.root.removeprefix("http://")
        ran = caption(photo, tmp_path / "o.jsonl", "http://captions.test/v1", http_proxy=scheme + place)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "http://api.example.com/v1", True),
        ("example.com", "http://api.example.com/v1", True),
        (".example.com", "http://api.example.com/v1", True),
        (".example.com", "http://example.com/v1", True),
        ("*.example.com", "http://api.example.com/v1", True),
        ("ample.com", "http://example.com/v1", False),
        ("EXAMPLE.com", "http://api.example.COM./v1", True),
        ("other.org, example.com", "http://example.com/v1", True),
        ("other.org example.com", "http://example.com/v1", True),
        ("10.0.0.0/8", "http://10.1.2.3:8000/v1", True),
        ("10.0.0.0/8", "http://11.1.2.3:8000/v1", False),
        ("10.0.0.0/8", "http://ten.example.com/v1", False),
        ("10.1.2.3", "http://10.1.2.3:8000/v1", True),
        ("10.1.2.3:8000", "http://10.1.2.3:8000/v1", True),
        ("10.1.2.3:8001", "http://10.1.2.3:8000/v1", False),
        ("example.com:443", "https://example.com/v1", True),
        ("example.com:80", "https://example.com/v1", False),
        ("fd00::/8", "http://[fd00::1]:8000/v1", True),
        ("[fd00::1]:8000", "http://[fd00::1]:8000/v1", True),
        ("fd00::1", "http://[fd00::2]:8000/v1", False),
        ("", "http://localhost:8000/v1", True),
        ("", "http://127.0.0.1:8000/v1", True),
        ("", "http://example.com/v1", False),
    ],
)
def test_what_goes_past_the_proxy(no_proxy, url, direct, monkeypatch):
    monkeypatch.setenv("all_proxy", "http://proxy.test:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert (proxy_for(url) is None) == direct


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("proxy.test:3128", "http://proxy.test:3128"),
        ("HTTP://proxy.test:3128", "http://proxy.test:3128"),
        ("http://proxy.test", "http://proxy.test"),
        ("socks5://proxy.test", "socks5://proxy.test:1080"),
        ("socks4a://me@[fd00::1]:9", "socks4a://me@[fd00::1]:9"),
    ],
)
def test_the_forms_of_a_proxy(given, url, monkeypatch):
    monkeypatch.setenv("https_proxy", given)
    proxy = proxy_for("https://api.example.com/v1")
    assert proxy is not None
    assert proxy.url == url
    assert proxy_for("http://api.example.com/v1") is None


@pytest.mark.parametrize("given", ["ftp://proxy.test:21", "http://proxy.test:port", "http://:3128", "[::1"])
def test_a_variable_that_names_no_proxy_is_one_line(given, photo, tmp_path, monkeypatch):
    ran = caption(photo, tmp_path / "o.jsonl", "http://api.test/v1", http_proxy=given)
    assert ran.returncode == 2, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert "http_proxy=" in line
    assert "is not a proxy: write http://HOST:PORT or socks5://HOST:PORT" in line
    monkeypatch.setenv("http_proxy", given)
    with pytest.raises(ConfigError):
        proxy_for("http://api.test/v1")


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_is_not_there_is_named_without_its_password(scheme, photo, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{free.getsockname()[1]}"
        proxy = f"{scheme}://me:hidden@{place}"
        ran = caption(photo, tmp_path / "o.jsonl", "http://192.0.2.7/v1", all_proxy=proxy)
    assert ran.returncode == 3, ran.stderr
    assert f"the proxy {scheme}://" in ran.stderr
    assert place in ran.stderr
    assert "hidden" not in ran.stderr


PASSWORDS = ("hid/den", "hid?den", "hid#den", "12/hidden")


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_with_marks_of_urls_is_refused_and_not_shown(password, photo, tmp_path):
    ran = caption(
        *(photo, tmp_path / "o.jsonl", "http://api.test/v1"), http_proxy=f"http://me:{password}@127.0.0.1:9"
    )
    assert ran.returncode == 2, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert "http_proxy=http://127.0.0.1:9 is not a proxy" in line
    assert "in a password %2F for /" in line
    assert "den" not in line


@pytest.mark.parametrize("scheme", ["http://", ""])
@pytest.mark.parametrize("password", ["hidden", "hid/den"])
def test_an_endpoint_that_is_no_url_is_shown_without_its_password(scheme, password, photo, tmp_path):
    ran = caption(photo, tmp_path / "o.jsonl", f"{scheme}me:{password}@127.0.0.1:99999/v1")
    assert ran.returncode == 2, ran.stderr
    assert f"'{scheme}127.0.0.1:99999/v1' is not a URL" in ran.stderr
    assert "den@" not in ran.stderr
    assert "hid" not in ran.stderr


NAMED = "me:hidden@"
REFUSALS = {
    (407, ""): "it requires a name and a password: write them into its URL",
    (407, NAMED): "it does not accept the name and the password in its URL",
    (403, NAMED): "allow that there, or name the host in no_proxy",
    (503, NAMED): "(503): is the server running",
}


@pytest.mark.parametrize(("status", "user"), REFUSALS)
def test_a_proxy_that_refuses_is_named_with_the_cure(status, user, photo, tmp_path):
    with Server("refusing_proxy.py", str(status)) as proxy:
        url = proxy.root.replace("://", f"://{user}")
        ran = caption(photo, tmp_path / "o.jsonl", "https://api.test/v1", https_proxy=url)
    assert ran.returncode == 3, ran.stderr
    assert f"the proxy {proxy.root} refused to connect to https://api.test/v1 ({status})" in ran.stderr
    assert REFUSALS[status, user] in ran.stderr
    assert "hidden" not in ran.stderr


def test_a_proxy_that_ends_the_connection_is_named(photo, tmp_path):
    with Server("refusing_proxy.py", "200") as proxy:
        ran = caption(photo, tmp_path / "o.jsonl", "https://api.test/v1", https_proxy=proxy.root)
    assert ran.returncode == 3, ran.stderr
    assert f"cannot connect to https://api.test/v1 through the proxy {proxy.root} (Connection" in ran.stderr


def test_a_socks_proxy_without_its_extra_is_one_line(photo, tmp_path):
    code = "import sys; sys.modules['aiohttp_socks'] = None; from cutline.cli import main; sys.exit(main())"
    command = ("caption", photo, tmp_path / "o.jsonl", "--endpoint", "http://192.0.2.7/v1", "--model", "m")
    environment = {**os.environ, "all_proxy": "socks5://me:hidden@127.0.0.1:9"}
    ran = subprocess.run(
        [sys.executable, "-c", code, *command], env=environment, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2, ran.stderr
    (line,) = ran.stderr.splitlines()
    assert "the proxy socks5://" in line
    assert "cutline[socks]" in line
    assert "hidden" not in line
    assert not (tmp_path / "o.jsonl").exists()


def test_a_certificate_of_ones_own(photo, tmp_path):
    certificate = tmp_path / "ca.pem"
    with Server("tls.py", str(certificate)) as server:
        secure = server.url.replace("http:", "https:")
        ran = caption(photo, tmp_path / "o.jsonl", secure)
        assert ran.returncode == 3
        assert (
            "is not trusted (self-signed certificate); for a CA of your own set SSL_CERT_FILE" in ran.stderr
        )
        for variable, value, cure in (
            ("SSL_CERT_FILE", str(tmp_path / "none.pem"), "none.pem is not a file: name that of your CA"),
            ("SSL_CERT_FILE", str(photo), "does not hold the CA that signed it"),
            ("REQUESTS_CA_BUNDLE", str(certificate), "set SSL_CERT_FILE to the file in REQUESTS_CA_BUNDLE"),
        ):
            ran = caption(photo, tmp_path / "o.jsonl", secure, **{variable: value})
            assert ran.returncode == 3
            assert cure in ran.stderr
        trusted = caption(photo, tmp_path / "o.jsonl", secure, SSL_CERT_FILE=str(certificate))
        assert trusted.returncode == 0, trusted.stderr
        assert json.loads((tmp_path / "o.jsonl").read_text())["caption"] == "Over TLS."


def test_a_server_without_tls(photo, tmp_path):
    with Server("endpoint.py") as server:
        ran = caption(photo, tmp_path / "o.jsonl", server.url.replace("http:", "https:"))
    assert ran.returncode == 3
    assert "does not speak TLS" in ran.stderr
    assert "write http://" in ran.stderr
