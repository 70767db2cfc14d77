"""A model divided over several devices: device groups, and batches for its worker processes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cutline.batcher import OutOfMemory
from cutline.captioners.transformers.settings import Placement
from cutline.captioners.transformers.tensor_parallel.processes import (
    PROGRAM,
    Devices,
    ParallelSpec,
    WorkerProcesses,
)
from cutline.errors import ConfigError, RunStopped, SampleError

if TYPE_CHECKING:
    from cutline.captioners.transformers.generation import GeneratedText
    from cutline.captioners.transformers.inputs import GenerationRequest


def device_groups(devices: Devices, placement: Placement) -> list[Devices]:
    """Groups of devices that each hold one replica; on the CPU, all shards of it.

    Raises:
        ConfigError: too few devices, an incomplete group, or conflicting options.
    """
    count = placement.tensor_parallel
    if count < 1:
        raise ConfigError(f"--tensor-parallel must be greater than 0, not {count}")
    if count == 1:
        if placement.parallel_engine != "transformers":
            raise ConfigError("--parallel-engine has no effect alone: add --tensor-parallel N")
        return [(device,) for device in devices]
    if placement.quantize is not None:
        raise ConfigError("--quantize and --tensor-parallel exclude each other: remove one of them")
    if all(device == "cpu" for device in devices):
        return [(device,) * count for device in devices]
    if not all(device.startswith("cuda") for device in devices):
        raise ConfigError(f"--tensor-parallel {count} needs GPUs of one kind (cuda), or --device cpu")
    if len(devices) < count:
        raise ConfigError(
            f"--tensor-parallel {count} needs {count} GPUs, and there {'is' if len(devices) == 1 else 'are'} "
            f"{len(devices)}: lower it, or try --quantize 4bit on one"
        )
    if placement.device not in {"auto", "cuda"} and len(devices) % count:
        raise ConfigError(
            f"--device names {len(devices)} GPUs, which --tensor-parallel {count} does not divide: "
            f"name {count}, or a multiple of it"
        )
    return [devices[start : start + count] for start in range(0, len(devices) - count + 1, count)]


class TensorParallelModel:
    """Runs batches on a model shared by several processes, one batch at a time.

    When memory runs out, the processes are restarted, as they may be in different states.

    ``start`` loads the model and blocks meanwhile; ``close`` from another thread ends that too.
    """

    def __init__(self, spec: ParallelSpec, *, program: Sequence[str] = PROGRAM) -> None:
        self._spec = spec
        self._program = program
        self._problem = ""
        self._closed = threading.Event()
        self._processes: WorkerProcesses | None = None

    def start(self) -> WorkerProcesses:
        """Start the processes and wait until each has loaded its shard.

        Raises:
            ConfigError, MissingExtra: the model cannot be loaded.
            RunStopped: it was closed.
        """
        if self._closed.is_set():
            raise RunStopped(f"{self._spec.label} was closed")
        processes = self._processes = WorkerProcesses(self._spec, self._program)
        if self._closed.is_set():  # meanwhile
            processes.end()
        problem = next((reply for reply in processes.collect() if reply.header["status"] != "ready"), None)
        if problem is None:
            return processes
        self._processes = None
        processes.end()
        if self._closed.is_set():
            raise RunStopped(f"{self._spec.label} was closed")
        if problem.header["status"] == "config":
            raise ConfigError(problem.header["text"])
        raise ConfigError(
            f"{self._spec.label} cannot be divided over {len(self._spec.devices)} processes: "
            f"{problem.header['text']}"
        )

    def run(self, requests: list[GenerationRequest]) -> list[GeneratedText]:
        """Run a batch, as for ``Batcher``.

        Raises:
            OutOfMemory: the batch is too large.
            SampleError, RunStopped, ConfigError: raised by the workers.
            RunStopped: a worker has exited.
        """
        from cutline.captioners.transformers.tensor_parallel import protocol

        if self._problem or self._closed.is_set():
            raise RunStopped(self._problem or f"{self._spec.label} was closed")
        try:
            processes = self._processes or self.start()
        except ConfigError as error:
            self._problem = f"{self._spec.label} cannot be loaded again: {error}"
            raise RunStopped(self._problem) from None
        replies = processes.run(protocol.encode_requests(requests))
        first = next((reply for reply in replies if reply.header["status"] != "done"), None)
        if first is None:
            return protocol.decode_results(replies[0])
        status, text = first.header["status"], first.header.get("text", "")
        if status == "sample":
            raise SampleError(first.header["kind"], text)
        if status == "stopped":
            raise RunStopped(text)
        if status == "config":
            raise ConfigError(text)
        self._processes = None
        processes.end()
        if status == "memory":
            raise OutOfMemory
        self._problem = f"{self._spec.label} cannot continue: {text}"
        raise RunStopped(self._problem)

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        self._closed.set()
        if self._processes is not None:
            self._processes.end()
