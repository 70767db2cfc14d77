"""The worker processes that share one model.

Each has the environment of torchrun (RANK, WORLD_SIZE …) and receives every batch by its own pipe, rather
than by a broadcast: waiting in a collective operation would keep a GPU busy and run into a timeout.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import IO, BinaryIO, Final, TypeAlias, cast

from cutline.captioners.transformers.settings import Generation, ParallelEngine
from cutline.captioners.transformers.tensor_parallel.protocol import Message
from cutline.processors import usable_processors
from cutline.temporary_folders import temporary_folder

PROGRAM: Final = (sys.executable, "-P", "-m", "cutline.captioners.transformers.tensor_parallel.worker")
_EXIT_WAIT: Final = 2.0  # seconds to find out which process exited first
_BATCH_STATUSES: Final = {"done", "sample", "stopped", "config"}  # of all processes, which can continue
Devices: TypeAlias = tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ParallelSpec:
    """A model to divide over ``devices``; ``family`` and ``label`` are names."""

    folder: Path
    family: str
    label: str
    devices: Devices
    dtype: str
    generation: Generation
    engine: ParallelEngine = "transformers"

    @property
    def on_cpu(self) -> bool:
        return self.devices[0] == "cpu"


class WorkerProcesses:
    """One process for each device of a ParallelSpec. They end with this program, however it ends."""

    def __init__(self, spec: ParallelSpec, program: Sequence[str]) -> None:
        self._replies: queue.SimpleQueue[tuple[int, Message]] = queue.SimpleQueue()
        self._temporary = contextlib.ExitStack()
        self._folder = self._temporary.enter_context(temporary_folder("parallel"))
        self._logs: list[IO[bytes]] = []
        self._running: list[subprocess.Popen[bytes]] = []
        for rank in range(len(spec.devices)):
            self._logs.append(tempfile.TemporaryFile())  # noqa: SIM115 - until `end`
            self._running.append(self._open(spec, program, rank))
        for rank in range(len(self._running)):
            threading.Thread(target=self._listen, args=(rank,), name=f"part-{rank}", daemon=True).start()
            self._send(rank, self._description(spec, rank))

    def run(self, batch: Message) -> list[Message]:
        """Run a batch; returns as ``collect``."""
        for rank in range(len(self._running)):
            self._send(rank, batch)
        return self.collect(fine=_BATCH_STATUSES)

    def collect(self, *, fine: Collection[str] = ("ready",)) -> list[Message]:
        """One reply of each process, by rank; or a single one with the error."""
        replies: dict[int, Message] = {}
        while len(replies) < len(self._running):
            rank, reply = self._replies.get()
            if reply.header["status"] in {"dead", "broken"}:
                return [self._cause(rank, reply)]
            if reply.header["status"] not in fine:
                return [reply]
            replies[rank] = reply
        return [replies[rank] for rank in sorted(replies)]

    def end(self) -> None:
        """Kill the processes; they have no state to save."""
        for process in self._running:
            process.kill()
        for process in self._running:
            process.wait()
            with contextlib.suppress(OSError):
                cast("BinaryIO", process.stdin).close()
        for log in self._logs:
            log.close()
        self._temporary.close()

    def _open(self, spec: ParallelSpec, program: Sequence[str], rank: int) -> subprocess.Popen[bytes]:
        # In a session of their own, so that Ctrl-C does not reach them. PR_SET_PDEATHSIG is not used: the
        # parent would be the thread that starts them, which ends once the model is loaded.
        return subprocess.Popen(  # noqa: S603 - our own program
            list(program),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._logs[rank],
            env={**os.environ, **_variables(spec, rank)},
            start_new_session=True,
        )

    def _description(self, spec: ParallelSpec, rank: int) -> Message:
        part = {
            "folder": str(spec.folder.absolute()),
            "device": "cpu" if spec.on_cpu else f"cuda:{rank}",
            "dtype": spec.dtype,
            "rank": rank,
            "count": len(spec.devices),
            "engine": spec.engine,
            "store": str(self._folder.absolute() / "store"),
        }
        generation = dataclasses.asdict(spec.generation)
        return Message(header={"part": part, "family": spec.family, "generation": generation})

    def _send(self, rank: int, message: Message) -> None:
        with contextlib.suppress(OSError, ValueError):  # the listener notices that it is gone
            message.write(cast("BinaryIO", self._running[rank].stdin))

    def _listen(self, rank: int) -> None:
        with cast("BinaryIO", self._running[rank].stdout) as stream:
            while (message := Message.read(stream)) is not None:
                self._replies.put((rank, message))
        self._replies.put((rank, Message(header={"status": "dead"})))

    def _cause(self, rank: int, reply: Message) -> Message:
        """The root cause of an error: when one process dies, the others fail too, perhaps earlier."""
        end = time.monotonic() + _EXIT_WAIT
        while time.monotonic() < end:
            codes = [process.poll() for process in self._running]
            killed = next(
                (number for number, code in enumerate(codes) if code is not None and code < 0), None
            )
            if killed is not None:
                name = _signal_name(-(codes[killed] or 0))
                text = f"process {killed + 1} of {len(codes)} was killed by {name}"
                if codes[killed] == -signal.SIGKILL:
                    text += ", as systems do when memory is used up"
                return Message(header={"status": "dead", "text": text})
            if all(code is not None for code in codes):
                break
            time.sleep(0.05)
        if "text" in reply.header:
            return reply
        text = f"process {rank + 1} of {len(self._running)} ended: {self._log_tail(rank)}"
        return Message(header={"status": "dead", "text": text})

    def _log_tail(self, rank: int) -> str:
        log = self._logs[rank]
        if log.closed:
            return "it was closed"
        log.seek(max(0, log.seek(0, os.SEEK_END) - 4000))
        lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
        return " | ".join(lines[-2:])[:400] or "its log is empty"


def _variables(spec: ParallelSpec, rank: int) -> dict[str, str]:
    """The environment of one process: torchrun's variables, devices, and its share of the cores."""
    count = len(spec.devices)
    variables = {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "LOCAL_SIZE": str(count),  # as DeepSpeed calls it
        "CUDA_VISIBLE_DEVICES": "" if spec.on_cpu else ",".join(map(_physical, spec.devices)),
    }
    if "OMP_NUM_THREADS" not in os.environ:
        variables["OMP_NUM_THREADS"] = str(max(1, usable_processors() // count))
    if spec.on_cpu and "GLOO_SOCKET_IFNAME" not in os.environ and sys.platform != "win32":
        variables["GLOO_SOCKET_IFNAME"] = "lo0" if sys.platform == "darwin" else "lo"  # loopback only
    return variables


def _physical(device: str) -> str:
    """The system's index of the GPU that is ``device`` in this process."""
    number = int(device.partition(":")[2] or 0)
    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    return visible[number] if number < len(visible) else str(number)


def _signal_name(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
