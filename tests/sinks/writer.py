"""A run in a process of its own: ``writer.py FOLDER FORMAT COUNT [OPTION=VALUE …]``.

Goes on after the mark it finds, prints one line for each sample, and the error if there is one.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

from sink_cases import fill, make, pairs

from cutline.errors import CutlineError
from cutline.records import Failure


def main() -> int:
    folder, form, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    options = dict(option.split("=") for option in sys.argv[4:])
    data = pairs(count, options.get("text", "a dog") * int(options.get("times", 1)))
    if form == "failures":
        data = [(sample, Failure(key=sample.key, kind="k", message=outcome.text)) for sample, outcome in data]
    folder.mkdir(parents=True, exist_ok=True)
    note = Path(options.get("note", folder / "mark.cutline"))
    stored = json.loads(note.read_text()) if note.exists() else {"mark": None, "done": 0}
    try:
        if "limit" in options:  # bytes that a file may have, as when a disk is full
            resource.setrlimit(resource.RLIMIT_FSIZE, (int(options["limit"]), int(options["limit"])))
        sink = make(folder, form)
        sink.open(stored["mark"])
        print("open", flush=True)
        for done in range(stored["done"], count):
            fill(sink, [data[done]])
            print(done, flush=True)
            if done % 7 == 6:
                store(note, {"mark": sink.commit(), "done": done + 1})
            time.sleep(float(options.get("pause", 0)))
        store(note, {"mark": sink.commit(), "done": count})
        sink.finish()
    except CutlineError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return 3
    print("finished", flush=True)
    return 0


def store(note: Path, stored: dict) -> None:
    part = note.with_name(note.name + ".part")
    part.write_text(json.dumps(stored))
    part.replace(note)


if __name__ == "__main__":
    sys.exit(main())
