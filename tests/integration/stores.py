"""The stores that the storage tests are run against: a folder behind a small HTTP server, and S3."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from common.errors import InputError, NotFoundError
from storage import signing
from storage.local import LocalStore
from storage.protocol import ObjectStore
from storage.s3 import S3Store
from tests.integration.s3server import S3Server

SECRET = "a secret of the tests"
PNG = "image/png"
DATA = bytes(range(256)) * 40


class LocalHandler(BaseHTTPRequestHandler):
    """Serves signed URLs of a LocalStore as the API's route does."""

    server: "LocalServer"

    def answer(self) -> None:
        url = urlsplit(self.path)
        key = unquote(url.path.removeprefix("/storage/"))
        body = b""
        headers = {}
        try:
            signed = self.server.store.verify(self.command, key, dict(parse_qsl(url.query, keep_blank_values=True)))
            if self.command == "PUT":
                assert signed.size is not None
                length = int(self.headers["Content-Length"])
                self.server.store.receive(key, io.BytesIO(self.rfile.read(length)), signed.size, signed.sha256)
            else:
                with self.server.store.open(key) as stream:
                    body = stream.read()
                headers["Content-Type"] = signed.media_type or ""
                if signed.filename is not None:
                    headers["Content-Disposition"] = signing.content_disposition(signed.filename)
            status = 200
        except signing.SignatureError:
            status = 403
        except NotFoundError:
            status = 404
        except InputError:
            status = 400
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = answer  # noqa: N815  the names are http.server's

    def log_message(self, *args: object) -> None:
        pass


class LocalServer(ThreadingHTTPServer):
    store: LocalStore


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def connect_s3(server: S3Server, prefix: str) -> S3Store:
    return S3Store("nurie", prefix, endpoint_url=server.url, access_key=server.access_key, secret_key=server.secret_key)


@cache
def broken_s3(url: str) -> S3Store:
    return S3Store(
        "nurie",
        endpoint_url=url,
        access_key="a",
        secret_key="b",
        read_timeout_s=0.2,
        connect_timeout_s=0.2,
        max_attempts=1,
    )


def every_call(store: ObjectStore) -> dict[str, object]:
    return {
        "put": lambda: store.put("a", DATA, media_type=PNG),
        "get": lambda: store.get("a"),
        "open": lambda: store.open("a").read(),
        "stat": lambda: store.stat("a"),
        "copy": lambda: store.copy("a", "b"),
        "delete": lambda: store.delete("a"),
        "delete_prefix": lambda: store.delete_prefix("a/"),
        "list_keys": lambda: list(store.list_keys("")),
        "list_objects": lambda: list(store.list_objects("")),
        "list_folders": lambda: list(store.list_folders("")),
        "discard_unfinished": lambda: store.discard_unfinished(0.0),
        "check": store.check,
        "ensure": store.ensure,
    }


CALLS = [
    "put",
    "get",
    "open",
    "stat",
    "copy",
    "delete",
    "delete_prefix",
    "list_keys",
    "list_objects",
    "list_folders",
    "discard_unfinished",
    "check",
    "ensure",
]
