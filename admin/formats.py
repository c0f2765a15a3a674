"""Is a file of weights whole? Told by its outermost layer: nothing in it is unpacked, unpickled or run. Pure.

Whether the tensors in it are the right ones only the stage's own room can say, see `admin.checking`.
"""

import hashlib
import struct
import zipfile
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path
from typing import Final

from admin.hub import NAMED_SHA256

HDF5: Final = b"\x89HDF\r\n\x1a\n"
_HDF5_ADDRESSES: Final = {0: (24, 13), 1: (28, 13), 2: (12, 9), 3: (12, 9)}
"""By the superblock's version: where its addresses begin, and where it says how many bytes each has.

Source: HDF5 File Format Specification 3.0, section II.A.
"""
PICKLES: Final = tuple(bytes([0x80, protocol]) for protocol in range(2, 6))
"""How checkpoints of old versions of PyTorch begin; those of newer ones are a zip around a pickle."""


def find_fault(path: Path) -> str | None:
    """What is wrong with a file that its suffix says the format of; None when nothing is seen.

    Raises:
        OSError: it cannot be read.
    """
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        return "empty"
    with path.open("rb") as file:
        named = NAMED_SHA256.search(path.name)
        return _find_sha256_fault(file, named[1]) if named else _FORMATS[path.suffix](file, size_bytes)


def _find_sha256_fault(file: BufferedReader, start: str) -> str | None:
    digest = hashlib.file_digest(file, "sha256").hexdigest()
    return None if digest.startswith(start) else f"SHA-256 {digest}, where its name promises {start}…"


def _find_hdf5_fault(file: BufferedReader, size_bytes: int) -> str | None:
    head = file.read(64)
    if not head.startswith(HDF5):
        return "not an HDF5 file, which Style2Paints' .net files are"
    if len(head) < 64:
        return f"cut off after {size_bytes} bytes"
    if head[8] not in _HDF5_ADDRESSES:
        return None  # of a version to come; the room knows what it can read
    start, width_at = _HDF5_ADDRESSES[head[8]]
    end_at = start + 2 * head[width_at]  # after the addresses of the base and of an extension
    end_bytes = int.from_bytes(head[end_at : end_at + head[width_at]], "little")
    return f"cut off: {size_bytes} of {end_bytes} bytes" if size_bytes < end_bytes else None


def _find_checkpoint_fault(file: BufferedReader, _size_bytes: int) -> str | None:
    start = file.read(2)
    if start in PICKLES:
        return None
    if start != b"PK":
        return "no PyTorch checkpoint: neither a zip nor a pickle"
    try:
        zipfile.ZipFile(file).close()  # reads the list of contents, which stands at the end
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error, EOFError):
        return "damaged or cut off: a zip without its list of contents"
    return None


_FORMATS: Final[dict[str, Callable[[BufferedReader, int], str | None]]] = {
    ".net": _find_hdf5_fault,
    ".ckpt": _find_checkpoint_fault,
    ".pth": _find_checkpoint_fault,
}
