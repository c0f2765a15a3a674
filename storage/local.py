"""The object store in a folder, for one machine: `NURIE_STORAGE_URL=file:///…`.

`ROOT/objects/KEY` holds the objects, `ROOT/incoming/` what is being written or deleted. A write makes a new file and
renames it into place, so no file ever changes and a copy can be a hard link.
"""

import errno
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from common.errors import InputError, NotFoundError, NurieError, StorageError, TooLargeError
from storage import signing
from storage.keys import check_key, check_prefix
from storage.measuring import measured
from storage.protocol import ObjectInfo, PresignedUpload

CHUNK_BYTES: Final = 1 << 20
REPLACE_TRIES: Final = 5
NO_LINK_ERRORS: Final = (errno.EPERM, errno.EXDEV, errno.EMLINK, errno.ENOTSUP, errno.ENOSYS)
"""What file systems answer that cannot link, or not once more."""


@measured
class LocalStore:
    """An ObjectStore in a folder; see `storage.protocol` for the contract. Safe between threads and processes."""

    def __init__(self, root: Path, base_url: str, secret: str) -> None:
        """Touches nothing yet.

        Args:
            root: an absolute folder, made on first use.
            base_url: the API's address, which stands in signed URLs.
            secret: what they are signed with; the same in every process of the API.
        """
        if not secret:
            raise NurieError("the local store needs a secret to sign URLs with")
        self._objects = root / "objects"
        self._incoming = root / "incoming"
        self._base_url = base_url
        self._secret = secret

    def put(self, key: str, data: bytes | BinaryIO, *, media_type: str) -> None:  # noqa: ARG002  URLs carry the type
        stream = BytesIO(data) if isinstance(data, bytes) else data
        self._write(key, lambda file: shutil.copyfileobj(stream, file, CHUNK_BYTES))

    def receive(self, key: str, stream: BinaryIO, size: int, sha256: str | None = None) -> None:
        """Write an upload from outside, of exactly `size` bytes with this SHA-256 (hex); otherwise nothing is kept.

        Raises:
            TooLargeError: the stream goes on after `size` bytes; no more than one byte beyond is read.
            InputError: the stream ends before, or its SHA-256 is another.
        """

        def copy_exactly(file: BinaryIO) -> None:
            left, digest = size, hashlib.sha256()
            while left and (chunk := stream.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                digest.update(chunk)
                file.write(chunk)
            if left:
                raise InputError(f"the upload ended after {size - left} bytes; {size} were announced")
            if stream.read(1):
                raise TooLargeError(f"the upload is larger than the {size} bytes that were announced")
            if sha256 not in (None, digest.hexdigest()):
                raise InputError("the SHA-256 of what was sent is not the one that was announced")

        self._write(key, copy_exactly)

    def get(self, key: str) -> bytes:
        with _mapped(key):
            return self._path(key).read_bytes()

    def open(self, key: str) -> BinaryIO:
        with _mapped(key):
            return self._path(key).open("rb")

    def stat(self, key: str) -> ObjectInfo | None:
        path = self._path(key)
        try:
            with _mapped(key):
                return _describe(path) if path.is_file() else None
        except NotFoundError:
            return None

    def copy(self, src: str, dst: str) -> None:
        source, target = self._path(src), self._path(dst)
        with _mapped(src), self._temporary() as temporary:
            try:
                os.link(source, temporary)
            except OSError as error:
                if error.errno not in NO_LINK_ERRORS:
                    raise
                with source.open("rb") as stream:
                    self._write(dst, lambda file: shutil.copyfileobj(stream, file, CHUNK_BYTES))
            else:
                self._move_into_place(temporary, target)

    def delete(self, key: str) -> None:
        path = self._path(key)
        with _mapped(key), suppress(FileNotFoundError, NotADirectoryError, IsADirectoryError):
            path.unlink()
            self._prune(path.parent)

    def delete_prefix(self, prefix: str) -> None:
        check_prefix(prefix)
        folder = self._path(prefix[:-1]) if prefix else self._objects
        with _mapped(prefix), self._temporary() as temporary, suppress(FileNotFoundError, NotADirectoryError):
            # Moved aside first, the whole prefix is gone at once and no writer can get in between.
            folder.rename(temporary)
            shutil.rmtree(temporary)
            self._prune(folder.parent)

    def list_keys(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        folder = self._path(prefix[:-1]) if prefix else self._objects
        with _mapped(prefix):
            files = [
                Path(place, name) for place, _, names in os.walk(folder, onerror=_raise_unless_gone) for name in names
            ]
        # Sorted as S3 does it, by bytes of the whole key.
        yield from sorted((file.relative_to(self._objects).as_posix() for file in files), key=str.encode)

    def list_objects(self, prefix: str) -> Iterator[tuple[str, ObjectInfo]]:
        for key in self.list_keys(prefix):
            if (info := self.stat(key)) is not None:
                yield key, info

    def list_folders(self, prefix: str) -> Iterator[str]:
        check_prefix(prefix)
        folder = self._path(prefix[:-1]) if prefix else self._objects
        try:
            with _mapped(prefix), os.scandir(folder) as entries:
                names = [entry.name for entry in entries if entry.is_dir()]
        except NotFoundError:
            return
        yield from sorted(names, key=str.encode)

    def discard_unfinished(self, before: float) -> None:
        with _mapped("its folder"), suppress(FileNotFoundError):
            for path in self._incoming.iterdir():
                # Not the time of its bytes: what is copied or deleted lies here too, under the time of long ago.
                with suppress(FileNotFoundError):
                    if path.lstat().st_ctime < before:
                        _remove(path)

    def presign_get(self, key: str, *, expires_s: int, filename: str | None, media_type: str) -> str:
        params = {"expires": str(int(time.time()) + expires_s), "type": media_type}
        if filename is not None:
            params["filename"] = filename
        return signing.sign_url(self._base_url, self._secret, "GET", check_key(key), params)

    def presign_put(
        self, key: str, *, size: int, media_type: str, expires_s: int, sha256: str | None = None
    ) -> PresignedUpload:
        expires = int(time.time()) + expires_s
        params = {"expires": str(expires), "size": str(size), "type": media_type}
        if sha256 is not None:
            params["sha256"] = sha256
        url = signing.sign_url(self._base_url, self._secret, "PUT", check_key(key), params)
        return PresignedUpload(url, {"Content-Type": media_type}, datetime.fromtimestamp(expires, UTC))

    def verify(self, method: str, key: str, params: Mapping[str, str]) -> signing.SignedRequest:
        """Check a request for one of our signed URLs; see `signing.verify`. Raises SignatureError."""
        return signing.verify(self._secret, method, key, params)

    def ensure(self) -> None:
        try:
            self._objects.mkdir(parents=True, exist_ok=True)
            self._incoming.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"the local store's folder cannot be made: {error.strerror}") from error

    def check(self) -> None:
        with _mapped("its folder"), self._temporary() as temporary:
            temporary.write_bytes(b"check")

    def _path(self, key: str) -> Path:
        path = self._objects / check_key(key)
        # A link put into the folder by hand must not lead out of it either.
        if not path.resolve().is_relative_to(self._objects.resolve()):
            raise InputError(f"object key {key!r} leads out of the store")
        return path

    def _write(self, key: str, fill: Callable[[BinaryIO], None]) -> None:
        target = self._path(key)
        with _mapped(key), self._temporary() as temporary:
            with temporary.open("xb") as file:
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            self._move_into_place(temporary, target)

    @contextmanager
    def _temporary(self) -> Iterator[Path]:
        """A free path on the store's own file system; whatever lies there afterwards is removed."""
        self.ensure()
        path = self._incoming / uuid.uuid4().hex
        try:
            yield path
        finally:
            _remove(path)

    def _move_into_place(self, temporary: Path, target: Path) -> None:
        for _ in range(REPLACE_TRIES):
            with suppress(FileNotFoundError):  # a delete beside us pruned the empty folder that we just made
                try:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    temporary.replace(target)
                    break
                except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
                    # mkdir says that a folder exists also when it was pruned before mkdir could look at it.
                    if isinstance(error, FileExistsError) and not target.parent.is_file():
                        continue
                    raise InputError("an object's key cannot be the folder of another object's") from None
        else:
            raise StorageError("the local store's folders vanish while an object is written into them")
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _prune(self, folder: Path) -> None:
        """Remove folders that became empty, upwards, never the store's own."""
        with suppress(OSError):
            while folder != self._objects and folder.is_relative_to(self._objects):
                folder.rmdir()
                folder = folder.parent


def _describe(path: Path) -> ObjectInfo:
    found = path.stat()
    return ObjectInfo(found.st_size, found.st_mtime)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _mapped(what: str) -> Iterator[None]:
    """Turn the operating system's errors into ours; paths stay out of the messages."""
    try:
        yield
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise NotFoundError(f"there is no object {what!r}") from None
    except OSError as error:
        raise StorageError(f"the local store failed at {what!r}: {error.strerror or type(error).__name__}") from error


def _raise_unless_gone(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error
