from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime as dt
import email.utils
import ipaddress
import json
import pickle
import re
import socket
import threading
import time
import urllib.request

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutline.errors import PictureError
from cutline.locations.addresses import checked_url, is_public, shown
from cutline.locations.http import Fetcher, FetchLimits
from cutline.locations.stored import RemoteFile
from cutline.retry_policy import retry_after
from peak_memory import forget_peak, peak_mb

FAST = FetchLimits(backoff=0.01, patience=3, connect_seconds=20, idle_seconds=5, seconds=30)


@contextlib.asynccontextmanager
async def fetching(*, allow_private=True, limits=FAST):
    fetcher = Fetcher(allow_private=allow_private, limits=limits)
    try:
        yield fetcher
    finally:
        await fetcher.aclose()


async def failure(url, **options):
    async with fetching(**options) as fetcher:
        with pytest.raises(PictureError) as caught:
            await fetcher.fetch(url)
    return caught.value


def hits(server):
    with urllib.request.urlopen(f"{server}/hits") as answer:
        return collections.Counter(json.load(answer))


async def test_a_picture_is_downloaded(server, jpeg):
    async with fetching() as fetcher:
        got = await fetcher.fetch(f"{server}/photo/1?token=secret")
    assert got.data[:3] == b"\xff\xd8\xff"
    assert got.path == f"{server}/photo/1?…"


async def test_the_server_here_is_refused_unless_allowed(server):
    error = await failure(f"{server}/photo/refused", allow_private=False)
    assert error.kind == "blocked-address"
    assert "--allow-private-urls" in str(error)
    assert hits(server)["/photo/refused"] == 0


PRIVATE = [
    "http://127.0.0.1/", "http://127.1.2.3:81/x.jpg", "http://10.0.0.1/", "http://172.16.0.1/",
    "http://192.168.1.1/", "http://169.254.169.254/latest/meta-data", "http://100.64.0.1/",
    "http://0.0.0.0/", "http://224.0.0.1/", "http://240.0.0.1/", "http://255.255.255.255/",
    "http://[::1]/", "http://[::]/", "http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[fd00::1]/",
    "http://[ff02::1]/", "http://[fec0::1]/", "http://[::ffff:127.0.0.1]/", "http://[::ffff:8.8.8.8]/",
    "http://[::127.0.0.1]/", "http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/",
    "http://[2001:0:1::]/", "http://[::ffff:0:127.0.0.1]/",
    "http://①②⑦.⓪.⓪.①/", "http://127。0。0。1/",
]  # fmt: skip
NEVER_FETCHED = [
    "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/",
    "http://127.0.0.1./", "http://2130706433./", "http://127.0.0.0x1/", "http://1.2.3.4.5/",
    "http://127%2e0.0.1/",
    "http://example.com\\@127.0.0.1/", "http://example.com\\.127.0.0.1/", "http://user@example.com/",
    "http://user:pw@example.com/", "http://@example.com/", "http://exa mple.com/", "http://a\tb/", "http://a\r\nX: y/",
    "http://a\0b/", "file:///etc/passwd", "ftp://example.com/x.jpg", "gopher://example.com/", "data:,x",
    "//example.com/x", "example.com/x.jpg", "http:///x", "http://", "", "http://example.com:0/",
    "http://example.com:99999/", "http://[::1/", "http://-/", "javascript:alert(1)",
]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "kind"),
    [*((url, "blocked-address") for url in PRIVATE), *((url, "bad-url") for url in NEVER_FETCHED)],
)
def test_urls_that_must_not_be_asked(url, kind):
    with pytest.raises(PictureError) as caught:
        checked_url(url, allow_private=False)
    assert caught.value.kind == kind


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/a.jpg", "http://8.8.8.8/x", "http://[2606:4700::1111]:8080/x", "HTTP://EXAMPLE.com",
        "https://xn--mnchen-3ya.de/ü.jpg", "https://münchen.de/a b.jpg".replace(" ", "%20"),
        "https://cdn-1.my_bucket.example.com/x?sig=a%7Eb+c/d==&e=%20",
    ],
)  # fmt: skip
def test_urls_that_may_be_asked_stay_as_they_are(url):
    checked = checked_url(url, allow_private=False)
    if url.isascii() and "?" in url:
        assert checked.raw_query_string == url.partition("?")[2]


# Of the registries iana-ipv4-special-registry and iana-ipv6-special-registry, and multicast; cloud services too.
SPECIAL = [
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.0.0/29",
    "192.0.0.8/32",
    "192.0.0.9/32",
    "192.0.0.10/32",
    "192.0.0.170/31",
    "192.0.2.0/24",
    "192.31.196.0/24",
    "192.52.193.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "192.175.48.0/24",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "168.63.129.16/32",
    "100.100.100.200/32",
    "192.0.0.192/32",
    "::/128",
    "::1/128",
    "::/96",
    "::ffff:0:0/96",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001::/23",
    "2001::/32",
    "2001:1::1/128",
    "2001:1::2/128",
    "2001:1::3/128",
    "2001:2::/48",
    "2001:3::/32",
    "2001:4:112::/48",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "2002::/16",
    "2620:4f:8000::/48",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fd00:ec2::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
    "4000::/2",
    "8000::/1",
]


@pytest.mark.parametrize("network", SPECIAL)
def test_no_address_of_a_special_range_is_public(network):
    addresses = ipaddress.ip_network(network)
    for number in (0, addresses.num_addresses // 2, addresses.num_addresses - 1):
        assert not is_public(str(addresses[number]))
        url = f"http://[{addresses[number]}]/" if addresses.version == 6 else f"http://{addresses[number]}/"
        with pytest.raises(PictureError, match="private or reserved"):
            checked_url(url, allow_private=False)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255",
     "192.0.1.0", "192.88.98.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2001:200::", "2001:4860:4860::8888",
     "2003::", "2400::", "2606:4700::1111", "3ffe:ffff::"],
)  # fmt: skip
def test_the_addresses_beside_them_are_public(address):
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_no_private_address_is_public_in_any_wrapping(address):
    for prefix in ("::ffff:", "64:ff9b::", "::"):
        assert not is_public(f"{prefix}{address}")
    number = int(address)
    assert not is_public(f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1")
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(str(address))


async def test_a_name_that_leads_here_is_refused(server):
    port = server.rpartition(":")[2]
    error = await failure(f"http://localhost:{port}/photo/named", allow_private=False)
    assert error.kind == "blocked-address"
    assert hits(server)["/photo/named"] == 0


async def test_the_address_that_was_checked_is_the_one_connected_to(server):
    """A name server that changes its answer is asked once: the connector gets the checked addresses only."""
    answers = iter([["127.0.0.1", "93.184.215.14"], ["127.0.0.1"]])

    class Names(aiohttp.abc.AbstractResolver):
        async def resolve(self, host, port=0, family=socket.AF_INET):
            hosts = next(answers)
            return [
                {"hostname": host, "host": item, "port": port, "family": family, "proto": 0, "flags": 0}
                for item in hosts
            ]

        async def close(self):
            pass

    from cutline.locations.addresses import PublicResolver

    resolver = PublicResolver(allow_private=False, names=Names())
    assert [item["host"] for item in await resolver.resolve("rebind.example")] == ["93.184.215.14"]
    with pytest.raises(PictureError) as caught:
        await resolver.resolve("rebind.example")
    assert caught.value.kind == "blocked-address"


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "http://2130706433/",
        "http://u:p@example.com/",
        "//0.0.0.0/",
        "http://[::ffff:127.0.0.1]/",
    ],
)
async def test_a_redirect_is_checked_like_the_first_url(server, target):
    error = await failure(f"{server}/redirect?to={target}")
    if "2130706433" in target or "@" in target or "file" in target:
        assert error.kind == "bad-url"
        assert "u:p" not in str(error)
    with pytest.raises(PictureError):
        checked_url(target if "://" in target else f"http:{target}", allow_private=False)


async def test_redirects_are_followed_and_bounded(server):
    async with fetching() as fetcher:
        assert (await fetcher.fetch(f"{server}/redirect?to=/photo/moved")).data
        before = hits(server)["/loop"]
    error = await failure(f"{server}/loop")
    assert "5 redirects" in str(error)
    assert hits(server)["/loop"] - before == 6


@pytest.mark.parametrize(
    ("path", "kind", "said"),
    [
        ("/endless", "too-large", "more than"),
        ("/bomb", "too-large", "more than"),
        ("/raw?length=99999999999", "too-large", "more than"),
        ("/drip", "fetch", "slower than"),
        ("/raw?length=5000000", "fetch", "cut"),
        ("/raw?length=-5", "fetch", "not valid HTTP"),
        ("/raw?length=abc", "fetch", "not valid HTTP"),
        ("/page", "fetch", "web page"),
        ("/empty", "fetch", "empty"),
        ("/hang", "fetch", "timed out"),
        ("/status/404", "fetch", "404"),
        ("/status/204", "fetch", "204"),
    ],
)
async def test_hostile_bodies_stop_at_the_limits(server, path, kind, said):
    limits = FetchLimits(
        max_bytes=20_000_000, backoff=0.01, patience=0.3, connect_seconds=2, idle_seconds=0.5, seconds=2
    )
    forget_peak()
    before = peak_mb()
    error = await failure(f"{server}{path}", limits=limits)
    assert error.kind == kind
    assert said in str(error)
    assert peak_mb() - before < 150


async def test_a_body_packed_although_nobody_asked_is_unpacked(server):
    async with fetching() as fetcher:
        assert (await fetcher.fetch(f"{server}/packed")).data[:3] == b"\xff\xd8\xff"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422, 451])
async def test_a_final_answer_is_not_asked_again(server, status):
    before = hits(server)[f"/status/{status}"]
    await failure(f"{server}/status/{status}")
    assert hits(server)[f"/status/{status}"] - before == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_a_passing_trouble_is_asked_again_twice(server, status):
    before = hits(server)[f"/status/{status}"]
    error = await failure(f"{server}/status/{status}")
    assert hits(server)[f"/status/{status}"] - before == 3
    assert "3 attempts" in str(error)


async def test_retry_after_is_waited_for_and_bounded(server):
    limits = FetchLimits(backoff=0.01, max_wait=0.8)
    started = time.monotonic()
    await failure(f"{server}/status/429?after=3600", limits=limits)
    assert 1.5 < time.monotonic() - started < 60, "not an hour"


def test_retry_after_is_seconds_or_a_date():
    later = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=100))
    assert retry_after({"Retry-After": "7"}) == 7
    assert 95 < retry_after({"Retry-After": later}) <= 100
    assert retry_after({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}) == 0
    assert retry_after({"Retry-After": "soon"}) is None
    assert retry_after({}) is None


async def test_a_closed_port_and_an_unknown_name_are_failures_by_name():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "cannot connect" in str(await failure(f"http://127.0.0.1:{port}/x.jpg"))
    for name in ("no-such-host.invalid", "a..b", f"{'a' * 64}.example"):
        assert "resolved" in str(await failure(f"http://{name}/x.jpg"))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9/hunter2?sig=hunter3#hunter4",
        "http://u:hunter3@h/x",
        "http://hunter3@[::1/",
        "hunter3",
    ],
)
async def test_messages_hold_no_secret(url):
    error = await failure(url)
    assert not re.search("hunter[34]", str(error))


def test_the_shown_url_is_one_printable_line():
    assert shown("https://u:p@h:8/p/q.jpg?x=1#y") == "https://h:8/p/q.jpg?…"
    assert "\n" not in shown("http://h/\n\x1b[31m")


async def test_at_most_so_many_connections_to_one_host():
    """Counted by a server that answers only after a moment."""
    now = most = 0

    async def answer(reader, writer):
        nonlocal now, most
        while (await reader.readline()).strip():
            pass
        now += 1
        most = max(most, now)
        await asyncio.sleep(0.02)
        now -= 1
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
        await writer.drain()
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    async with listening, fetching(limits=FetchLimits(per_host=5, total=50)) as fetcher:
        await asyncio.gather(*[fetcher.fetch(f"http://127.0.0.1:{port}/{n}") for n in range(60)])
    assert most == 5


@pytest.mark.parametrize("count", [1000, pytest.param(10_000, marks=pytest.mark.soak)])
async def test_thirty_percent_trouble_is_all_accounted_for(server, count):
    ends = collections.Counter()
    first, end = 10 * count, 11 * count  # the server remembers what was asked before
    numbers = iter(range(first, end))
    before, each = hits(server), count // 10

    async def work(fetcher):
        for number in numbers:
            try:
                await fetcher.fetch(f"{server}/mixed/{number}")
            except PictureError as error:
                ends[number % 10, error.kind] += 1
            else:
                ends[number % 10, "ok"] += 1

    started = time.monotonic()
    async with fetching() as fetcher:
        await asyncio.gather(*[work(fetcher) for _ in range(32)])
    assert time.monotonic() - started < 150 * count / 1000
    ok = {(number, "ok"): each for number in (1, 3, 4, 5, 6, 7, 8, 9)}
    assert ends == {(0, "fetch"): each, (2, "fetch"): each} | ok
    asked = hits(server) - before
    assert {asked[f"/mixed/{n}"] for n in range(first, end, 10)} == {1}
    assert {asked[f"/mixed/{n}"] for n in range(first + 1, end, 10)} == {3}
    # A connection that is reused may be closed under a request; aiohttp then asks once more by itself.
    assert {asked[f"/mixed/{n}"] for n in range(first + 2, end, 10)} <= {3, 4, 5, 6}
    assert threading.active_count() < 40


def test_a_url_is_not_read_like_a_file():
    place = pickle.loads(pickle.dumps(RemoteFile("http://example.com/x.jpg")))
    with pytest.raises(PictureError, match="fetcher"):
        place.read()
