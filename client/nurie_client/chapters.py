"""Chapters on this machine: an archive, a folder, or loose pages; what is in them, in which order, and their bytes."""

import glob
import hashlib
import os
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, cast

from nurie_client.errors import InputError
from nurie_client.names import ARCHIVE_SUFFIXES, OTHER_ARCHIVES, decode_name, is_page, name_fault, natural_key, readable
from nurie_client.sources import UNREADABLE, Source

PROJECT_FILE: Final = "nurie.toml"
ENCRYPTED: Final = 0x1
MARK: Final = "-coloured"
"""What a result is called beside its chapter."""


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
        files: the files of loose pages.
    """

    title: str
    path: Path
    entries: tuple[Entry, ...]
    is_archive: bool = False
    is_folder: bool = False
    comment: bytes = b""
    files: tuple[Path, ...] = ()
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

    @property
    def inputs(self) -> tuple[Path, ...]:
        """What was named: one archive or folder, or the pages; absolute."""
        return self.files or (self.path.absolute(),)

    @property
    def outline(self) -> str:
        """SHA-256 of the names and sizes of the pages: another chapter, another outline."""
        told = "\n".join(f"{entry.size} {entry.name}" for entry in self.pages)
        return hashlib.sha256(told.encode()).hexdigest()

    def source(self, entry: Entry) -> Source:
        label = f"{self.path}: {entry.name}" if self.is_archive else str(self.path / entry.name)
        return Source(entry.name, entry.size, label, entry.open)


def find_chapters(inputs: Sequence[str | Path], faults: list[tuple[Path, InputError]] | None = None) -> list[Chapter]:
    """What people name on a command line, as chapters.

    An archive is a chapter. A folder with pictures in it, however deep, is one; of a folder without pictures every
    archive is one. Loose pages are one chapter together. Patterns such as `ch*.cbz` are looked up where the shell
    has not done that.

    Args:
        inputs: files, folders, patterns.
        faults: where it is given, chapters that cannot be opened go there, with the reason, and do not end it.

    Raises:
        InputError: no such file, or nothing in it to colour.
    """
    archives_and_folders: list[Chapter] = []
    loose: list[Path] = []
    for path in _expand(inputs):
        if path.is_dir():
            archives_and_folders += _in_folder(path, faults)
        elif path.suffix.lower() in ARCHIVE_SUFFIXES:
            archives_and_folders += _opened([path], faults)
        elif is_page(path.name):
            loose.append(path)
        elif path.suffix.lower() in OTHER_ARCHIVES:
            raise InputError(f"{path}: only ZIP and CBZ archives are read: unpack it, and name the folder")
        else:
            raise InputError(f"{path} is no picture and no archive")
    return archives_and_folders + ([loose_pages(loose)] if loose else [])


def _opened(paths: Iterable[Path], faults: list[tuple[Path, InputError]] | None) -> Iterator[Chapter]:
    for path in paths:
        try:
            yield open_archive(path)
        except InputError as error:
            if faults is None:
                raise
            faults.append((path, error))


def open_archive(path: Path) -> Chapter:
    """A ZIP or CBZ; its bytes are read when they are asked for. Raises InputError: no archive, damaged, encrypted."""
    archive = _Archive(path)
    try:
        listed = archive.list()
        entries = tuple(_archive_entries(archive, listed.infolist(), path))
        if not any(entry.is_page for entry in entries):
            raise InputError(f"{path} holds no pictures")
        return Chapter(readable(path.stem), path, entries, is_archive=True, comment=listed.comment, close=archive.close)
    finally:
        archive.close()


def open_folder(path: Path) -> Chapter:
    """A folder with everything in it, but what is hidden. Raises InputError: it holds no pictures."""
    entries = tuple(_folder_entries(path))
    if not any(entry.is_page for entry in entries):
        raise InputError(f"{path} holds no pictures")
    return Chapter(readable(path.resolve().name), path, entries, is_folder=True)


def loose_pages(paths: Sequence[Path]) -> Chapter:
    """Pages as they were named, in this order; those of the same name are told apart by their folder."""
    folder = Path(os.path.commonpath([path.absolute().parent for path in paths]))
    entries = tuple(_file_entry(path, readable(path.absolute().relative_to(folder).as_posix())) for path in paths)
    title = paths[0].stem if len(paths) == 1 else f"{paths[0].stem} to {paths[-1].stem}"
    return Chapter(readable(title), folder, entries, files=tuple(path.absolute() for path in paths))


def _expand(inputs: Iterable[str | Path]) -> Iterator[Path]:
    found = list(_found(inputs))
    # The same command again must not colour what it made before.
    names = {path.absolute() for path in found}
    yield from (path for path in found if not _is_result_of_another(path.absolute(), names))


def _is_result_of_another(path: Path, names: set[Path]) -> bool:
    stem = _stem(path)
    if not stem.endswith(MARK):
        return False
    made_of = stem.removesuffix(MARK)
    return any(_stem(other) == made_of and other.parent == path.parent for other in names)


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _found(inputs: Iterable[str | Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for given in inputs:
        path = Path(given)
        found = [path]
        if not path.exists():
            matches = glob.glob(str(given), recursive=True)  # noqa: PTH207  a Path knows no absolute patterns
            found = sorted(map(Path, matches), key=lambda one: natural_key(one.as_posix()))
            if not found:
                is_pattern = glob.has_magic(str(given))
                raise InputError(f"nothing matches {given}" if is_pattern else f"{given}: no such file or folder")
        for one in found:
            if one.resolve() not in seen:
                seen.add(one.resolve())
                yield one


def _in_folder(folder: Path, faults: list[tuple[Path, InputError]] | None) -> list[Chapter]:
    try:
        return [open_folder(folder)]
    except InputError:
        found = {path for path in folder.iterdir() if path.suffix.lower() in ARCHIVE_SUFFIXES and path.is_file()}
        archives = sorted(
            (path for path in found if not _is_result_of_another(path, found)), key=lambda path: natural_key(path.name)
        )
        if not archives:
            raise InputError(f"{folder} holds no pictures, and no ZIP or CBZ archives") from None
        return list(_opened(archives, faults))


class _Archive:
    """A ZIP that is open only while somebody reads of it: many chapters may wait their turn."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._zip: zipfile.ZipFile | None = None

    def list(self) -> zipfile.ZipFile:
        """Open it, if it is not. Raises InputError."""
        with self._lock:
            if self._zip is None:
                try:
                    self._zip = zipfile.ZipFile(self._path)
                except OSError as error:
                    raise InputError(f"{self._path} cannot be read: {error.strerror or error}") from None
                except UNREADABLE as error:
                    raise InputError(f"{self._path} is no ZIP or CBZ archive, or damaged ({error})") from None
            return self._zip

    def open(self, info: zipfile.ZipInfo) -> BinaryIO:
        return cast(BinaryIO, self.list().open(info))

    def close(self) -> None:
        """What is being read may be read to its end."""
        with self._lock:
            if self._zip is not None:
                self._zip.close()
            self._zip = None


def _archive_entries(archive: _Archive, infos: Iterable[zipfile.ZipInfo], path: Path) -> Iterator[Entry]:
    seen: set[str] = set()
    for info in infos:
        name = decode_name(info)
        if fault := name_fault(name.rstrip("/")):
            raise InputError(f"{path}: entry {name!r} {fault}")
        if name in seen:
            raise InputError(f"{path}: entry {name!r} is there twice")
        if info.flag_bits & ENCRYPTED:
            raise InputError(f"{path}: entry {name!r} is encrypted: send the archive without a password")
        seen.add(name)
        yield Entry(name, info.file_size, info.date_time, _opener(archive, info), info)


def _opener(archive: _Archive, info: zipfile.ZipInfo) -> Callable[[], BinaryIO]:
    return lambda: archive.open(info)


def _folder_entries(folder: Path) -> Iterator[Entry]:
    for here, folders, files in os.walk(folder):
        folders[:] = sorted((name for name in folders if not name.startswith(".")), key=natural_key)
        for name in sorted(files, key=natural_key):
            path = Path(here, name)
            if not name.startswith(".") and name != PROJECT_FILE and path.is_file():
                yield _file_entry(path, readable(path.relative_to(folder).as_posix()))


def _file_entry(path: Path, name: str) -> Entry:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    # What a ZIP can tell: 1980 at the earliest.
    modified = max(time.localtime(status.st_mtime)[:6], (1980, 1, 1, 0, 0, 0))
    return Entry(name, status.st_size, modified, lambda: path.open("rb"))
