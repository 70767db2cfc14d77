"""`cutline studio` in another process, and requests to it as its page sends them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import psutil


class StudioServer:
    """The process; what it keeps lies in a cache of its own."""

    def __init__(self, folder: Path, cache: Path) -> None:
        command = [sys.executable, "-m", "cutline", "studio", os.fspath(folder), "--port", "0", "--no-open"]
        environment = {**os.environ, "XDG_CACHE_HOME": os.fspath(cache), "XDG_STATE_HOME": os.fspath(cache)}
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, env=environment, text=True)
        assert self._process.stderr is not None
        found = re.search(r"http://\S+:\d+", self._process.stderr.readline())
        assert found, "the studio does not start"
        self.url = found[0]

    def call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.url}/studio/{path}", data, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=600) as response:
            content = response.read()
            return json.loads(content) if "json" in response.headers.get("Content-Type", "") else content

    def wait_until_open(self) -> None:
        """The server responds before it has listed its folder."""
        while True:
            try:
                self.call("rows", {"rows": [0]})
            except urllib.error.HTTPError as error:
                if error.code != 409:
                    raise
                time.sleep(0.02)
            else:
                return

    def wait_until_read(self) -> None:
        while not self.call("state").get("is_read"):
            time.sleep(0.05)

    def job(self, path: str, body: Any) -> Any:
        """What became of a job, once it is over."""
        number = self.call(path, body)["job"]
        while not (job := next(one for one in self.call("jobs") if one["job"] == number))["is_over"]:
            time.sleep(0.02)
        return job

    def memory(self) -> float:
        """MB in memory."""
        return psutil.Process(self._process.pid).memory_info().rss / 1e6

    def used(self) -> float:
        times = psutil.Process(self._process.pid).cpu_times()
        return times.user + times.system

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()
