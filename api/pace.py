"""Clients that send or read too slowly lose their connection, so that they cannot hold the server's threads.

gunicorn gives each request a thread, from its first byte to its last; without a limit, 1 byte a second would hold one
for hours. A proxy in front keeps slow clients away as well; this holds where there is none.
"""

import errno
import socket
import time
from collections.abc import Callable
from typing import Any, TypeVar

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

T = TypeVar("T")

GRACE_S = 10.0
"""So long a client may be slow, and so long it may be silent in the middle of something, in seconds."""
MIN_RATE = 1000
"""After that it must have kept up so many bytes a second of the time that was spent waiting for it."""
SEND_BYTES = 1 << 16


class TooSlowError(ConnectionResetError):
    """The client is; to gunicorn this is a connection that broke."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.ECONNRESET, reason)


class PacedSocket:
    """A socket whose peer must keep up a pace: only time spent waiting for the peer counts, not our own work."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._is_too_slow = False
        self.start_request()

    def start_request(self) -> None:
        """Each request on a connection has its own account."""
        self._waited_s = 0.0
        self._bytes = 0

    def recv(self, size: int, flags: int = 0) -> bytes:
        data = self._wait(lambda: self._sock.recv(size, flags))
        self._bytes += len(data)
        return data

    def sendall(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            sent = self._send(rest[:SEND_BYTES])
            self._bytes += sent
            rest = rest[sent:]

    def finish(self) -> None:
        """Close the connection; a client that kept up may take what is still under way first."""
        if self._is_too_slow:
            util.close(self._sock)
        else:
            util.close_graceful(self._sock)

    def setblocking(self, flag: bool) -> None:
        if self._sock.fileno() >= 0:  # gunicorn closes once more what is closed already
            self._sock.setblocking(flag)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def _send(self, data: memoryview) -> int:
        return self._wait(lambda: self._sock.send(data))

    def _wait(self, call: Callable[[], T]) -> T:
        """Raises TooSlowError."""
        if self._sock.gettimeout() is not None:  # gunicorn has a limit of its own at this moment
            return call()
        started = time.monotonic()
        self._sock.settimeout(GRACE_S)
        try:
            result = call()
        except TimeoutError:
            self._is_too_slow = True
            raise TooSlowError("the client fell silent") from None
        finally:
            self._sock.settimeout(None)
        self._waited_s += time.monotonic() - started
        if self._waited_s > GRACE_S and self._bytes < MIN_RATE * self._waited_s:
            self._is_too_slow = True
            raise TooSlowError(f"the client is slower than {MIN_RATE} bytes a second")
        return result


class PacedWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threads, with paced sockets."""

    def handle(self, conn: TConn) -> Any:
        if isinstance(conn.sock, PacedSocket):
            conn.sock.start_request()
        else:
            conn.sock = PacedSocket(conn.sock)
        goes_on = super().handle(conn)
        if not goes_on:
            # gunicorn would do this in its one thread that accepts connections, for up to 2 s each.
            conn.sock.finish()
        return goes_on
