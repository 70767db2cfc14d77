"""One server in a process of its own: started, waited for, watched and ended."""

from __future__ import annotations

import asyncio
import contextlib
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
from collections.abc import Callable
from pathlib import Path
from typing import IO, TypeAlias

from cutline.captioners.hosted.endpoint import Endpoint
from cutline.captioners.servers import supervisor
from cutline.captioners.servers.logs import last_words, newest_line
from cutline.captioners.servers.programs import HOST, Program
from cutline.credentials import Secret
from cutline.errors import ConfigError, EndpointUnusable, Retryable, RunStopped
from cutline.worker_threads import in_thread

Say: TypeAlias = Callable[[str], None]

_LOOK_EVERY = 0.25
_TELL_EVERY = 2.0
_ENDED = 1.0  # seconds until a server that broke a connection may be known to have ended
_log = logging.getLogger(__name__)


class Server:
    """A server that runs while anybody uses it; what ``open`` began, ``leave`` ends.

    ``timeout``: seconds until it has to answer. It ends when this program does, however that ends.
    """

    def __init__(
        self,
        program: Program,
        model: str,
        options: tuple[str, ...],
        *,
        port: int,
        key: Secret | None,
        timeout: float,
    ) -> None:
        self.name = program.name
        self.root = f"http://{HOST}:{port}"
        self.url = f"{self.root}/v1"
        self._program = program
        self._model = model
        self._options = options
        self._port = port
        self._key = key
        self._timeout = timeout
        self._lock = threading.Lock()  # users may be in different threads, each with a loop of its own
        self._users = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._ending: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None
        program.words(model, port)  # what is missing is told before anything begins

    @property
    def has_ended(self) -> bool:
        """Whether it was started, and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    async def open(self, say: Say, *, again: bool = False) -> None:
        """Start it, unless that was done, and wait until it can be asked.

        ``again``: by one who opened it before, and has not left.

        Raises:
            ConfigError: it cannot be started, has ended, or does not answer in time; tells its log's end.
        """
        endpoint = Endpoint(self.root, key=None, timeout=5.0)
        with self._lock:
            self._users += not again
        try:
            if self._ending is not None:  # it has the port until it is gone
                await in_thread(self._ending.wait)
            if self._program.shared and self._process is None and await self._answers(endpoint):
                say(f"{self.name} runs already at {self.root}: it is asked, and left running")
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
        """End it, if nobody else uses it."""
        with self._lock:
            self._users -= 1
            process, log = self._process, self._log
            if self._users or process is None:
                return
            self._ending, self._process, self._log = process, None, None
        await in_thread(_end, process, log)

    async def check(self) -> None:
        """Find out whether it has ended, as a broken connection may mean.

        Raises:
            RunStopped: it has.
        """
        process = self._process
        if process is None:
            return
        end = time.monotonic() + _ENDED
        while process.poll() is None:
            if time.monotonic() > end:
                return
            await asyncio.sleep(0.05)
        raise RunStopped(f"{self.name} {_how(process.returncode)} while it was asked; {self._last_words()}")

    def _start(self) -> None:
        command = self._program.words(self._model, self._port)
        self._check_port()
        environment = self._program.variables(self._model, self._port)
        if self._key is not None and self._program.key_env:
            environment[self._program.key_env] = self._key.reveal()
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        try:
            if self._log is None:
                number, path = tempfile.mkstemp(prefix=f"cutline-{self.name}-", suffix=".log")
                os.close(number)
                self._log = Path(path)
            with self._log.open("ab") as log:
                self._process = _supervised([*command, *self._options], environment, log)
        except OSError as error:
            raise ConfigError(f"{self.name} cannot be started: {error}") from None
        _log.info("started server=%s process=%d log=%s", self.name, self._process.pid, self._log)

    def _check_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self._port))
            except OSError as error:
                raise ConfigError(
                    f"{self.name} cannot be started at port {self._port} ({error.strerror}): leave --start "
                    "out to ask what runs there, or choose another --port"
                ) from None

    async def _wait(self, endpoint: Endpoint, say: Say) -> None:
        process, told = self._process, self._newest_line()
        assert process is not None
        silent_until = 0.0
        end = time.monotonic() + self._timeout
        while True:
            healthy = await self._answers(endpoint)
            if process.poll() is not None:
                raise ConfigError(
                    f"{self.name} {_how(process.returncode)} before it could be asked; {self._last_words()}"
                )
            if healthy:
                return
            if time.monotonic() > end:
                raise ConfigError(
                    f"{self.name} does not answer after {self._timeout:g} s: --start-timeout waits longer; "
                    f"{self._last_words()}"
                )
            last, now = self._newest_line(), time.monotonic()
            if last != told and now > silent_until:
                told, silent_until = last, now + _TELL_EVERY
                say(f"starting {self.name}: {last}")
            await asyncio.sleep(_LOOK_EVERY)

    async def _answers(self, endpoint: Endpoint) -> bool:
        with contextlib.suppress(Retryable, EndpointUnusable):
            answer = await endpoint.send("GET", self.root + self._program.health, with_key=False)
            return answer.status == 200
        return False

    def _newest_line(self) -> str:
        return newest_line(self._log or Path(), self._key)

    def _last_words(self) -> str:
        return last_words(self._log or Path(), self._key)


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
    """The server of that command, the same one for all who want it; at a free port where none is given.

    Raises:
        ConfigError: it cannot run here.
    """
    if sys.platform == "win32":
        raise ConfigError(
            "--start needs Linux or macOS: start the server yourself, and name it with --endpoint or --port"
        )
    wanted = (program.name, "" if program.shared else model, options, port, key.reveal() if key else "")
    server = _servers.get(wanted)
    if server is None:
        server = Server(program, model, options, port=port or _free_port(), key=key, timeout=timeout)
        _servers[wanted] = server
    return server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _supervised(command: list[str], environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """The server below a supervisor, which ends it once the pipe to us breaks.

    In a session of its own, or Ctrl-C would reach it before this program has decided what that means.
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
    """End a server that may have ended; only then its log tells anything that is still wanted."""
    ended_itself = process.poll() is not None
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()
    try:
        process.wait(2 * supervisor.GRACE + 2)
    except subprocess.TimeoutExpired:
        process.kill()  # the kernel ends the server with it
        process.wait()
    if log is not None and not ended_itself:
        log.unlink(missing_ok=True)


def _how(code: int) -> str:
    """How a process ended, by its exit code or that of its supervisor for a signal."""
    number = code - 128 if code > 128 else -code
    with contextlib.suppress(ValueError):
        if code > 128 or code < 0:
            name = signal.Signals(number).name
            memory = ", as systems do when memory is used up," if name == "SIGKILL" else ""
            return f"was ended by {name}{memory}"
    return f"ended with code {code}"
