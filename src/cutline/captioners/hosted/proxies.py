"""The proxy that the environment names for an address, in the forms that curl reads.

The variables ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy``, also in upper case:
https://curl.se/docs/manpage.html.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import ipaddress
import sys
import urllib.parse
import urllib.request
from typing import Final

import aiohttp

from cutline.credentials import bare_address, without_credentials
from cutline.errors import ConfigError, MissingExtra

_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})  # which a proxy would take for itself
_REMOTE_NAMES: Final = {"socks4": False, "socks4a": True, "socks5": False, "socks5h": True}
"""SOCKS schemes, and whether the proxy resolves the host's name."""
_PORTS: Final = {"http": 80, "https": 443}


@dataclasses.dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's URL, with a scheme and a port."""

    url: str

    @property
    def is_socks(self) -> bool:
        return self._parts.scheme in _REMOTE_NAMES

    @property
    def shown(self) -> str:
        """Its address as messages may show it."""
        return without_credentials(self.url)

    @property
    def has_password(self) -> bool:
        return self._parts.password is not None

    @property
    def _parts(self) -> urllib.parse.SplitResult:
        return urllib.parse.urlsplit(self.url)

    def connector(self) -> aiohttp.BaseConnector:
        """Connections through a SOCKS proxy."""
        import aiohttp_socks

        parts = self._parts
        return aiohttp_socks.ProxyConnector(
            host=parts.hostname or "",
            port=parts.port or 0,  # both are there: see `proxy_for`
            proxy_type=aiohttp_socks.ProxyType[parts.scheme[:6].upper().rstrip("AH")],
            username=urllib.parse.unquote(parts.username) if parts.username else None,
            password=urllib.parse.unquote(parts.password) if parts.password else None,
            rdns=_REMOTE_NAMES[parts.scheme],
            limit=0,
        )


def socks_errors() -> tuple[type[Exception], ...]:
    """The exceptions of SOCKS connections; none while the extra is not in use."""
    module = sys.modules.get("aiohttp_socks")
    return (module.ProxyError, module.ProxyConnectionError, module.ProxyTimeoutError) if module else ()


def proxy_for(url: str) -> Proxy | None:
    """The proxy for a URL; look it up once, not for every request.

    Raises:
        ConfigError: the variable does not hold a proxy's URL.
        MissingExtra: it is a SOCKS proxy, and its extra is not installed.
    """
    parts = urllib.parse.urlsplit(url)
    named = urllib.request.getproxies()
    variable = parts.scheme if named.get(parts.scheme) else "all"
    proxy = named.get(variable)
    if not proxy or not parts.hostname or parts.hostname in _HERE:
        return None
    if _is_excepted(parts, named.get("no", "")):
        return None
    found = Proxy(_checked(proxy.strip(), f"{variable}_proxy"))
    if found.is_socks and importlib.util.find_spec("aiohttp_socks") is None:
        raise MissingExtra(f"the proxy {found.shown}", "socks")
    return found


def _checked(proxy: str, variable: str) -> str:
    whole = proxy if "://" in proxy else f"http://{proxy}"
    try:
        parts = urllib.parse.urlsplit(whole)
        port = parts.port
    except ValueError:
        port, parts = None, urllib.parse.urlsplit("")
    scheme = parts.scheme.lower()
    is_cut = "@" in f"{parts.path}{parts.query}{parts.fragment}"  # by a mark in the password
    if not parts.hostname or scheme not in {"http", "https", *_REMOTE_NAMES} or is_cut:
        raise ConfigError(
            f"{variable}={bare_address(whole)} is not a proxy: write http://HOST:PORT or socks5://HOST:PORT"
            + (", and in a password %2F for /, %3F for ? and %23 for #" if "@" in whole else "")
        )
    if port is None:
        # curl's default; http and https have theirs.
        host = parts.netloc if scheme in _PORTS else f"{parts.netloc.rstrip(':')}:1080"
        return f"{scheme}://{host}"
    return f"{scheme}://{parts.netloc}"


def _is_excepted(parts: urllib.parse.SplitResult, listed: str) -> bool:
    """Whether ``no_proxy`` names the host: by name, domain, ``*``, address or network, with a port or not."""
    host = (parts.hostname or "").rstrip(".").lower()
    port = parts.port or _PORTS.get(parts.scheme)
    for entry in listed.replace(",", " ").lower().split():
        if entry == "*":
            return True
        name, of_port = _split_port(entry)
        if (of_port is None or of_port == port) and _matches(host, name):
            return True
    return False


def _split_port(entry: str) -> tuple[str, int | None]:
    """``host:80``, ``[::1]:80`` and ``[::1]``; an address of IPv6 without brackets has no port."""
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        port = port.removeprefix(":")
    elif entry.count(":") == 1:
        name, port = entry.split(":")
    else:
        name, port = entry, ""
    return name, int(port) if port.isdecimal() else None


def _matches(host: str, name: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(name, strict=False)
    except ValueError:
        name = name.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
