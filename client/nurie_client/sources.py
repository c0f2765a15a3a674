"""What can be sent: bytes with a name, read as often as needed and never held whole in memory."""

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from nurie_client.errors import InputError

CHUNK_BYTES: Final = 1 << 18
UNREADABLE: Final = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a file, or a file in an archive, may raise."""


@dataclass(frozen=True)
class Source:
    """A file to send.

    Attributes:
        name: as the server is told it, with '/' between folders.
        size: bytes.
        label: what errors call it.
    """

    name: str
    size: int
    label: str
    open: Callable[[], BinaryIO]

    @classmethod
    def file(cls, path: Path, name: str | None = None) -> "Source":
        """Raises InputError: it cannot be read, or is empty."""
        try:
            size = path.stat().st_size
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from None
        if not path.is_file():
            raise InputError(f"{path} is no file")
        return cls(name or path.name, size, str(path), lambda: path.open("rb"))

    def pieces(self) -> Iterator[bytes]:
        """Its bytes, from the start. Raises InputError: it cannot be read, or has changed its size."""
        read = 0
        try:
            with closing(self.open()) as stream:
                while piece := stream.read(CHUNK_BYTES):
                    read += len(piece)
                    if read > self.size:
                        break
                    yield piece
        except UNREADABLE as error:
            raise InputError(f"{self.label} cannot be read: {error}") from None
        if read != self.size:
            raise InputError(f"{self.label} changes while it is sent: it had {self.size} bytes")

    def sha256(self) -> str:
        """Of all its bytes, hexadecimal."""
        digest = hashlib.sha256()
        for piece in self.pieces():
            digest.update(piece)
        return digest.hexdigest()
