"""One contract for both stores: a folder, served by a small HTTP server as the API does it, and a real S3 server."""

import base64
import errno
import hashlib
import io
import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

import httpx
import pytest
import urllib3
from boto3.exceptions import S3UploadFailedError
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError, NoCredentialsError
from s3transfer.exceptions import RetriesExceededError

from common.errors import InputError, NotFoundError, NurieError, StorageError, TooLargeError
from common.names import Stage
from storage import keys, signing
from storage.connect import StorageUrlError, open_store
from storage.local import LocalStore
from storage.protocol import ObjectStore
from storage.s3 import S3Store
from tests.integration.s3server import S3Server

SECRET = "a secret of the tests"
PNG = "image/png"
DATA = bytes(range(256)) * 40
BAD_KEYS = [
    "", "/etc/passwd", "../x", "a/../../x", "a/..", "a//b", "./a", "a/.", "a\\b", "a\0b", "a\nb", "a/", "é" * 126,
    "/".join(["a" * 200] * 6), "\ud800",
]  # fmt: skip


# --- the stores under test ---


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
                self.server.store.receive(key, io.BytesIO(self.rfile.read(length)), signed.size)
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


@pytest.fixture
def local_store(tmp_path: Path) -> Iterator[LocalStore]:
    server = LocalServer(("127.0.0.1", 0), LocalHandler)
    with serving(server) as base_url:
        server.store = LocalStore(tmp_path / "store", base_url, SECRET)
        yield server.store


def connect_s3(server: S3Server, prefix: str) -> S3Store:
    return S3Store("nurie", prefix, endpoint_url=server.url, access_key=server.access_key, secret_key=server.secret_key)


@pytest.fixture(scope="module")
def s3_base(s3_server: S3Server) -> Iterator[S3Store]:
    store = connect_s3(s3_server, "")
    store.ensure()
    yield store
    store._client.close()


@pytest.fixture
def s3_store(s3_server: S3Server, s3_base: S3Store) -> S3Store:
    store = connect_s3(s3_server, f"{uuid.uuid4().hex}/")
    store._made_client = s3_base._client  # making one takes a tenth of a second
    return store


@pytest.fixture(params=["local", "s3"])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    found: ObjectStore = request.getfixturevalue(f"{request.param}_store")
    return found


# --- objects ---


def test_what_is_put_is_got(store: ObjectStore) -> None:
    store.put("a/b.png", DATA, media_type=PNG)
    assert store.get("a/b.png") == DATA
    info = store.stat("a/b.png")
    assert info is not None
    assert info.size == len(DATA)


def test_an_empty_object_is_an_object(store: ObjectStore) -> None:
    store.put("empty", b"", media_type=PNG)
    assert store.get("empty") == b""
    info = store.stat("empty")
    assert info is not None
    assert info.size == 0


def test_a_stream_is_put_from_where_it_stands_and_left_open(store: ObjectStore) -> None:
    stream = io.BytesIO(b"skipped" + DATA)
    stream.seek(7)
    store.put("a", stream, media_type=PNG)
    assert not stream.closed
    assert store.get("a") == DATA


def test_a_stream_that_cannot_seek_is_put(store: ObjectStore) -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(write_end, "wb") as writer:
        writer.write(DATA)
    with os.fdopen(read_end, "rb") as pipe:
        store.put("a", pipe, media_type=PNG)
    assert store.get("a") == DATA


def test_20_mebibytes_go_in_several_parts_and_come_back_in_pieces(store: ObjectStore) -> None:
    data = os.urandom(1 << 20) * 20
    store.put("large", io.BytesIO(data), media_type=PNG)
    info = store.stat("large")
    assert info is not None
    assert info.size == len(data)
    with store.open("large") as stream:
        assert stream.read(5) == data[:5]
        pieces = list(iter(lambda: stream.read(3_000_000), b""))
    assert b"".join(pieces) == data[5:]
    store.copy("large", "copy")
    assert store.get("copy") == data


def test_a_put_replaces_what_was_there(store: ObjectStore) -> None:
    store.put("a", b"old and longer", media_type=PNG)
    store.put("a", b"new", media_type=PNG)
    assert store.get("a") == b"new"


def test_a_copy_is_independent_of_its_source(store: ObjectStore) -> None:
    store.put("src", b"one", media_type=PNG)
    store.put("x/dst", b"before", media_type=PNG)
    store.copy("src", "x/dst")
    store.copy("src", "x/dst")
    store.put("src", b"two", media_type=PNG)
    assert store.get("x/dst") == b"one"
    store.delete("src")
    assert store.get("x/dst") == b"one"
    assert list(store.list_keys("")) == ["x/dst"]


def test_a_copy_onto_itself_changes_nothing(store: ObjectStore) -> None:
    store.put("a", DATA, media_type=PNG)
    store.copy("a", "a")
    assert store.get("a") == DATA


def test_missing_objects_are_not_found(store: ObjectStore) -> None:
    assert store.stat("a/none") is None
    for read in (store.get, store.open):
        with pytest.raises(NotFoundError, match="a/none"):
            read("a/none")
    for target in ("b", "a/none"):
        with pytest.raises(NotFoundError, match="a/none"):
            store.copy("a/none", target)
    store.put("a/b", DATA, media_type=PNG)
    with pytest.raises(NotFoundError):
        store.get("a")
    assert store.stat("a") is None


def test_a_deleted_object_is_gone_and_deleting_again_is_fine(store: ObjectStore) -> None:
    store.put("a/b/c", DATA, media_type=PNG)
    store.put("a/d", DATA, media_type=PNG)
    store.delete("a/b/c")
    store.delete("a/b/c")
    store.delete("a/b")
    assert store.stat("a/b/c") is None
    assert list(store.list_keys("")) == ["a/d"]


def test_keys_are_listed_under_a_prefix_in_order(store: ObjectStore) -> None:
    names = ["jobs/1/b", "jobs/1/a/x", "jobs/1/a.x", "jobs/1/a-x", "jobs/10/a", "jobs/2/é", "other"]
    for name in names:
        store.put(name, b"x", media_type=PNG)
    assert list(store.list_keys("jobs/1/")) == ["jobs/1/a-x", "jobs/1/a.x", "jobs/1/a/x", "jobs/1/b"]
    assert list(store.list_keys("")) == sorted(names, key=str.encode)
    assert list(store.list_keys("none/")) == []


def test_delete_prefix_takes_all_under_it_and_nothing_else(store: ObjectStore) -> None:
    for name in ("jobs/1/a", "jobs/1/b/c", "jobs/10/a", "jobs/1x"):
        store.put(name, b"x", media_type=PNG)
    store.delete_prefix("jobs/1/")
    store.delete_prefix("jobs/1/")
    assert list(store.list_keys("")) == ["jobs/10/a", "jobs/1x"]
    store.delete_prefix("")
    assert list(store.list_keys("")) == []
    store.put("again", b"x", media_type=PNG)
    assert list(store.list_keys("")) == ["again"]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_unsafe_keys_are_refused(local_store: LocalStore, key: str) -> None:
    s3 = S3Store("nurie", endpoint_url="http://127.0.0.1:9", access_key="a", secret_key="b")
    for store in (local_store, s3):
        for call in (
            lambda store=store: store.put(key, b"x", media_type=PNG),
            lambda store=store: store.get(key),
            lambda store=store: store.open(key),
            lambda store=store: store.stat(key),
            lambda store=store: store.copy(key, "a"),
            lambda store=store: store.copy("a", key),
            lambda store=store: store.delete(key),
            lambda store=store: store.presign_get(key, expires_s=9, filename=None, media_type=PNG),
            lambda store=store: store.presign_put(key, size=1, media_type=PNG, expires_s=9),
        ):
            with pytest.raises(InputError):
                call()


@pytest.mark.parametrize("prefix", ["jobs", "../", "/", "a//", "a/../"])
def test_unsafe_prefixes_are_refused(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(InputError):
        store.delete_prefix(prefix)
    with pytest.raises(InputError):
        list(store.list_keys(prefix))


def test_ensure_and_check_pass_again_and_again(store: ObjectStore) -> None:
    for _ in range(2):
        store.ensure()
        store.check()


def test_many_threads_write_and_delete_side_by_side(store: ObjectStore) -> None:
    def work(number: int) -> bytes:
        key = f"threads/{number % 2}/{number}"
        store.put(key, str(number).encode() * 1000, media_type=PNG)
        data = store.get(key)
        store.delete(key)
        return data

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(20))) == [str(number).encode() * 1000 for number in range(20)]
    assert list(store.list_keys("")) == []


# --- signed URLs, over real HTTP ---


def tampered(url: str, **changes: str | None) -> str:
    """The URL with parameters changed, added, or (None) left out."""
    parts = urlsplit(url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    query = {name: value for name, value in {**query, **changes}.items() if value is not None}
    return parts._replace(query=urlencode(query)).geturl()


def test_a_presigned_upload_is_stored(store: ObjectStore) -> None:
    upload = store.presign_put("up/ü.png", size=len(DATA), media_type=PNG, expires_s=60)
    assert 50 < upload.expires_at.timestamp() - time.time() < 61
    assert httpx.put(upload.url, content=DATA, headers=upload.headers).status_code == 200
    assert store.get("up/ü.png") == DATA


@pytest.mark.parametrize("body", [DATA[:-1], DATA + b"x", b""])
def test_a_presigned_upload_of_another_size_is_refused(store: ObjectStore, body: bytes) -> None:
    upload = store.presign_put("up", size=len(DATA), media_type=PNG, expires_s=60)
    assert httpx.put(upload.url, content=body, headers=upload.headers).status_code in (400, 403)
    assert list(store.list_keys("")) == []


def test_a_presigned_download_has_its_type_and_its_name_in_any_script(store: ObjectStore) -> None:
    store.put("final", DATA, media_type=PNG)
    name = '第一話 "塗り絵" 50%.png'
    url = store.presign_get("final", expires_s=60, filename=name, media_type="image/webp")
    answer = httpx.get(url)
    assert answer.content == DATA
    assert answer.headers["content-type"] == "image/webp"
    disposition = answer.headers["content-disposition"]
    assert disposition.startswith('attachment; filename="___ _')
    assert unquote(disposition.partition("filename*=UTF-8''")[2]) == name
    plain = httpx.get(store.presign_get("final", expires_s=60, filename=None, media_type=PNG))
    assert plain.content == DATA
    assert "content-disposition" not in plain.headers


def test_a_name_cannot_break_out_of_its_header() -> None:
    header = signing.content_disposition('a"\r\nSet-Cookie: x\\')
    assert header.startswith('attachment; filename="a___Set-Cookie: x_"; ')
    assert "\r" not in header
    assert "\n" not in header


def test_a_presigned_url_of_nothing_is_404(store: ObjectStore) -> None:
    url = store.presign_get("none", expires_s=60, filename=None, media_type=PNG)
    assert httpx.get(url).status_code == 404


def test_expired_urls_are_refused(store: ObjectStore) -> None:
    store.put("a", DATA, media_type=PNG)
    for expires_s, accepted in ((60, True), (1, False)):
        get = store.presign_get("a", expires_s=expires_s, filename=None, media_type=PNG)
        put = store.presign_put("up", size=1, media_type=PNG, expires_s=expires_s)
        deadline = time.monotonic() + 10
        while not accepted and httpx.get(get).status_code != 403:
            assert time.monotonic() < deadline, "the URL never expires"
            time.sleep(0.1)
        assert (httpx.get(get).status_code == 200) is accepted
        assert (httpx.put(put.url, content=b"x", headers=put.headers).status_code == 200) is accepted


def test_changed_urls_are_refused(store: ObjectStore) -> None:
    store.put("a", DATA, media_type=PNG)
    store.put("b", DATA, media_type=PNG)
    get = store.presign_get("a", expires_s=60, filename="a.png", media_type=PNG)
    put = store.presign_put("a", size=1, media_type=PNG, expires_s=60)
    signature = "signature" if isinstance(store, LocalStore) else "X-Amz-Signature"
    expires = {"expires": "9999999999"} if isinstance(store, LocalStore) else {"X-Amz-Expires": "9999"}
    for url in (
        get.replace("/a?", "/b?"),
        tampered(get, **expires),
        tampered(get, **{signature: "0" * 64}),
        tampered(get, **{signature: "é"}),
        tampered(get, **{signature: None}),
        tampered(get, **{"type": "text/html", "response-content-type": "text/html"}),
        tampered(get, more="x"),
        put.url,
    ):
        assert httpx.get(url).status_code in (400, 403), url
    for url in (get, tampered(put.url, **expires), put.url.replace("/a?", "/b?")):
        assert httpx.put(url, content=b"x", headers=put.headers).status_code in (400, 403), url
    assert store.get("a") == store.get("b") == DATA


# --- outages ---


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
        "check": store.check,
        "ensure": store.ensure,
    }


CALLS = ["put", "get", "open", "stat", "copy", "delete", "delete_prefix", "list_keys", "check", "ensure"]


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


@pytest.fixture(scope="module")
def closed_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.fixture(scope="module")
def silent_url() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes connections, never answers
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


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


# --- the local store alone ---


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO, errno.EROFS])
def test_disk_faults_are_storage_errors_and_leave_nothing(
    local_store: LocalStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code), "/secret/path")

    local_store.put("a", b"old", media_type=PNG)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StorageError, match=os.strerror(code)) as caught:
            local_store.put("a", DATA, media_type=PNG)
    assert "/secret" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert local_store.get("a") == b"old"
    assert list((tmp_path / "store/incoming").iterdir()) == []


def test_a_root_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = LocalStore(tmp_path / "file/store", "http://x", SECRET)
    for call in ("put", "check", "ensure"):
        with pytest.raises(StorageError):
            every_call(store)[call]()  # type: ignore[operator]


def test_half_written_files_are_never_seen(local_store: LocalStore, tmp_path: Path) -> None:
    class Breaking(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            assert list(local_store.list_keys("")) == ["a"]
            assert local_store.get("a") == b"old"
            if self.tell():
                raise ConnectionResetError
            return super().read(10)

    local_store.put("a", b"old", media_type=PNG)
    with pytest.raises(StorageError):
        local_store.put("a", Breaking(DATA), media_type=PNG)
    (tmp_path / "store/incoming/left-by-a-crash").write_bytes(b"x")
    assert list(local_store.list_keys("")) == ["a"]
    assert local_store.get("a") == b"old"


def test_a_copy_is_a_hard_link_and_where_links_are_refused_a_copy(
    local_store: LocalStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    local_store.put("a", DATA, media_type=PNG)
    local_store.copy("a", "b")
    objects = tmp_path / "store/objects"
    assert (objects / "a").samefile(objects / "b")

    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    local_store.copy("a", "c")
    assert local_store.get("c") == DATA
    assert not (objects / "a").samefile(objects / "c")


def test_a_symbolic_link_does_not_lead_out_of_the_store(local_store: LocalStore, tmp_path: Path) -> None:
    local_store.ensure()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_bytes(b"secret")
    (tmp_path / "store/objects/link").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError):
        local_store.get("link/secret")
    with pytest.raises(InputError):
        local_store.put("link/new", DATA, media_type=PNG)


def test_a_key_cannot_be_the_folder_of_another(local_store: LocalStore) -> None:
    local_store.put("a/b", DATA, media_type=PNG)
    for key in ("a", "a/b/c"):
        with pytest.raises(InputError, match="folder"):
            local_store.put(key, DATA, media_type=PNG)


def test_deleting_leaves_no_empty_folders(local_store: LocalStore, tmp_path: Path) -> None:
    for key in ("x/y/a", "x/z/b"):
        local_store.put(key, DATA, media_type=PNG)
    local_store.delete("x/y/a")
    local_store.delete_prefix("x/z/")
    assert list((tmp_path / "store/objects").iterdir()) == []
    assert list((tmp_path / "store/incoming").iterdir()) == []


def test_receive_keeps_only_the_exact_size(local_store: LocalStore, tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size: int = -1, /) -> bytes:
            self.taken += size
            return b"x" * size

    endless = Endless()
    with pytest.raises(TooLargeError, match="3000000"):
        local_store.receive("a", endless, 3_000_000)  # type: ignore[arg-type]
    assert endless.taken == 3_000_001
    with pytest.raises(InputError, match="after 10240 bytes; 10241"):
        local_store.receive("a", io.BytesIO(DATA), len(DATA) + 1)
    assert list((tmp_path / "store/incoming").iterdir()) == []
    assert list(local_store.list_keys("")) == []
    local_store.receive("a", io.BytesIO(DATA), len(DATA))
    assert local_store.get("a") == DATA


def test_verify_tells_what_was_signed(local_store: LocalStore) -> None:
    put = local_store.presign_put("a/ü b", size=7, media_type=PNG, expires_s=60)
    params = dict(parse_qsl(urlsplit(put.url).query))
    assert local_store.verify("PUT", "a/ü b", params) == signing.SignedRequest(7, PNG, None)
    get = local_store.presign_get("a", expires_s=60, filename="ü&size=9.png", media_type=PNG)
    params = dict(parse_qsl(urlsplit(get).query))
    assert local_store.verify("HEAD", "a", params) == signing.SignedRequest(None, PNG, "ü&size=9.png")
    with pytest.raises(signing.SignatureError):
        LocalStore(Path("/x"), "http://x", "another secret").verify("GET", "a", params)
    with pytest.raises(signing.SignatureError):
        local_store.verify("GET", "a", {})


def test_a_local_store_needs_a_secret() -> None:
    with pytest.raises(NurieError, match="secret"):
        LocalStore(Path("/x"), "http://x", "")


# --- keys and connecting ---


def test_keys_are_spelled_in_one_way() -> None:
    assert keys.upload("t1", "u-1") == "uploads/t1/u-1"
    assert keys.reference("j", 0) == "jobs/j/references/0000"
    assert keys.source("j", 12) == "jobs/j/pages/0012/source"
    assert keys.truth("j", 12) == "jobs/j/pages/0012/truth"
    assert keys.attempt_artifact("j", 3, 2, "final.png") == "jobs/j/pages/0003/a2/final.png"
    assert keys.stage_artifact(Stage.CGAN, "ab12", "hints.json") == "stages/cgan/ab12/hints.json"
    assert keys.model("ab12") == "models/cgan/ab12.safetensors"
    assert keys.result_archive("j", "t", "cbz") == "jobs/j/result/t.cbz"
    assert keys.result_archive("j", "t", "cbz").startswith(keys.job_prefix("j"))


@pytest.mark.parametrize("bad", ["", "..", "a/b", "a.b", "a\n", "é", "a b", "x" * 129])
def test_ids_that_are_not_safe_make_no_keys(bad: str) -> None:
    for spell in (keys.job_prefix, keys.model, lambda bad: keys.upload("t", bad), lambda bad: keys.upload(bad, "u")):
        with pytest.raises(InputError):
            spell(bad)


@pytest.mark.parametrize("bad", ["", "..", "a", "../a.png", "a/b.png", ".png", "a.png\n", "a..png"])
def test_file_names_that_are_not_safe_make_no_keys(bad: str) -> None:
    with pytest.raises(InputError):
        keys.attempt_artifact("j", 1, 1, bad)
    with pytest.raises(InputError):
        keys.stage_artifact(Stage.S2P, "k", bad)


def test_numbers_below_zero_and_odd_extensions_make_no_keys() -> None:
    for spell in (lambda: keys.source("j", -1), lambda: keys.attempt_artifact("j", 1, -1, "a.png")):
        with pytest.raises(InputError):
            spell()
    with pytest.raises(InputError):
        keys.result_archive("j", "t", "../x")


def test_urls_open_the_store_that_they_name(tmp_path: Path) -> None:
    local = open_store(f"file://{tmp_path}/with%20space", base_url="http://x", secret=SECRET)
    assert isinstance(local, LocalStore)
    local.put("a", DATA, media_type=PNG)
    assert (tmp_path / "with space/objects/a").read_bytes() == DATA
    s3 = open_store("s3://bucket/some/prefix/", base_url="", secret="", s3_access_key="a", s3_secret_key="b")
    assert isinstance(s3, S3Store)
    assert "/some/prefix/key?" in s3.presign_get("key", expires_s=9, filename=None, media_type=PNG)


@pytest.mark.parametrize(
    "url", ["", "store", "ftp://x/y", "file://store", "file:store", "file:///", "s3://", "s3:///x"]
)
def test_urls_of_no_store_are_refused(url: str) -> None:
    with pytest.raises(StorageUrlError, match="storage URL"):
        open_store(url, base_url="http://x", secret=SECRET)
    assert issubclass(StorageUrlError, ValueError)


def test_a_local_store_does_not_load_boto3(tmp_path: Path) -> None:
    code = (
        "import sys; from storage.connect import open_store;"
        f"open_store('file://{tmp_path}', base_url='http://x', secret='s').ensure();"
        "sys.exit('boto3' in sys.modules or 'botocore' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_an_s3_store_connects_to_nothing_until_it_is_used(silent_url: str) -> None:
    store = broken_s3(f"{silent_url}/")
    assert store._made_client is None
    store.presign_get("a", expires_s=9, filename=None, media_type=PNG)
    assert store._made_client is not None
