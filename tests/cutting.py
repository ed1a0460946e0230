"""A way to a server that breaks: a proxy on loopback that cuts connections in the middle of what passes."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Cutting:
    """Passes on what comes, both ways.

    Attributes:
        port: on loopback.
        share: how often it cuts: of a piece of that share only the first half is passed on, and the connection is closed.
        cuts: how often it did.
    """

    def __init__(self, target: int) -> None:
        self.share, self.cuts = 0.0, 0
        self._target, self._chance = target, random.Random(0)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Ends it and every connection."""
        for one in (self._listening, *self._open):
            _end(one)

    def _accept(self) -> None:
        with suppress(OSError):  # it was closed
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open |= {client, server}
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._pass, args=pair, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # the other way was cut
            while data := source.recv(65536):
                is_cut = self._chance.random() < self.share
                sink.sendall(data[: len(data) // 2] if is_cut else data)
                self.cuts += is_cut
                if is_cut:
                    break
        for one in (source, sink):
            _end(one)


@contextmanager
def cutting(target: int) -> Iterator[Cutting]:
    """A proxy before a port on loopback."""
    proxy = Cutting(target)
    try:
        yield proxy
    finally:
        proxy.close()


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
