"""Connect to a Ray cluster, or start Ray on this machine for one run."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from cutline.credentials import without_credentials
from cutline.errors import ConfigError, MissingExtra
from cutline.formatting import one_line
from cutline.options import ClusterOptions
from cutline.worker_threads import in_thread

_ADDRESS = "RAY_ADDRESS"
_CONNECT_TIMEOUT = 10.0
_SETTINGS = 4  # the type of HTTP/2's first frame (RFC 9113, 3.4)
_GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, _SETTINGS, 0, 0, 0, 0, 0))
_LOOKS = 3  # seconds after which a cluster counts as full
LOOPBACK_ONLY = ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
"""Makes Ray on Linux use 127.0.0.1 only, which is its default on other systems."""

LOCAL = "local"


def resolve(address: str | None) -> str:
    """HOST:PORT of the cluster at ``address``, or at RAY_ADDRESS; ``local`` without either.

    Raises:
        ConfigError: ``auto`` while no cluster runs on this machine, an empty address, or that of another
            service of Ray.
    """
    if address is not None and not address.strip():  # of a variable that is not set
        raise ConfigError("--address is empty: give HOST:PORT, or remove it for a Ray on this machine")
    option = "--address" if address else _ADDRESS
    address = address or os.environ.get(_ADDRESS) or LOCAL
    if "://" in address:
        raise ConfigError(
            f"{option} is {without_credentials(address)}: give HOST:PORT of the cluster itself, such as "
            "10.0.0.1:6379, on a machine of its network"
        )
    return _running_here() if address == "auto" else address


def import_ray(address: str = LOCAL) -> ModuleType:
    """The library, for a cluster at a resolved address; raises MissingExtra."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    host = address.rpartition(":")[0]
    if address == LOCAL or host in {"127.0.0.1", "localhost"}:
        os.environ.setdefault(*LOOPBACK_ONLY)  # read when Ray is imported
    try:
        import ray.exceptions

        import ray
    except ImportError:
        raise MissingExtra("--engine ray", "ray") from None
    logging.getLogger("ray").setLevel(logging.ERROR)
    # Ray prints on the standard output that a worker died, which belongs to results; we log it.
    ray._private.worker.print_to_stdstream = lambda *_, **__: None  # noqa: SLF001 - there is no option
    module: ModuleType = ray
    return module


def connect(address: str, input_path: str) -> str:
    """Connect to the cluster at a resolved address, or start Ray here; blocks.

    Ray's dashboard shows the name of the input instead of the command line, which may contain keys.

    Returns the place of the cluster, for messages; empty if the process was already connected, and stays so.

    Raises:
        ConfigError: there is no cluster, or it runs another version of Ray or Python.
    """
    ray = import_ray(address)
    if ray.is_initialized():
        return ""
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": False}
    if address == LOCAL:
        options |= {"include_dashboard": False}
    if ":" in address and not _responds(address):
        raise ConfigError(_refusal(address, ConnectionError("nothing listens there")))
    if ":" in address and not _speaks_grpc(address):
        raise ConfigError(_refusal(address, ConnectionError("no gRPC"), responds=True))
    name = Path(input_path).name.partition("?")[0]
    utils = ray._private.utils  # noqa: SLF001 - there is no option
    entrypoint, utils.get_entrypoint_name = utils.get_entrypoint_name, lambda: f"cutline {name}"
    try:
        ray.init(address=address, namespace="cutline", **options)
    except Exception as error:  # noqa: BLE001 - Ray raises plain ones too
        raise ConfigError(_refusal(address, error, responds=":" in address)) from None
    finally:
        utils.get_entrypoint_name = entrypoint
    return "Ray on this machine" if address == LOCAL else f"the cluster at {address}"


def disconnect() -> None:
    """Disconnect; a Ray that was started here is stopped."""
    ray = import_ray()
    ray.shutdown()


async def is_full(options: ClusterOptions) -> bool:
    """Whether other jobs use all resources; released ones take a moment to become free."""
    kind, need = (
        ("GPU", options.gpus_per_actor) if options.gpus_per_actor else ("CPU", options.cpus_per_actor)
    )
    ray = import_ray()
    for _ in range(_LOOKS):
        total, free = await in_thread(ray.cluster_resources), await in_thread(ray.available_resources)
        if free.get(kind, 0.0) >= need or total.get(kind, 0.0) < need:
            return False
        await asyncio.sleep(1.0)
    return True


def _running_here() -> str:
    """The address of the cluster that was started last on this machine, from Ray's own record."""
    record = _folder() / "ray_current_cluster"
    try:
        address, owner = record.read_text().strip(), record.stat().st_uid
    except OSError:
        raise ConfigError(_refusal("auto", ConnectionError("no record of one"))) from None
    if os.name == "posix" and owner not in {0, os.geteuid()}:  # keys would go to whoever wrote it
        raise ConfigError(f"the cluster at {address} is another user's: give --address {address} to use it")
    return address


def _folder() -> Path:
    """Where Ray keeps its files on this machine."""
    return Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir())) / "ray"


def start_failure(error: Exception) -> str:
    """Why Ray does not start on this machine, and the cure, in one line."""
    return (
        f"Ray does not start on this machine: {one_line(error).rstrip('.')}; its logs are in {_folder()}, "
        "where it needs room: RAY_TMPDIR names another folder, with a short path"
    )


def _responds(address: str) -> bool:
    """Whether something listens at HOST:PORT; Ray would try for a minute."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_TIMEOUT):
            return True
    except (OSError, ValueError):
        return False


def _speaks_grpc(address: str) -> bool:
    """Whether a server at HOST:PORT sends an HTTP/2 preface; without one, Ray would wait for minutes."""
    if os.environ.get("RAY_USE_TLS", "0") not in {"", "0"}:
        return True  # it greets only after TLS
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError):
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_TIMEOUT) as tried:
            tried.sendall(_GREETING)
            frame = tried.recv(9, socket.MSG_WAITALL)
        return len(frame) == 9 and frame[3] == _SETTINGS
    return False


def _refusal(address: str, error: Exception, *, responds: bool = False) -> str:
    """The problem and its cure; ``responds``: something listens at the address."""
    reason = one_line(error)
    if "ersion mismatch" in reason:
        return (
            f"the cluster at {address} runs other versions; install the same Ray and Python on all machines: "
            f"{reason}"
        )
    if address == LOCAL:
        return start_failure(error)
    if responds:
        return (
            f"Ray cannot join what listens at {address}: if that requires a token, set RAY_AUTH_MODE=token, "
            "and RAY_AUTH_TOKEN to what `ray get-auth-token` prints there; the port is the cluster's (6379), "
            "not the dashboard's"
        )
    where = "no Ray cluster is found" if address == "auto" else f"no Ray cluster responds at {address}"
    return (
        f"{where}: start one (`cutline ray up` to try it on this machine, else `ray start --head`), name a "
        "running one (--address HOST:PORT), or run without --address for one on this machine"
    )


@contextlib.contextmanager
def handlers_kept() -> Iterator[None]:
    """Keep the signal handlers of this process, which Ray replaces; in the main thread only."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        with contextlib.suppress(ValueError):  # another thread, where Ray leaves them alone
            for number, handler in before.items():
                signal.signal(number, handler)
