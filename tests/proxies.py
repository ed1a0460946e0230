"""A TCP proxy that cuts connections, at any moment or between a request and its answer."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_CHUNK = 65536


class Proxy:
    """Forwards every connection to a port on loopback.

    Attributes:
        port: where it listens.
    """

    def __init__(self, target: int) -> None:
        self._target, self._lock = target, threading.Lock()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._swallow = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Cuts all connections now."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            _close(*pair)

    def swallow_answers(self, count: int) -> None:
        """Of the next requests so many reach the server, and instead of an answer the connection is cut."""
        with self._lock:
            self._swallow = count

    @property
    def swallowed_all(self) -> bool:
        """Whether as many answers were swallowed as `swallow_answers` said."""
        return not self._swallow

    def close(self) -> None:
        """Ends it."""
        _close(self._listener)
        self.cut()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._join(client)

    def _join(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            _close(client)
            return
        server.settimeout(None)
        with self._lock:
            self._pairs.append((client, server))
        for source, sink, is_answer in ((client, server, False), (server, client, True)):
            threading.Thread(target=self._pump, args=(source, sink, is_answer), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_CHUNK):
                if is_answer and self._swallows():
                    break
                sink.sendall(data)
        _close(source, sink)

    def _swallows(self) -> bool:
        with self._lock:
            is_due = self._swallow > 0
            self._swallow -= is_due
            return is_due


def _close(*sockets: socket.socket) -> None:
    for one in sockets:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()


@contextmanager
def proxied(target: int) -> Iterator[Proxy]:
    """A proxy for as long as the block lasts."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
