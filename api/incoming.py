"""Files on their way in: sent with the request, or uploaded before. Either can be read, and kept under a key."""

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from io import SEEK_END
from pathlib import PurePosixPath
from typing import Any, BinaryIO, Protocol, cast

from werkzeug.datastructures import FileStorage

from common.archives import name_fault
from common.errors import InputError, NotFoundError, TooLargeError
from common.jobs.models import Upload
from storage.protocol import ObjectStore

CHUNK_BYTES = 1024**2
SPOOL_BYTES = 8 * CHUNK_BYTES
MAX_NAME_CHARS = 200
OCTETS = "application/octet-stream"


class IncomingFile(Protocol):
    """A file of a client; `name` is safe to show and to use inside an archive."""

    @property
    def name(self) -> str: ...

    @property
    def size(self) -> int:
        """Bytes, as they were sent or announced."""
        ...

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The bytes, seekable, from the start."""
        ...

    def keep(self, store: ObjectStore, key: str) -> None:
        """Put the bytes under a key of a job."""
        ...


@dataclass(frozen=True)
class SentFile:
    """A file of a multipart request; werkzeug has spooled it."""

    name: str
    file: FileStorage

    @property
    def size(self) -> int:
        return self.file.stream.seek(0, SEEK_END)

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        self.file.stream.seek(0)
        yield cast(BinaryIO, self.file.stream)

    def keep(self, store: ObjectStore, key: str) -> None:
        with self.open() as stream:
            store.put(key, stream, media_type=OCTETS)


@dataclass(frozen=True)
class UploadedFile:
    """A file that was uploaded before, by id; checked against what was announced when it is opened.

    What is found not to be those bytes is deleted: whoever announces the file again is told to send it again.
    """

    name: str
    upload: Upload
    store: ObjectStore

    @property
    def size(self) -> int:
        return self.upload.size

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        with tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES) as spool:
            for chunk in self._read_checked():
                spool.write(chunk)
            spool.seek(0)
            yield cast(BinaryIO, spool)

    def check(self) -> None:
        """Raises InputError: never sent, or other bytes than were announced."""
        for _ in self._read_checked():
            pass

    def _read_checked(self) -> Iterator[bytes]:
        """The bytes, a piece at a time; whether they are the right ones is known at the end. Raises InputError."""
        digest, size = hashlib.sha256(), 0
        try:
            with self.store.open(self.upload.storage_key) as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except NotFoundError:
            raise InputError(f"upload {self.upload.id} ({self.name}) was announced, but never sent") from None
        if fault := self._find_fault(size, digest.hexdigest()):
            self.store.delete(self.upload.storage_key)
            raise InputError(f"{self.name}: {fault}")

    def _find_fault(self, size: int, sha256: str) -> str | None:
        if size != self.upload.size:
            return f"{size} bytes were sent, {self.upload.size} were announced"
        if self.upload.sha256 not in (None, sha256):
            return "its SHA-256 is not the one that was announced"
        return None

    def keep(self, store: ObjectStore, key: str) -> None:
        store.copy(self.upload.storage_key, key)


@dataclass(frozen=True)
class Checked:
    """A file that passed, with the digest (hex) and the bytes that were seen then."""

    file: IncomingFile
    sha256: str
    size: int

    def keep(self, store: ObjectStore, key: str) -> dict[str, Any]:
        """Store it; returns its entry in the truth."""
        self.file.keep(store, key)
        return {"key": key, "sha256": self.sha256, "size": self.size, "filename": self.file.name}


def read_all(file: IncomingFile, max_bytes: int) -> bytes:
    """All bytes of a file, unless it is over the limit. Raises TooLargeError."""
    with file.open() as stream:
        data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise TooLargeError(f"{file.name}: over the limit of {max_bytes} bytes")
    return data


def safe_name(raw: str | None, fallback: str) -> str:
    """A client's file name as a relative path that is safe in logs, archives and on every system."""
    text = re.sub(r"[\x00-\x1f\x7f]", "", (raw or "").replace("\\", "/")).replace(":", "_")
    parts = [part for part in PurePosixPath(text[-MAX_NAME_CHARS:]).parts if part not in ("/", "..")]
    name = "/".join(parts)
    return name if name and name_fault(name) is None else fallback
