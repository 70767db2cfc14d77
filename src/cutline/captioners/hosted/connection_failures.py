"""Exceptions of a connection as errors that name their cure."""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from pathlib import Path

import aiohttp

from cutline.captioners.hosted.proxies import Proxy, socks_errors
from cutline.errors import CutlineError, EndpointUnusable, Retryable
from cutline.formatting import printable

_PASSING = frozenset({408, 429, 500, 502, 503, 504})  # answers of a proxy that may be others soon


def connection_failure(error: Exception, *, shown: str, proxy: Proxy | None, seconds: float) -> CutlineError:
    """A Retryable for one request, or an EndpointUnusable for all requests.

    Args:
        error: of aiohttp, of a SOCKS proxy, or an OSError.
        shown: the endpoint's address as messages may show it.
        proxy: what the connection goes through.
        seconds: the time limit of the request.
    """
    through = proxy.shown if proxy else ""
    passing = None  # the kind of a failure that may pass
    match error:
        case aiohttp.InvalidURL() | UnicodeError():  # the latter of a name with an empty or too long part
            message = f"{shown} is not a URL; pass --endpoint http://host:port/v1"
        case aiohttp.ClientConnectorCertificateError():
            message = (
                f"the certificate of {shown} is not trusted ({_tls_reason(error.certificate_error)}); "
                + _own_certificates(os.environ)
            )
        case aiohttp.ClientConnectorSSLError():
            reason = _tls_reason(error.os_error)
            message = f"{shown} does not speak TLS ({reason}); for a server without it write http://"
        case aiohttp.ClientHttpProxyError():
            passing = "unreachable" if error.status in _PASSING else None
            message = f"the proxy {through} refused to connect to {shown} ({error.status})"
            message += "" if passing else f": {_proxy_cure(error.status, proxy)}"
        case aiohttp.ClientProxyConnectionError():
            passing, message = (
                "unreachable",
                f"cannot connect to the proxy {through} ({_os_reason(error.os_error)})",
            )
        case aiohttp.ClientConnectorError():
            by = f" through the proxy {through}" if through else ""
            passing, message = "unreachable", f"cannot connect to {shown}{by} ({_os_reason(error.os_error)})"
        case _ if isinstance(error, socks_errors()):
            passing, message = "unreachable", f"cannot connect through the proxy {through} ({error})"
        case aiohttp.ConnectionTimeoutError():
            passing, message = "unreachable", f"cannot connect to {through or shown} (no answer)"
        case TimeoutError():
            passing, message = "timeout", f"{shown} did not answer within {seconds:g} s"
        case _:
            passing, breakage = _breakage(error)
            message = f"{shown} {breakage}"
    return Retryable(passing, message) if passing else EndpointUnusable(message)


def _proxy_cure(status: int, proxy: Proxy | None) -> str:
    if status != 407:
        return "allow that there, or name the host in no_proxy"
    if proxy is not None and proxy.has_password:
        return "it does not accept the name and the password in its URL in the environment"
    return "it requires a name and a password: write them into its URL in the environment"


def _own_certificates(environment: Mapping[str, str]) -> str:
    """How to trust a CA of one's own: OpenSSL passes over a file that is not there in silence."""
    if given := environment.get("SSL_CERT_FILE"):
        if not Path(given).is_file():
            return f"SSL_CERT_FILE={given} is not a file: name that of your CA, or unset it"
        return (
            f"SSL_CERT_FILE={given} does not hold the CA that signed it: name a file that does, or unset it"
        )
    others = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")  # of other programs
    other = next((name for name in others if environment.get(name)), None)
    return f"for a CA of your own set SSL_CERT_FILE to {f'the file in {other}' if other else 'its file'}"


def _breakage(error: Exception) -> tuple[str, str]:
    """What happened to a connection, or to the answer that came over it: the kind of failure, and words."""
    is_of_answer = isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError)
    if is_of_answer and "ncod" in str(error):
        return "malformed", (
            "sent a body that cannot be unpacked (its Content-Encoding is wrong or unknown): look at what is "
            "between here and the endpoint, such as a proxy"
        )
    if isinstance(error, aiohttp.ClientResponseError):
        reason = printable(error.message.partition("\n")[0].rstrip(":. "))[:100]
        return "malformed", f"sent what is not HTTP/1.1 ({reason}): is it the port of the API?"
    return "connection", f"broke the connection ({type(error).__name__})"


def _os_reason(error: OSError) -> str:
    number = error.errno or 0
    return os.strerror(number) if number > 0 else error.strerror or str(error) or type(error).__name__


def _tls_reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (isinstance(error, ssl.SSLError) and error.reason) or type(error).__name__
