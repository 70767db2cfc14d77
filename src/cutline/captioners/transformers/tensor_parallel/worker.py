"""The program of one process among several that share a model; started by ``spreading``, not by people.

Reads its part's description and then batches from standard input, and writes what came of each to standard
output. It ends when its input does, so that it never outlives the program that started it.
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
from cutline.captioners.transformers.replica import runner
from cutline.captioners.transformers.settings import Generation
from cutline.captioners.transformers.tensor_parallel import protocol
from cutline.captioners.transformers.tensor_parallel.protocol import Message
from cutline.captioners.transformers.tensor_parallel.shard import Part, load_part
from cutline.errors import ConfigError, CutlineError, SampleError


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print belongs to the log
    messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, messages), daemon=True).start()
    run = _prepare(messages.get().header, out)
    while run is not None:
        _answer(run, messages.get(), out)
    out.close()
    sys.stderr.flush()
    os._exit(1)  # at once: some libraries wait for other processes when they are put away


def _listen(source: BinaryIO, messages: queue.SimpleQueue[Message]) -> None:
    """Take messages in while the model is busy, so that the end of them is noticed at any time."""
    store = ""
    while (message := Message.read(source)) is not None:
        store = message.header.get("part", {}).get("store", store)
        messages.put(message)
    if store:
        shutil.rmtree(Path(store).parent, ignore_errors=True)
    os._exit(0)


def _prepare(header: dict[str, Any], out: BinaryIO) -> Any:
    """What runs a batch; None when the model cannot be loaded, which is said."""
    try:
        part = Part(**{**header["part"], "folder": Path(header["part"]["folder"])})
        loaded = load_part(part)
        family = registry.load("captioners", header["family"])
        run = runner(loaded, family, Generation(**header["generation"]))
    except Exception as error:  # noqa: BLE001 - the program that started this one tells the user
        _tell(error, out)
        return None
    Message(header={"status": "ready"}).write(out)
    return run


def _answer(run: Any, message: Message, out: BinaryIO) -> None:
    try:
        protocol.from_answers(run(protocol.to_questions(message))).write(out)
    except OutOfMemory:
        Message(header={"status": "memory"}).write(out)
    except Exception as error:  # noqa: BLE001 - as above
        _tell(error, out)


def _tell(error: Exception, out: BinaryIO) -> None:
    """Errors that are meant for the user by their type, others as what they are: a fault."""
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
