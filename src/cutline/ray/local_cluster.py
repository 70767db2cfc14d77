"""A Ray cluster of several nodes on this machine, for trying it out. It listens on 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Iterator
from typing import Any

from cutline.errors import ConfigError
from cutline.formatting import one_line
from cutline.ray.cluster import import_ray

_DASHBOARD_PORT = 8265


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalCluster:
    """``address`` as HOST:PORT, ``dashboard`` as a URL, empty without one."""

    address: str
    dashboard: str
    nodes: int


@contextlib.contextmanager
def local_cluster(*, nodes: int, cpus: float, port: int, dashboard: bool) -> Iterator[LocalCluster]:
    """Nodes of so many ``cpus`` each, until the block ends.

    Raises:
        ConfigError: the port is taken, or Ray does not start.
    """
    if nodes < 1:
        raise ConfigError(f"--nodes must be 1 or more, not {nodes}")
    if port and not _is_free(port):
        raise ConfigError(f"port {port} is taken: choose another with --port, or 0 for any")
    import_ray()
    from ray.cluster_utils import Cluster

    web: dict[str, Any] = {"include_dashboard": dashboard}
    if dashboard:
        free = _DASHBOARD_PORT if _is_free(_DASHBOARD_PORT) else 0
        web |= {"dashboard_host": "127.0.0.1", "dashboard_port": free or None}
    made = Cluster()
    try:
        try:
            head = made.add_node(num_cpus=cpus, gcs_server_port=port or None, **web)
            for _ in range(nodes - 1):
                made.add_node(num_cpus=cpus)
        except Exception as error:
            raise ConfigError(f"Ray does not start: {one_line(error)}") from error
        url = head.webui_url if dashboard else ""
        yield LocalCluster(address=made.address, dashboard=f"http://{url}" if url else "", nodes=nodes)
    finally:
        made.shutdown()


def _is_free(port: int) -> bool:
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
