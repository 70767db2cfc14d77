"""``cutline ray``: a cluster on this machine."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import cyclopts
from cyclopts import Parameter, validators

from cutline.cli.ports import check_port
from cutline.formatting import plural
from cutline.processors import usable_processors
from cutline.ray.local_cluster import local_cluster
from cutline.terminal import print_line

app = cyclopts.App(name="ray", help_format="plaintext")


@app.command
def up(
    *,
    nodes: Annotated[int, Parameter(validator=validators.Number(gte=1), help="Number of nodes.")] = 2,
    cpus_per_node: Annotated[
        float | None,
        Parameter(
            validator=validators.Number(gt=0),
            help="CPUs of each node. [default: those of this machine, divided]",
        ),
    ] = None,
    port: Annotated[int, Parameter(help="Port of the cluster; 0 takes a free one.")] = 6379,
    dashboard: Annotated[bool, Parameter(negative="--no-dashboard", help="Start Ray's dashboard.")] = True,
) -> int:
    """Start a Ray cluster of several nodes on this machine, until interrupted.

    It listens on 127.0.0.1 only. For trying out `--engine ray`; on several machines start Ray itself there.
    """
    check_port("127.0.0.1", port)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    cpus = cpus_per_node or max(1, usable_processors() // nodes)
    print_line(f"starting {plural(nodes, 'node')} …")
    with local_cluster(nodes=nodes, cpus=cpus, port=port, dashboard=dashboard) as cluster:
        if cluster.dashboard:
            print_line(f"dashboard: {cluster.dashboard}")
        print_line(f"{plural(cluster.nodes, 'node')} at {cluster.address}, until Ctrl-C")
        print_line(f"cutline caption photos/ captions.jsonl --engine ray --address {cluster.address}")
        stopped.wait()
        print_line("stopping")
    return 0
