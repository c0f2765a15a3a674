"""Chapters on this machine: an archive, a folder, or loose pages; what is in them, in which order, and their bytes."""

import glob
import os
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, cast

from nurie_client.errors import InputError
from nurie_client.names import ARCHIVE_SUFFIXES, OTHER_ARCHIVES, decode_name, is_page, name_fault, natural_key
from nurie_client.sources import UNREADABLE, Source

PROJECT_FILE: Final = "nurie.toml"
ENCRYPTED: Final = 0x1


@dataclass(frozen=True)
class Entry:
    """A file of a chapter, or a folder (then its name ends with '/').

    Attributes:
        name: with '/' between folders, as the chapter spells it.
        size: bytes.
        info: in an archive, its entry there.
    """

    name: str
    size: int
    modified: tuple[int, int, int, int, int, int]
    open: Callable[[], BinaryIO]
    info: zipfile.ZipInfo | None = None

    @property
    def is_folder(self) -> bool:
        return self.name.endswith("/")

    @property
    def is_page(self) -> bool:
        return not self.is_folder and is_page(self.name)


@dataclass(frozen=True)
class Chapter:
    """What becomes one job.

    Attributes:
        title: for people, and for the result's file.
        path: the archive or the folder; the folder of loose pages.
        entries: all files, in the order in which an archive has them.
        is_archive, is_folder: neither is so for loose pages.
        comment: of an archive.
    """

    title: str
    path: Path
    entries: tuple[Entry, ...]
    is_archive: bool = False
    is_folder: bool = False
    comment: bytes = b""
    close: Callable[[], None] = field(default=lambda: None, repr=False)

    @property
    def pages(self) -> list[Entry]:
        """In reading order; loose pages as they were named."""
        pages = [entry for entry in self.entries if entry.is_page]
        return pages if self.is_loose else sorted(pages, key=lambda entry: natural_key(entry.name))

    @property
    def is_loose(self) -> bool:
        return not (self.is_archive or self.is_folder)

    def sources(self) -> list[Source]:
        """The pages, to be sent."""
        return [self.source(entry) for entry in self.pages]

    def source(self, entry: Entry) -> Source:
        label = f"{self.path}: {entry.name}" if self.is_archive else str(self.path / entry.name)
        return Source(entry.name, entry.size, label, entry.open)


def find_chapters(inputs: Sequence[str | Path]) -> list[Chapter]:
    """What people name on a command line, as chapters.

    An archive is a chapter. A folder with pictures in it, however deep, is one; of a folder without pictures every
    archive is one. Loose pages are one chapter together. Patterns such as `ch*.cbz` are looked up where the shell
    has not done that.

    Raises:
        InputError: no such file, or nothing in it to colour.
    """
    archives_and_folders: list[Chapter] = []
    loose: list[Path] = []
    for path in _expand(inputs):
        if path.is_dir():
            archives_and_folders += _in_folder(path)
        elif path.suffix.lower() in ARCHIVE_SUFFIXES:
            archives_and_folders.append(open_archive(path))
        elif is_page(path.name):
            loose.append(path)
        elif path.suffix.lower() in OTHER_ARCHIVES:
            raise InputError(f"{path}: only ZIP and CBZ archives are read: unpack it, and name the folder")
        else:
            raise InputError(f"{path} is no picture and no archive")
    return archives_and_folders + ([loose_pages(loose)] if loose else [])


def open_archive(path: Path) -> Chapter:
    """A ZIP or CBZ; its bytes are read when they are asked for. Raises InputError: no archive, damaged, encrypted."""
    try:
        archive = zipfile.ZipFile(path)
    except UNREADABLE as error:
        raise InputError(f"{path} is no ZIP or CBZ archive, or damaged ({error})") from None
    try:
        entries = tuple(_archive_entries(archive, path))
        if not any(entry.is_page for entry in entries):
            raise InputError(f"{path} holds no pictures")
    except BaseException:
        archive.close()
        raise
    return Chapter(path.stem, path, entries, is_archive=True, comment=archive.comment, close=archive.close)


def open_folder(path: Path) -> Chapter:
    """A folder with everything in it, but what is hidden. Raises InputError: it holds no pictures."""
    entries = tuple(_folder_entries(path))
    if not any(entry.is_page for entry in entries):
        raise InputError(f"{path} holds no pictures")
    return Chapter(path.resolve().name, path, entries, is_folder=True)


def loose_pages(paths: Sequence[Path]) -> Chapter:
    """Pages as they were named, in this order; those of the same name are told apart by their folder."""
    folder = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    entries = tuple(_file_entry(path, path.absolute().relative_to(folder).as_posix()) for path in paths)
    title = paths[0].stem if len(paths) == 1 else f"{paths[0].stem} to {paths[-1].stem}"
    return Chapter(title, folder, entries)


def _expand(inputs: Iterable[str | Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for given in inputs:
        path = Path(given)
        found = [path]
        if not path.exists():
            matches = glob.glob(str(given), recursive=True)  # noqa: PTH207  a Path knows no absolute patterns
            found = sorted(map(Path, matches), key=lambda one: natural_key(one.as_posix()))
            if not found:
                raise InputError(f"{given}: there is no such file or folder")
        for one in found:
            if one.resolve() not in seen:
                seen.add(one.resolve())
                yield one


def _in_folder(folder: Path) -> list[Chapter]:
    try:
        return [open_folder(folder)]
    except InputError:
        archives = sorted(
            (path for path in folder.iterdir() if path.suffix.lower() in ARCHIVE_SUFFIXES and path.is_file()),
            key=lambda path: natural_key(path.name),
        )
        if not archives:
            raise InputError(f"{folder} holds no pictures, and no ZIP or CBZ archives") from None
        return [open_archive(path) for path in archives]


def _archive_entries(archive: zipfile.ZipFile, path: Path) -> Iterator[Entry]:
    seen: set[str] = set()
    for info in archive.infolist():
        name = decode_name(info)
        if fault := name_fault(name.rstrip("/")):
            raise InputError(f"{path}: entry {name!r} {fault}")
        if name in seen:
            raise InputError(f"{path}: entry {name!r} is there twice")
        if info.flag_bits & ENCRYPTED:
            raise InputError(f"{path}: entry {name!r} is encrypted: send the archive without a password")
        seen.add(name)
        yield Entry(name, info.file_size, info.date_time, _opener(archive, info), info)


def _opener(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: cast(BinaryIO, archive.open(info))


def _folder_entries(folder: Path) -> Iterator[Entry]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=natural_key)
        for name in sorted(files, key=natural_key):
            path = Path(here, name)
            if not name.startswith(".") and name != PROJECT_FILE and path.is_file():
                yield _file_entry(path, _readable(path.relative_to(folder).as_posix()))


def _readable(name: str) -> str:
    """A name that is no UTF-8 on this disk, as files have that were unpacked of a Japanese archive, in Unicode."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("cp932", "replace")
    return name


def _file_entry(path: Path, name: str) -> Entry:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    # What a ZIP can tell: 1980 at the earliest.
    modified = max(time.localtime(status.st_mtime)[:6], (1980, 1, 1, 0, 0, 0))
    return Entry(name, status.st_size, modified, lambda: path.open("rb"))
