"""The port on which a command listens."""

from __future__ import annotations

import errno
import socket

from cutline.errors import ConfigError


def check_port(host: str, port: int) -> None:
    """Raise ConfigError if the port cannot be bound, before anything slow is begun."""
    if not 0 <= port <= 65535:  # getaddrinfo takes the rest of others
        raise ConfigError(f"{port} is not a port: ports are 0 to 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is in use: choose another with --port") from None
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}") from None
