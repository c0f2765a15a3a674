"""The network between a client and the API: what goes over it is counted, and it can be cut."""

import selectors
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

CHUNK_BYTES = 1 << 16


class Wire:
    """A TCP proxy on a port of its own. A context manager.

    Attributes:
        port: where clients connect to.
        upstream: the API's port; to be set before anybody connects.
        uploads: SHA-256 of each file whose bytes were all sent to storage, as often as they were.
        begun: the same of files of which any byte was sent.
    """

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.upstream = 0
        self.uploads: list[str] = []
        self.begun: list[str] = []
        self.requests: list[str] = []
        self._is_up = True
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cut()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def cut(self) -> None:
        """Every connection breaks, and no other comes about."""
        self._is_up = False
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            _break(pair)

    def mend(self) -> None:
        self._is_up = True

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                if not self._is_up:
                    raise ConnectionError
                server = socket.create_connection(("127.0.0.1", self.upstream), 10)
            except OSError:
                client.close()
                continue
            with self._lock:
                self._pairs.add((client, server))
            threading.Thread(target=self._carry, args=((client, server),), daemon=True).start()

    def _carry(self, pair: tuple[socket.socket, socket.socket]) -> None:
        client, server = pair
        meter = _Meter(self)
        with suppress(OSError), selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in selector.select():
                    data = key.fileobj.recv(CHUNK_BYTES)  # type: ignore[union-attr]
                    if not data:
                        raise ConnectionError
                    if key.fileobj is client:
                        meter.take(data)
                    key.data.sendall(data)
        with self._lock:
            self._pairs.discard(pair)
        _break(pair)


class _Meter:
    """Reads the requests of one connection, HTTP/1.1, as they go by."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._head = b""
        self._left = 0  # bytes of a body that are still to come
        self._digest = ""

    def take(self, data: bytes) -> None:
        while data:
            if self._left:
                piece, data = data[: self._left], data[self._left :]
                self._left -= len(piece)
            else:
                head, end, rest = (self._head + data).partition(b"\r\n\r\n")
                if not end:
                    self._head = head
                    return
                self._head, data = b"", rest
                self._begin(head.decode("latin-1"))
                if not self._left:
                    continue
                if self._digest:
                    self._wire.begun.append(self._digest)
                continue
            if not self._left and self._digest:
                self._wire.uploads.append(self._digest)
                self._digest = ""

    def _begin(self, head: str) -> None:
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._left = int(fields.get("content-length", 0))
        parts = urlsplit(target)
        self._wire.requests.append(f"{method} {parts.path}")
        is_upload = method == "PUT" and parts.path.startswith("/storage/")
        self._digest = parse_qs(parts.query)["sha256"][0] if is_upload else ""


def _break(pair: tuple[socket.socket, socket.socket]) -> None:
    for one in pair:
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)
        one.close()
