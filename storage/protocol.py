"""What Nurie asks of an object store. `local.py` and `s3.py` keep this contract; one test suite holds both to it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, Protocol


@dataclass(frozen=True)
class ObjectInfo:
    """What the store knows of an object.

    Attributes:
        size: in bytes.
        modified_at: when its bytes were written, in seconds since 1970; a copy may have its source's time.
    """

    size: int
    modified_at: float


@dataclass(frozen=True)
class PresignedUpload:
    """Where and how a client sends one object: PUT the bytes to `url` with exactly these `headers`.

    The store refuses a body of another size than was announced, and everything after `expires_at` (UTC).
    """

    url: str
    headers: dict[str, str]
    expires_at: datetime


class ObjectStore(Protocol):
    """Objects under keys such as `jobs/abc/pages/0001/source`.

    A write is seen whole or not at all, by every later read. Keys are what `storage.keys` spells; prefixes end in '/'.

    No key may be the folder of another. Every method raises InputError for a key or prefix that is not safe, and
    StorageError when the store does not answer, is full, or refuses us: worth another try, later.
    """

    def put(self, key: str, data: bytes | BinaryIO, *, media_type: str) -> None:
        """Write an object, over an earlier one if there is one. A stream is read to its end and left open."""

    def get(self, key: str) -> bytes:
        """Read an object whole. Raises NotFoundError."""

    def open(self, key: str) -> BinaryIO:
        """Open an object for reading in pieces; not every store's stream can seek. Raises NotFoundError."""

    def stat(self, key: str) -> ObjectInfo | None:
        """Look an object up; None when there is none."""

    def copy(self, src: str, dst: str) -> None:
        """Copy inside the store, without moving bytes through us. Raises NotFoundError."""

    def delete(self, key: str) -> None:
        """Delete an object; none there is fine."""

    def delete_prefix(self, prefix: str) -> None:
        """Delete everything under a prefix; nothing there is fine."""

    def list_keys(self, prefix: str) -> Iterator[str]:
        """List the keys under a prefix, sorted; '' lists all."""

    def list_objects(self, prefix: str) -> Iterator[tuple[str, ObjectInfo]]:
        """As `list_keys`, with what the store knows of each. What vanishes meanwhile may be left out."""

    def list_folders(self, prefix: str) -> Iterator[str]:
        """List what stands between the prefix and the next '/' of longer keys, sorted, without looking at each key."""

    def discard_unfinished(self, before: float) -> None:
        """Delete what is left of writes that began before then (seconds since 1970) and never ended."""

    def presign_get(self, key: str, *, expires_s: int, filename: str | None, media_type: str) -> str:
        """Make a URL that reads the object for `expires_s` seconds, saved as `filename` when one is given."""

    def presign_put(
        self, key: str, *, size: int, media_type: str, expires_s: int, sha256: str | None = None
    ) -> PresignedUpload:
        """Make a URL that takes exactly `size` bytes for the key, for `expires_s` seconds.

        With `sha256` (hex) only those very bytes, where the store checks it: whoever takes them up must check too.
        """

    def ensure(self) -> None:
        """Make the folder or bucket if it is missing."""

    def check(self) -> None:
        """Prove that the store can be used now; for readiness."""
