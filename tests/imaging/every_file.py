"""Opens every file named on standard input, and prints one line of JSON about each.

Run in a process of its own: what is tested here may crash, hang or eat the memory.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from cutline.errors import PictureError
from cutline.imaging import Limits, Picture
from peak_memory import peak_mb

LIMITS = Limits(max_side=1024)


class OnDisk:
    def __init__(self, path: str) -> None:
        self.path = path

    def read(self) -> bytes:
        return Path(self.path).read_bytes()


def outcome(what):
    started = time.perf_counter()
    try:
        result = what()
        report = {"outcome": "loads", "result": result}
    except PictureError as error:
        report = {"outcome": error.kind, "message": str(error)}
    except BaseException:
        report = {"outcome": "crash", "message": traceback.format_exc()}
    return {**report, "seconds": time.perf_counter() - started}


def look(path: str):
    from PIL import Image

    image = Picture(OnDisk(path)).image()
    small = image.convert("L").resize((8, 8), Image.Resampling.BOX)
    return {"size": image.size, "mode": image.mode, "thumb": list(small.tobytes())}


def fit(path: str):
    encoded = Picture(OnDisk(path)).fit(LIMITS)
    return {"size": (encoded.width, encoded.height), "bytes": len(encoded.data)}


for line in sys.stdin:
    path = json.loads(line)
    report = {
        "image": outcome(lambda path=path: look(path)),
        "fit": outcome(lambda path=path: fit(path)),
        "peak_mb": peak_mb(),
    }
    print(json.dumps(report), flush=True)
