"""One model spread over several devices: which devices, and batches to and from those that share it."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cutline.batcher import OutOfMemory
from cutline.captioners.transformers.settings import Placing
from cutline.captioners.transformers.tensor_parallel.processes import PROGRAM, Devices, Processes, Spread
from cutline.errors import ConfigError, RunStopped, SampleError

if TYPE_CHECKING:
    from cutline.captioners.transformers.generation import Answer
    from cutline.captioners.transformers.inputs import Question


def places_for(devices: Devices, placing: Placing) -> list[Devices]:
    """The groups of devices that each hold the model once; the CPU holds all parts of it.

    Raises:
        ConfigError: there are too few, they do not divide into groups, or the options contradict each other.
    """
    count = placing.tensor_parallel
    if count < 1:
        raise ConfigError(f"--tensor-parallel must be greater than 0, not {count}")
    if count == 1:
        if placing.parallel_engine != "transformers":
            raise ConfigError("--parallel-engine does nothing alone: add --tensor-parallel N")
        return [(device,) for device in devices]
    if placing.quantize is not None:
        raise ConfigError("--quantize and --tensor-parallel exclude each other: leave one of them out")
    if all(device == "cpu" for device in devices):
        return [(device,) * count for device in devices]
    if not all(device.startswith("cuda") for device in devices):
        raise ConfigError(f"--tensor-parallel {count} needs GPUs of one kind (cuda), or --device cpu")
    if len(devices) < count:
        raise ConfigError(
            f"--tensor-parallel {count} needs {count} GPUs, and there {'is' if len(devices) == 1 else 'are'} "
            f"{len(devices)}: lower it, or try --quantize 4bit on one"
        )
    if placing.device not in {"auto", "cuda"} and len(devices) % count:
        raise ConfigError(
            f"--device names {len(devices)} GPUs, which --tensor-parallel {count} does not divide: "
            f"name {count}, or a multiple of it"
        )
    return [devices[start : start + count] for start in range(0, len(devices) - count + 1, count)]


class SpreadModel:
    """Runs batches on a model that several processes share; one batch at a time.

    When memory is used up the processes are started anew: one of them may have got further than
    the others, and they could not be brought together again.

    ``start`` loads the model and blocks meanwhile; ``close`` from another thread ends that too.
    """

    def __init__(self, spread: Spread, *, program: Sequence[str] = PROGRAM) -> None:
        self._spread = spread
        self._program = program
        self._problem = ""
        self._closed = threading.Event()
        self._processes: Processes | None = None

    def start(self) -> Processes:
        """Start the processes and wait until each has loaded its part.

        Raises:
            ConfigError, MissingExtra: the model cannot be loaded so.
            RunStopped: it was closed.
        """
        if self._closed.is_set():
            raise RunStopped(f"{self._spread.label} was closed")
        processes = self._processes = Processes(self._spread, self._program)
        if self._closed.is_set():  # meanwhile
            processes.end()
        problem = next((reply for reply in processes.collect() if reply.header["status"] != "ready"), None)
        if problem is None:
            return processes
        self._processes = None
        processes.end()
        if self._closed.is_set():
            raise RunStopped(f"{self._spread.label} was closed")
        if problem.header["status"] == "config":
            raise ConfigError(problem.header["text"])
        raise ConfigError(
            f"{self._spread.label} cannot be spread over {len(self._spread.devices)} processes: "
            f"{problem.header['text']}"
        )

    def run(self, questions: list[Question]) -> list[Answer]:
        """As the run of a Batching.

        Raises:
            OutOfMemory: the batch is too large.
            SampleError, RunStopped, ConfigError: as one process would.
            RunStopped: a process is gone.
        """
        from cutline.captioners.transformers.tensor_parallel import protocol

        if self._problem or self._closed.is_set():
            raise RunStopped(self._problem or f"{self._spread.label} was closed")
        processes = self._processes or self._start_again()
        replies = processes.ask(protocol.from_questions(questions))
        first = next((reply for reply in replies if reply.header["status"] != "done"), None)
        if first is None:
            return protocol.to_answers(replies[0])
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
        self._problem = f"{self._spread.label} cannot go on: {text}"
        raise RunStopped(self._problem)

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        self._closed.set()
        if self._processes is not None:
            self._processes.end()

    def _start_again(self) -> Processes:
        try:
            return self.start()
        except ConfigError as error:
            self._problem = f"{self._spread.label} cannot be loaded anew: {error}"
            raise RunStopped(self._problem) from None
