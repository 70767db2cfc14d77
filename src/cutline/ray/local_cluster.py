"""A Ray cluster of several nodes on this machine, for tests and trials. It listens on 127.0.0.1 only."""

from __future__ import annotations

import contextlib
import dataclasses
import socket
from collections.abc import Iterator
from typing import Any

from cutline.errors import ConfigError
from cutline.ray.cluster import handlers_kept, import_ray, start_failure

_DASHBOARD_PORT = 8265


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LocalCluster:
    """``address`` is HOST:PORT; ``dashboard`` is a URL, or empty."""

    address: str
    dashboard: str
    nodes: int


@contextlib.contextmanager
def local_cluster(*, nodes: int, cpus: float, port: int, dashboard: bool) -> Iterator[LocalCluster]:
    """Run ``nodes`` nodes with ``cpus`` CPUs each until the block ends.

    Raises:
        ConfigError: Ray does not start.
    """
    import_ray()
    from ray.cluster_utils import Cluster

    web: dict[str, Any] = {"include_dashboard": dashboard}
    if dashboard:
        free = _DASHBOARD_PORT if _is_free(_DASHBOARD_PORT) else 0
        web |= {"dashboard_host": "127.0.0.1", "dashboard_port": free or None}
    made = Cluster()
    try:
        try:
            with handlers_kept():
                head = made.add_node(num_cpus=cpus, gcs_server_port=port or None, **web)
                for _ in range(nodes - 1):
                    made.add_node(num_cpus=cpus)
        except Exception as error:
            raise ConfigError(start_failure(error)) from error
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
