"""One HTTP/1.1 connection, kept open, that costs the machine as little as it can: what is measured is the server."""

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from bench.api.house import House

LIMIT_S = 60


@dataclass(frozen=True)
class Reply:
    status: int
    head: bytes
    body: bytes

    def header(self, name: str) -> str | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.strip().lower() == name.lower().encode():
                return value.strip().decode()
        return None


def encode(house: House, method: str, path: str, body: bytes = b"", **headers: str) -> bytes:
    """A whole request as bytes; `_` in the names of headers stands for `-`."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = {"Host": f"127.0.0.1:{house.port}", **house.headers, **given}
    if body or method in ("POST", "PUT"):
        lines["Content-Length"] = str(len(body))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


class Connection:
    def __init__(self, house: House) -> None:
        self._house = house
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._socket:
            self._socket.close()
        self._socket = None

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        return self.send(encode(self._house, method, path, body, **headers))

    def send(self, request: bytes) -> Reply:
        """Send a request and read its answer; once more on a new connection where the server has closed this one."""
        if self._socket:
            try:
                return self._exchange(self._socket, request)
            except (BrokenPipeError, ConnectionResetError):
                self.close()
        self._socket = socket.create_connection(("127.0.0.1", self._house.port), timeout=LIMIT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self._exchange(self._socket, request)

    def _exchange(self, sock: socket.socket, request: bytes) -> Reply:
        sock.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._receive(sock)
        head, _, body = data.partition(b"\r\n\r\n")
        reply = Reply(int(head[9:12]), head, b"")
        length = int(reply.header("Content-Length") or 0) if reply.status != 304 else 0
        while len(body) < length:
            body += self._receive(sock)
        if (reply.header("Connection") or "").lower() == "close":
            self.close()
        return Reply(reply.status, head, body)

    @staticmethod
    def _receive(sock: socket.socket) -> bytes:
        if not (data := sock.recv(1 << 16)):
            raise ConnectionResetError("the server closed the connection")
        return data
