"""Restricts downloads to addresses of the public internet, against forged URLs and DNS answers."""

from __future__ import annotations

import functools
import ipaddress
import re
import socket
from typing import Any, Literal

import aiohttp
import aiohttp.abc
import yarl

from cutline.errors import PictureError

# https://www.iana.org/assignments/iana-ipv4-special-registry and …-ipv6-special-registry as of 2025, and
# multicast. The standard library has those of its own release, and calls some of them global.
_SPECIAL = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network
        "10.0.0.0/8",  # private
        "100.64.0.0/10",  # of providers (CGNAT)
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform, for its own machines
        "169.254.0.0/16",  # link-local
        "172.16.0.0/12",  # private
        "192.0.0.0/24",  # IETF protocols: DS-Lite, NAT64 discovery, PCP and TURN anycast
        "192.0.2.0/24",  # documentation
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # AMT
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",  # private
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "2001::/23",  # IETF protocols: Teredo, benchmarks, ORCHID, drones
        "2001:db8::/32",  # documentation
        "2002::/16",  # 6to4, which contains IPv4 addresses
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",  # documentation
    )
]
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that is given out: outside are loopback, local, mapped, NAT64, SRv6 and discard addresses."""

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_NUMERIC = re.compile(r"(?:[0-9]+|0[xX][0-9a-fA-F]*)\.?")
_NEVER = re.compile(r"[\x00-\x20\x7f\\]")


def is_public(address: str) -> bool:
    """Whether an IP address, as the connection will use it, is one of the public internet."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if ip.version == 6 and ip not in _GLOBAL_UNICAST:
        return False
    return not any(ip in network for network in _SPECIAL if network.version == ip.version)


def checked_url(text: str, *, allow_private: bool) -> yarl.URL:
    """The URL that the connection uses; PictureError ``bad-url`` or ``blocked-address``."""
    if _NEVER.search(text):
        raise _unfit(text, "a URL with a backslash, blank or control character in it")
    try:
        # ASCII goes out as it is written: normalising would break signatures in the query.
        url = yarl.URL(text, encoded=text.isascii())
        host, scheme = url.raw_host, url.scheme.lower()
        explicit = url.explicit_port
    except (ValueError, UnicodeError) as error:
        raise _unfit(text, "not a valid URL") from error
    if scheme not in {"http", "https"} or not host:
        raise _unfit(text, "only http and https are fetched")
    if "@" in url.raw_authority:
        raise _unfit(text, "a URL with a user name or password in it")
    if explicit == 0:
        raise _unfit(text, "no valid port")
    _check_host(text, host, allow_private=allow_private)
    return url


def _check_host(text: str, host: str, *, allow_private: bool) -> None:
    kind = _kind_of_host(host)
    if kind == "neither":
        raise _unfit(text, "not a host name or a plain IP address")
    if kind == "private" and not allow_private:
        message = f"{shown(text)}: a private or reserved address; --allow-private-urls permits it"
        raise PictureError("blocked-address", message)


@functools.lru_cache(1024)  # many pictures come from few hosts
def _kind_of_host(host: str) -> Literal["name", "public", "private", "neither"]:
    try:
        return "public" if is_public(host) else "private"
    except ValueError:
        # Forms such as 2130706433, 0x7f.1 or 0177.0.0.1 that only the operating system reads as addresses.
        if _NUMERIC.fullmatch(host.rstrip(".").rpartition(".")[2]) or not _HOST.fullmatch(host):
            return "neither"
        return "name"


class PublicResolver(aiohttp.abc.AbstractResolver):
    """Resolves names to public addresses; the connector uses exactly these, without a second lookup."""

    def __init__(self, *, allow_private: bool, names: aiohttp.abc.AbstractResolver | None = None) -> None:
        """``names``: the resolver; the operating system's when None."""
        self._allow_private = allow_private
        self._resolver = names or aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[Any]:
        """Raises PictureError ``blocked-address`` when no address is left, OSError for an invalid name."""
        try:
            found = await self._resolver.resolve(host, port, family)
        except UnicodeError:  # a part of it is empty, or longer than names may have
            raise socket.gaierror(socket.EAI_NONAME, "no host name") from None
        allowed = [item for item in found if self._allow_private or is_public(item["host"])]
        if found and not allowed:
            message = f"{host} has a private or reserved address; --allow-private-urls permits it"
            raise PictureError("blocked-address", message)
        return allowed

    async def close(self) -> None:
        await self._resolver.close()


def shown(url: str) -> str:
    """A URL as messages may show it: without user name, password, query and fragment."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "the URL"
    place = rest.partition("?")[0].partition("#")[0]
    more = "?…" if len(place) < len(rest) else ""
    authority, slash, path = place.partition("/")
    text = f"{scheme}://{authority.rpartition('@')[2]}{slash}{path}{more}"[:500]
    return text if text.isprintable() else "".join(sign if sign.isprintable() else "�" for sign in text)


def _unfit(url: str, reason: str) -> PictureError:
    """What no option permits."""
    return PictureError("bad-url", f"{shown(url)}: {reason}")
