"""One more node of a cluster on this machine: ``python ray_node.py HOST:PORT``, until it is killed.

``ray start`` refuses to join a cluster that listens on 127.0.0.1 alone.
"""

from __future__ import annotations

import os
import sys
import threading

os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"

import ray._private.node
import ray._private.parameter

node = ray._private.node.Node(
    ray._private.parameter.RayParams(
        gcs_address=sys.argv[1],
        redis_address=sys.argv[1],
        num_cpus=1,
        num_gpus=0,
        object_store_memory=150_000_000,
        min_worker_port=0,
        max_worker_port=0,
        node_manager_port=0,
        dashboard_agent_listen_port=None,
        include_log_monitor=False,
    ),
    head=False,
    shutdown_at_exit=True,
)
print("ready", flush=True)
threading.Event().wait()
