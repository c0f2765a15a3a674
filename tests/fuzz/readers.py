"""What is fuzzed: the readers of archives and pictures, with what must hold whatever they are given.

They may refuse with an error of ours, and nothing else; they open no file; and no name that they let through leads out
of the folder that it would be unpacked to.
"""

import io
import os.path
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from common.archives import ArchiveLimits, list_contents, name_fault, natural_key, read_entry, read_start
from common.errors import InputError
from common.imaging import ImageLimits, decode_image, is_coloured, read_header

MEMORY_BYTES: Final = 512 * 1024**2
"""The most that a process may need in which nothing but this runs."""
# Small, so that many inputs are read in a second; what is over a limit is refused by the same lines.
ARCHIVE_LIMITS: Final = ArchiveLimits(max_entries=1000, max_total_bytes=20_000_000, max_entry_bytes=5_000_000)
IMAGE_LIMITS: Final = ImageLimits(max_pixels=2_000_000, max_bytes=5_000_000)
FOLDER: Final = "/unpacked/here"
START_BYTES: Final = 1000

_watched = False


def fuzz_archive(data: bytes) -> None:
    """List an archive, and read all that is in it."""
    with _no_file_opened():
        try:
            contents = list_contents(file := io.BytesIO(data), "a.cbz", ARCHIVE_LIMITS)
        except InputError:
            return
        for entry in (*contents.pages, *contents.extras):
            _check_name(entry.name)
            try:
                start = read_start(file, entry, START_BYTES)
                whole = read_entry(file, entry, ARCHIVE_LIMITS)
            except InputError:
                continue
            assert len(whole) == entry.size
            assert whole[:START_BYTES] == start
        assert contents.pages == sorted(contents.pages, key=lambda entry: natural_key(entry.name))


def fuzz_picture(data: bytes) -> None:
    """Read a picture's header, and decode it."""
    with _no_file_opened():
        header = None
        try:
            header = read_header(data, "1.png", IMAGE_LIMITS)
            rgb = decode_image(data, "1.png", IMAGE_LIMITS)
        except InputError:
            return
        assert rgb.shape[2] == 3
        assert sorted(rgb.shape[:2]) == sorted((header.height, header.width))  # EXIF may turn it
        is_coloured(rgb)


READERS: Final[dict[str, Callable[[bytes], None]]] = {"archive": fuzz_archive, "picture": fuzz_picture}


def _check_name(name: str) -> None:
    assert name_fault(name) is None
    path = os.path.normpath(os.path.join(FOLDER, name))  # noqa: PTH118  as text, on any system
    assert path.startswith(FOLDER + "/"), f"{name!r} leads to {path!r}"


@contextmanager
def _no_file_opened() -> Iterator[None]:
    """Any file that is opened meanwhile is an error."""
    global _watched  # noqa: PLW0603  an audit hook is for the whole process, and stays
    if not _watched:
        sys.addaudithook(_audit)
        _watched = True
    _Forbidding.is_on = True
    try:
        yield
    finally:
        _Forbidding.is_on = False


class _Forbidding:
    is_on = False


def _audit(event: str, arguments: tuple[object, ...]) -> None:
    if _Forbidding.is_on and event == "open" and not str(arguments[0]).endswith((".py", ".pyc", ".so")):
        raise AssertionError(f"a reader opened {arguments[0]!r}")
