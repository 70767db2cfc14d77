"""A way to a server that can be shut and opened again, as a network's can."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self


class Gate:
    """Hands on connections from a port of its own to ``port`` of this machine, while it is open."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._listener: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._changing = threading.Lock()
        self._flowing = threading.Event()
        self._flowing.set()
        self.port = 0
        self.open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.shut()

    def open(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def freeze(self) -> None:
        """Stay connected, and hand nothing on."""
        self._flowing.clear()

    def thaw(self) -> None:
        self._flowing.set()

    def shut(self) -> None:
        """Break what is connected, and let nobody connect."""
        with self._changing:
            listener, self._listener = self._listener, None
            ends, self._connections = self._connections, []
        for one in (listener, *ends):
            if one is not None:
                with contextlib.suppress(OSError):  # gone already
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # shut
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
                with self._changing:
                    is_open = self._listener is listener
                    self._connections += [near, far] if is_open else []
                if not is_open:
                    near.close()
                    far.close()
                    return
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65_536):
                self._flowing.wait()
                other.sendall(data)
        for end in (one, other):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
