"""A loopback proxy before an S3 server that answers 503 to everything while it is told to."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

LEFT_OUT = ("connection", "transfer-encoding", "expect", "keep-alive")
TIMEOUT_S = 30


class S3Proxy(ThreadingHTTPServer):
    """Passes requests on as they are, Host included: it is signed."""

    daemon_threads = True

    def __init__(self, server_url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(server_url).netloc
        self.is_away = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: S3Proxy
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.is_away.is_set():
            self._send(503, [], b"")
            return
        connection = http.client.HTTPConnection(self.server.behind, timeout=TIMEOUT_S)
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in LEFT_OUT:
                    connection.putheader(name, value)
            connection.endheaders(body)
            reply = connection.getresponse()
            self._send(reply.status, reply.getheaders(), reply.read())
        finally:
            connection.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815  the names are http.server's

    def log_message(self, *args: object) -> None:
        pass

    def _send(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        sent = {name.lower() for name, _ in headers}
        for name, value in headers:
            # A HEAD's length is that of the body which it does not have.
            if name.lower() not in LEFT_OUT:
                self.send_header(name, value)
        if "content-length" not in sent:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def proxy_before(server_url: str) -> Iterator[S3Proxy]:
    proxy = S3Proxy(server_url)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()
