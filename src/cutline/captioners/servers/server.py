"""A model server in a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path
from typing import IO

from cutline.captioners.hosted.endpoint import Endpoint
from cutline.captioners.servers import supervisor
from cutline.captioners.servers.logs import exit_reason, newest_line
from cutline.captioners.servers.programs import HOST, Program
from cutline.credentials import Secret
from cutline.errors import ConfigError, EndpointUnusable, Retryable, RunStopped
from cutline.interfaces import Say
from cutline.worker_threads import in_thread

_POLL_INTERVAL = 0.25
_REPORT_INTERVAL = 2.0
_EXIT_TIMEOUT = 1.0  # seconds between a broken connection and the exit of its server
_log = logging.getLogger(__name__)


@dataclasses.dataclass(eq=False, kw_only=True)
class Server:
    """A reference-counted server: ``open`` starts it, the last ``leave`` ends it.

    ``timeout``: seconds until it must be ready. It ends with this program, however that ends.
    """

    program: Program
    model: str
    options: tuple[str, ...]
    port: int
    key: Secret | None
    timeout: float

    def __post_init__(self) -> None:
        self.name = self.program.name
        self.root = f"http://{HOST}:{self.port}"
        self.url = f"{self.root}/v1"
        self._lock = threading.Lock()  # users may be on event loops of different threads
        self._users = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None
        self.program.command_line(self.model, self.port)  # fails early if the program is missing

    @property
    def has_ended(self) -> bool:
        """Whether it was started and has exited by itself."""
        return self._process is not None and self._process.poll() is not None

    async def open(self, say: Say, *, again: bool = False) -> None:
        """Start it, unless it is running, and wait until it is ready.

        ``again``: by a user that has opened it before and has not left.

        Raises:
            ConfigError: it cannot be started, exits, or is not ready in time; quotes its log.
        """
        endpoint = Endpoint(self.root, key=None, timeout=5.0)
        with self._lock:
            self._users += not again
        try:
            if self._ending is not None:  # it holds the port until it exits
                await in_thread(self._ending.wait)
            if self.program.shared and self._process is None and await self._is_healthy(endpoint):
                say(f"{self.name} is already running at {self.root}: it is used, and left running")
                return
            with self._lock:
                if self._process is None or self.has_ended:
                    self._start()
                    say(f"starting {self.name}: its log is {self._log}")
            await self._wait(endpoint, say)
        except BaseException:
            if not again:
                await self.leave()
            raise
        finally:
            await endpoint.aclose()

    async def leave(self) -> None:
        """End it, unless others use it."""
        with self._lock:
            self._users -= 1
            process, log = self._process, self._log
            if self._users or process is None:
                return
            self._ending, self._process, self._log = process, None, None
        await in_thread(_end, process, log)

    async def check(self) -> None:
        """Check after a broken connection whether it has exited.

        Raises:
            RunStopped: it has.
        """
        process = self._process
        if process is None:
            return
        end = time.monotonic() + _EXIT_TIMEOUT
        while process.poll() is None:
            if time.monotonic() > end:
                return
            await asyncio.sleep(0.05)
        raise RunStopped(
            f"{self.name} {_describe_exit(process.returncode)} while in use; {self._exit_reason()}"
        )

    def _start(self) -> None:
        command = self.program.command_line(self.model, self.port)
        self._check_port()
        environment = self.program.variables(self.model, self.port)
        if self.key is not None and self.program.key_env:
            environment[self.program.key_env] = self.key.reveal()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        try:
            if self._log is None:
                number, path = tempfile.mkstemp(prefix=f"cutline-{self.name}-", suffix=".log")
                os.close(number)
                self._log = Path(path)
            with self._log.open("ab") as log:
                self._process = _supervised([*command, *self.options], environment, log)
        except OSError as error:
            raise ConfigError(f"{self.name} cannot be started: {error}") from None
        _log.info("started server=%s process=%d log=%s", self.name, self._process.pid, self._log)

    def _check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self.port))
            except OSError as error:
                raise ConfigError(
                    f"{self.name} cannot be started at port {self.port} ({error.strerror}): remove --start "
                    "to use what is running there, or choose another --port"
                ) from None

    async def _wait(self, endpoint: Endpoint, say: Say) -> None:
        process, reported = self._process, self._newest_line()
        assert process is not None
        next_report = 0.0
        end = time.monotonic() + self.timeout
        while True:
            healthy = await self._is_healthy(endpoint)
            if process.poll() is not None:
                raise ConfigError(
                    f"{self.name} {_describe_exit(process.returncode)} before it was ready; "
                    f"{self._exit_reason()}"
                )
            if healthy:
                return
            if time.monotonic() > end:
                raise ConfigError(
                    f"{self.name} is not ready after {self.timeout:g} s: increase --start-timeout; "
                    f"{self._exit_reason()}"
                )
            last, now = self._newest_line(), time.monotonic()
            if last != reported and now > next_report:
                reported, next_report = last, now + _REPORT_INTERVAL
                say(f"starting {self.name}: {last}")
            await asyncio.sleep(_POLL_INTERVAL)

    async def _is_healthy(self, endpoint: Endpoint) -> bool:
        with contextlib.suppress(Retryable, EndpointUnusable):
            response = await endpoint.send("GET", self.root + self.program.health, with_key=False)
            return response.status == 200
        return False

    def _newest_line(self) -> str:
        return newest_line(self._log or Path(), self.key)

    def _exit_reason(self) -> str:
        return exit_reason(self._log or Path(), self.key)


_servers: weakref.WeakValueDictionary[tuple[object, ...], Server] = weakref.WeakValueDictionary()


def server_for(
    program: Program,
    model: str,
    options: tuple[str, ...],
    *,
    port: int | None,
    key: Secret | None,
    timeout: float,
) -> Server:
    """The server for a command, shared by all its users; at a free port if ``port`` is None.

    Raises:
        ConfigError: it cannot run on this system.
    """
    if sys.platform == "win32":
        raise ConfigError(
            "--start needs Linux or macOS: start the server yourself, and pass its --endpoint or --port"
        )
    known = (program.name, "" if program.shared else model, options, port, key.reveal() if key else "")
    server = _servers.get(known)
    if server is None:
        server = Server(
            program=program, model=model, options=options, port=port or _free_port(), key=key, timeout=timeout
        )
        _servers[known] = server
    return server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _supervised(command: list[str], environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start the server below a supervisor, which ends it when the pipe to this process breaks.

    In a session of its own, so that Ctrl-C does not reach it.
    """
    return subprocess.Popen(  # noqa: S603 - without a shell
        [sys.executable, "-I", supervisor.__file__, *command],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        env=environment,
        start_new_session=True,
    )


def _end(process: subprocess.Popen[bytes], log: Path | None) -> None:
    """End a server; its log is kept if it had exited by itself."""
    exited = process.poll() is not None
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(2 * supervisor.GRACE + 2)
    except subprocess.TimeoutExpired:
        process.kill()  # the kernel ends the server with it
        process.wait()
    if log is not None and not exited:
        log.unlink(missing_ok=True)


def _describe_exit(code: int) -> str:
    """Description of an exit code, or of the supervisor's code for a signal."""
    number = code - 128 if code > 128 else -code
    with contextlib.suppress(ValueError):
        if code > 128 or code < 0:
            name = signal.Signals(number).name
            memory = ", as systems do when memory is used up," if name == "SIGKILL" else ""
            return f"was ended by {name}{memory}"
    return f"ended with code {code}"
