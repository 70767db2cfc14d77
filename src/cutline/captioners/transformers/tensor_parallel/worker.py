"""The program of a worker process that holds one shard of a model.

Reads the specification of its shard and then batches from standard input, and writes results to standard
output. It ends with its input, so that it never outlives its parent.
"""

from __future__ import annotations

import os
import queue
import shutil
import sys
import threading
import traceback
from pathlib import Path
from typing import Any, BinaryIO

from cutline import registry
from cutline.batcher import OutOfMemory
from cutline.captioners.transformers.generation import batch_runner
from cutline.captioners.transformers.settings import Generation
from cutline.captioners.transformers.tensor_parallel import protocol
from cutline.captioners.transformers.tensor_parallel.protocol import Message
from cutline.captioners.transformers.tensor_parallel.shard import ShardSpec, load_shard
from cutline.errors import ConfigError, CutlineError, SampleError


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries goes to the log
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, messages), daemon=True).start()
    run = _prepare(messages.get().header, out)
    while run is not None:
        _answer(run, messages.get(), out)
    out.close()
    sys.stderr.flush()
    os._exit(1)  # immediately: some libraries wait for other processes at exit


def _listen(source: BinaryIO, messages: queue.SimpleQueue[Message]) -> None:
    """Read messages while the model is busy, so that the end of the input is noticed at any time."""
    store = ""
    while (message := Message.read(source)) is not None:
        store = message.header.get("part", {}).get("store", store)
        messages.put(message)
    if store:
        shutil.rmtree(Path(store).parent, ignore_errors=True)
    os._exit(0)


def _prepare(header: dict[str, Any], out: BinaryIO) -> Any:
    """Load the shard; returns None after reporting an error."""
    try:
        part = ShardSpec(**{**header["part"], "folder": Path(header["part"]["folder"])})
        loaded = load_shard(part)
        family = registry.load("captioners", header["family"])
        run = batch_runner(loaded, family, Generation(**header["generation"]))
    except Exception as error:  # noqa: BLE001 - reported by the parent
        _send_error(error, out)
        return None
    Message(header={"status": "ready"}).write(out)
    return run


def _answer(run: Any, message: Message, out: BinaryIO) -> None:
    try:
        protocol.encode_results(run(protocol.decode_requests(message))).write(out)
    except OutOfMemory:
        Message(header={"status": "memory"}).write(out)
    except Exception as error:  # noqa: BLE001 - as above
        _send_error(error, out)


def _send_error(error: Exception, out: BinaryIO) -> None:
    """Report an error; others than ours are bugs, with a traceback in the log."""
    header = {"status": "broken", "text": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}
    if isinstance(error, CutlineError):
        kind = "config" if isinstance(error, ConfigError) else "stopped"
        header = {"status": kind, "text": str(error)}
        if isinstance(error, SampleError):
            header |= {"status": "sample", "kind": error.kind}
    else:
        traceback.print_exception(error)
    Message(header=header).write(out)


if __name__ == "__main__":
    main()
