"""An archive of almost 2 GB, uploaded by a signed URL and sent as multipart: how much memory the API needs for it."""

import hashlib
import json
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from bench.api.exchange import Connection, encode
from bench.api.house import OUT, House
from bench.api.submissions import BOUNDARY, make_page, write_archive
from bench.figures import Figure

ARCHIVE_BYTES = 1_990_000_000
"""Just below the largest request that is taken."""
MOST_MB = 300
EVERY_S = 0.05
LIMIT_S = 600


def measure_archive(size_bytes: int = ARCHIVE_BYTES) -> list[Figure]:
    if shutil.disk_usage(OUT).free < 4 * size_bytes:
        raise RuntimeError(f"the archive needs {4 * size_bytes / 1e9:g} GB of disk in {OUT}")
    reference = make_page(2, coloured=True)
    with tempfile.TemporaryDirectory(dir=OUT) as folder:
        file = Path(folder) / "chapter.cbz"
        pages = write_archive(file, size_bytes)
        size = f"{size_bytes / 1e9:.2g} GB"
        figures = [Figure(f"archive of {pages} pages", file.stat().st_size / 1e9, "GB")]
        for how, send in (("by signed URL", _upload), ("as multipart", _multipart)):
            with House(f"archive-{send.__name__.strip('_')}", control=False) as house:
                before = house.memory_bytes()
                seconds, peak = _watch(house, lambda send=send, house=house: send(house, file, reference))
                figures += [
                    Figure(f"API memory, nothing to do, {how}", before / 1e6, "MB"),
                    Figure(f"API memory, most, {size} {how}", peak / 1e6, "MB", MOST_MB),
                    Figure(f"time of {size} {how}", seconds, "s"),
                ]
    return figures


def _watch(house: House, send: Callable[[], None]) -> tuple[float, int]:
    """How long it takes, in seconds, and the most memory meanwhile, in bytes."""
    peak, stop = [0], threading.Event()

    def look() -> None:
        while not stop.wait(EVERY_S):
            peak[0] = max(peak[0], house.memory_bytes())

    watcher = threading.Thread(target=look)
    watcher.start()
    started = time.monotonic()
    try:
        send()
    finally:
        stop.set()
        watcher.join()
    return time.monotonic() - started, peak[0]


def _upload(house: House, file: Path, reference: bytes) -> None:
    with Connection(house) as connection:
        ids = []
        for size, chunks, digest in (
            (file.stat().st_size, _chunks(file), _sha256(file)),
            (len(reference), iter([reference]), hashlib.sha256(reference).hexdigest()),
        ):
            body = json.dumps({"filename": "x", "size": size, "sha256": digest}).encode()
            announced = connection.ask("POST", "/v1/uploads", body, Content_Type="application/json")
            upload = json.loads(announced.body)
            url = urlsplit(upload["url"])
            head = encode(house, "PUT", f"{url.path}?{url.query}", Content_Type="application/octet-stream")
            head = head.replace(b"Content-Length: 0", f"Content-Length: {size}".encode())
            assert _stream(house, head, chunks).startswith(b"HTTP/1.1 200"), "the upload was refused"
            ids.append(upload["id"])
        body = json.dumps({"archive": ids[0], "references": ids[1:]}).encode()
        job = connection.ask("POST", "/v1/jobs", body, Content_Type="application/json")
        assert job.status == 202, job


def _multipart(house: House, file: Path, reference: bytes) -> None:
    disposition = '--{}\r\nContent-Disposition: form-data; name="{}"; filename="{}"\r\n\r\n'
    first = disposition.format(BOUNDARY, "archive", "chapter.cbz").encode()
    second = b"\r\n" + disposition.format(BOUNDARY, "references", "r.jpg").encode() + reference
    second += f"\r\n--{BOUNDARY}--\r\n".encode()
    size = len(first) + file.stat().st_size + len(second)
    head = encode(house, "POST", "/v1/jobs", Content_Type=f"multipart/form-data; boundary={BOUNDARY}")
    head = head.replace(b"Content-Length: 0", f"Content-Length: {size}".encode())

    def chunks():
        yield first
        yield from _chunks(file)
        yield second

    reply = _stream(house, head, chunks())
    assert reply.startswith(b"HTTP/1.1 202"), reply


def _stream(house: House, head: bytes, chunks) -> bytes:
    """The first line and more of the answer."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=LIMIT_S) as connection:
        connection.sendall(head)
        for chunk in chunks:
            connection.sendall(chunk)
        return connection.recv(1000)


def _chunks(file: Path):
    with file.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            yield chunk


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
