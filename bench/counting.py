"""An object store that counts what is asked of it, in the requests that S3 would see."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from storage.protocol import ObjectInfo, ObjectStore

PART_BYTES = 16 << 20
"""Of this size and above `storage.s3` sends an object in parts of it: one request each, and two around them."""
LISTED = 1000
"""Keys that S3 names, or deletes, in one request."""


class CountingStore:
    """Passes everything on; safe between threads.

    Attributes:
        requests: how many of each kind: GET, PUT, COPY, HEAD, DELETE, LIST.
        bytes_read, bytes_written: that went over the network.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self.requests: Counter[str] = Counter()
        self.bytes_read = self.bytes_written = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)  # signing asks the store nothing; the rest is not counted

    def put(self, key: str, data: bytes | BinaryIO, *, media_type: str) -> None:
        size = len(data) if isinstance(data, bytes) else _size(data)
        self._count("PUT", 1 if size < PART_BYTES else 2 - -size // PART_BYTES, written=size)
        self._store.put(key, data, media_type=media_type)

    def get(self, key: str) -> bytes:
        self._count("GET")
        data = self._store.get(key)
        self._count("GET", 0, read=len(data))
        return data

    def open(self, key: str) -> BinaryIO:
        info = self._store.stat(key)
        self._count("GET", read=info.size if info else 0)
        return self._store.open(key)

    def stat(self, key: str) -> ObjectInfo | None:
        self._count("HEAD")
        return self._store.stat(key)

    def copy(self, src: str, dst: str) -> None:
        self._count("COPY")
        self._store.copy(src, dst)

    def delete(self, key: str) -> None:
        self._count("DELETE")
        self._store.delete(key)

    def delete_prefix(self, prefix: str) -> None:
        batches = -(-sum(1 for _ in self._store.list_keys(prefix)) // LISTED)
        self._count("LIST", max(1, batches))
        self._count("DELETE", batches)
        self._store.delete_prefix(prefix)

    def list_keys(self, prefix: str) -> Iterator[str]:
        return self._listed(self._store.list_keys(prefix))

    def list_objects(self, prefix: str) -> Iterator[tuple[str, ObjectInfo]]:
        return self._listed(self._store.list_objects(prefix))

    def list_folders(self, prefix: str) -> Iterator[str]:
        return self._listed(self._store.list_folders(prefix))

    def _listed(self, entries: Iterator[Any]) -> Iterator[Any]:
        self._count("LIST")  # where there is nothing, too
        for number, entry in enumerate(entries):
            if number and number % LISTED == 0:
                self._count("LIST")
            yield entry

    def _count(self, kind: str, times: int = 1, *, read: int = 0, written: int = 0) -> None:
        with self._lock:
            self.requests[kind] += times
            self.bytes_read += read
            self.bytes_written += written


def _size(stream: BinaryIO) -> int:
    here = stream.tell()
    size = stream.seek(0, 2)
    stream.seek(here)
    return size - here
