"""What fails beneath a store is a storage error."""

import base64
import hashlib
import socket
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import urllib3
from boto3.exceptions import S3UploadFailedError
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError, NoCredentialsError
from s3transfer.exceptions import RetriesExceededError

from common.errors import StorageError
from storage.s3 import S3Store
from tests.integration.s3server import S3Server
from tests.integration.stores import CALLS, DATA, PNG, broken_s3, connect_s3, every_call, serving


@pytest.fixture(scope="module")
def closed_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return f"http://127.0.0.1:{held.getsockname()[1]}"


class FailingHandler(BaseHTTPRequestHandler):
    """Answers 503 to all, but starts a body and cuts it off where the path says so."""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        cut = self.path.startswith("/nurie/cut")
        self.send_response(200 if cut else 503)
        self.send_header("Content-Length", "1000" if cut else "0")
        self.send_header("Connection", "close")
        self.end_headers()
        if cut:
            self.wfile.write(b"x" * 10)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815  the names are http.server's

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def failing_url() -> Iterator[str]:
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), FailingHandler)) as url:
        yield url


@pytest.mark.parametrize("outage", ["closed", "silent", "failing"])
@pytest.mark.parametrize("call", CALLS)
def test_an_outage_is_a_storage_error(request: pytest.FixtureRequest, outage: str, call: str) -> None:
    url: str = request.getfixturevalue(f"{outage}_url")
    with pytest.raises(StorageError, match="object store failed"):
        every_call(broken_s3(url))[call]()  # type: ignore[operator]


def test_a_body_cut_off_is_a_storage_error(failing_url: str) -> None:
    store = broken_s3(failing_url)
    with pytest.raises(StorageError):
        store.get("cut")
    with store.open("cut") as stream, pytest.raises(StorageError):
        stream.read()


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "SlowDown"}}, "PutObject"),
        ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject"),
        ClientError({}, "PutObject"),
        NoCredentialsError(),
        S3UploadFailedError(),
        RetriesExceededError(OSError()),
        urllib3.exceptions.SSLError(),
        TimeoutError(),
    ],
    ids=repr,
)
def test_every_lower_error_becomes_a_storage_error(closed_url: str, error: Exception) -> None:
    with pytest.raises(StorageError), broken_s3(closed_url)._mapped("a"):
        raise error


def test_deletions_carry_the_checksum_that_older_servers_ask_for(s3_server: S3Server, s3_store: S3Store) -> None:
    sent: list[bytes] = []

    def record(request: AWSPreparedRequest, **_: object) -> None:
        digest = hashlib.md5(request.body, usedforsecurity=False).digest()
        assert request.headers["Content-MD5"] == base64.b64encode(digest)
        sent.append(request.body)

    store = connect_s3(s3_server, f"{uuid.uuid4().hex}/")  # with a client of its own, for the hook
    store._client.meta.events.register("before-send.s3.DeleteObjects", record)
    store.put("x/a", DATA, media_type=PNG)
    store.delete_prefix("x/")
    assert len(sent) == 1
    assert store.stat("x/a") is None
    store._client.close()


def test_a_missing_bucket_is_a_storage_error(s3_server: S3Server) -> None:
    store = S3Store(
        "no-such-bucket", endpoint_url=s3_server.url, access_key=s3_server.access_key, secret_key=s3_server.secret_key
    )
    for call in ("put", "get", "list_keys", "check"):
        with pytest.raises(StorageError):
            every_call(store)[call]()  # type: ignore[operator]


def test_wrong_credentials_are_a_storage_error(s3_server: S3Server) -> None:
    store = S3Store("nurie", endpoint_url=s3_server.url, access_key=s3_server.access_key, secret_key="wrong")
    for call in CALLS:
        with pytest.raises(StorageError):
            every_call(store)[call]()  # type: ignore[operator]


def test_an_endpoint_that_is_no_url_is_a_storage_error() -> None:
    with pytest.raises(StorageError):
        broken_s3("nonsense").check()


def test_ensure_makes_the_bucket(s3_server: S3Server) -> None:
    store = S3Store(
        f"made-{uuid.uuid4().hex}",
        endpoint_url=s3_server.url,
        access_key=s3_server.access_key,
        secret_key=s3_server.secret_key,
    )
    with pytest.raises(StorageError, match="no bucket"):
        store.check()
    store.ensure()
    store.check()
