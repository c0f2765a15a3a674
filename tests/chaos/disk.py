"""A small disk of its own for the store, in memory, that can be filled up."""

import ctypes
import errno
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS = 0x20000
MS_REC, MS_PRIVATE = 1 << 14, 1 << 18
SIZE = "48m"
CHUNK_BYTES = 1 << 20


def make_mounts_private() -> bool:
    """Leave the machine's name space of mounts, so that ours vanish with us; False where that is not allowed.

    To be called before any thread runs: those of later are in the new name space too.
    """
    return LIBC.unshare(CLONE_NEWNS) == 0 and LIBC.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) == 0


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Raises OSError where nothing may be mounted."""
    folder.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise OSError(done.stderr.strip())
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False)


class Filler:
    """What takes all that is left of a disk."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "filler"

    def fill(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            for size in (CHUNK_BYTES, os.sysconf("SC_PAGE_SIZE"), 1):
                with suppress(OSError):
                    while file.write(b"\0" * size):
                        pass

    def is_full(self) -> bool:
        try:
            with self._path.open("ab", buffering=0) as file:
                file.write(b"\0")
        except OSError as error:
            return error.errno == errno.ENOSPC
        return False

    def free(self) -> None:
        self._path.unlink()
