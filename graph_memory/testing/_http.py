"""An HTTP server on loopback in threads of its own, for stand-ins that answer POST requests."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias

JSON = "application/json; charset=utf-8"


class BrokenOff(Exception):
    """Ends a connection without another word."""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered.

    Attributes:
        status: as in HTTP.
        body: all of it.
        pieces: sent one by one in place of a body; it may raise `BrokenOff`.
        headers: beside those that are always there.
        content_type: of the body, or of the pieces.
        length: what the header says that the body has; for answers that lie.
    """

    status: int = 200
    body: bytes = b""
    pieces: Iterable[bytes] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = JSON
    length: int | None = None


Answering: TypeAlias = Callable[[str, Any, bytes], Response]
"""Takes a path, the headers and a body."""


class LoopbackServer:
    """Serves at a free port between `start` and `stop`.

    Args:
        answer: called in a thread of the connection's own; it may raise `BrokenOff`.
        keep_alive: whether a connection serves several requests.
        most_bytes: of a request's body; what is larger is answered with 413.
    """

    def __init__(self, answer: Answering, *, keep_alive: bool = True, most_bytes: int = 50_000_000) -> None:
        self._answer, self._keep_alive, self._most_bytes = answer, keep_alive, most_bytes
        self._server: ThreadingHTTPServer | None = None

    @property
    def url(self) -> str:
        """Without a path.

        Raises:
            RuntimeError: it does not run.
        """
        if self._server is None:
            raise RuntimeError("the stand-in runs inside its `with` block")
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> None:
        """Serves from now on."""
        self._server = _Http(("127.0.0.1", 0), _handler(self._respond, self._keep_alive))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Serves no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def _respond(self, handler: BaseHTTPRequestHandler) -> Response:
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length)
        return Response(413) if length > self._most_bytes else self._answer(handler.path, handler.headers, body)


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Tells of mistakes here; a client that goes away is none."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


def _handler(respond: Callable[[BaseHTTPRequestHandler], Response], keep_alive: bool) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def do_POST(self) -> None:
            try:
                self._send(respond(self))
            except (BrokenOff, ConnectionError):  # whoever asked may have gone, too
                self.close_connection = True

        def _send(self, response: Response) -> None:
            self.send_response(response.status)
            self.send_header("Content-Type", response.content_type)
            for name, value in response.headers.items():
                self.send_header(name, value)
            if not keep_alive:
                self.send_header("Connection", "close")
            if response.pieces is None:
                self.send_header(
                    "Content-Length", str(len(response.body) if response.length is None else response.length)
                )
                self.end_headers()
                self.wfile.write(response.body)
                self.close_connection = self.close_connection or response.length is not None
            else:
                self._send_pieces(response.pieces)

        def _send_pieces(self, pieces: Iterable[bytes]) -> None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in pieces:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    return Handler
