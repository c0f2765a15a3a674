"""Where a coloured chapter goes, and writing it there: the structure, names and order of what was sent."""

import os
import stat
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import IO, BinaryIO

from nurie_client.chapters import MARK, Chapter, Entry
from nurie_client.errors import InputError, OutputError
from nurie_client.names import (
    ARCHIVE_SUFFIXES,
    FORMAT_SUFFIXES,
    OTHER_ARCHIVES,
    PICTURE_SUFFIXES,
    free_name,
    with_format,
)
from nurie_client.sources import CHUNK_BYTES, UNREADABLE


class Form(Enum):
    ARCHIVE = auto()
    FOLDER = auto()
    PAGE = auto()


@dataclass(frozen=True)
class Target:
    """Where a chapter goes: `path` is an archive, a folder or a single page; pages in colour have `suffix`."""

    path: Path
    form: Form
    suffix: str = ".png"


@dataclass(frozen=True)
class Coloured:
    """A page that came back: its picture in a file here, and the suffix that says its format."""

    file: Path
    suffix: str


@dataclass(frozen=True)
class Written:
    """A result: where it is, and the names of its files in order."""

    path: Path
    names: tuple[str, ...]


def choose_targets(
    chapters: Sequence[Chapter],
    out: Path | None,
    references: Iterable[Path] = (),
    *,
    suffix: str = ".png",
    is_shelf: bool = False,
) -> list[Target]:
    """One for each chapter: beside it where nothing is said; otherwise into the folder, or the file, `out`.

    Args:
        chapters: to be written.
        out: where to.
        references: files that must stay, too.
        suffix: of pages in colour.
        is_shelf: `out` is for many chapters, one after the other: each has a folder of its own in it.

    Raises:
        InputError: several chapters into one file; two results in one place; or a result where a chapter or a
            reference lies.
    """
    single = len(chapters) == 1
    if out is not None and not single and out.suffix.lower() in (*ARCHIVE_SUFFIXES, *PICTURE_SUFFIXES):
        raise InputError(f"{out}: {len(chapters)} chapters do not go into one file: name a folder")
    targets = [
        _beside(chapter, suffix) if out is None else _in(chapter, out, suffix, single and not is_shelf)
        for chapter in chapters
    ]
    check_targets(list(zip(chapters, targets, strict=True)), references)
    return targets


def check_targets(pairs: Sequence[tuple[Chapter, Target]], references: Iterable[Path] = ()) -> None:
    """Raises InputError: two results in one place, or one where a chapter or a reference lies."""
    taken: dict[Path, Chapter] = {}
    folders = [chapter.path.resolve() for chapter, _ in pairs if chapter.is_folder]
    files = [path for chapter, _ in pairs for path in chapter.inputs if not chapter.is_folder] + list(references)
    for chapter, target in pairs:
        place = target.path.resolve()
        if place in taken:
            raise InputError(f"{taken[place].path} and {chapter.path} would both become {target.path}: do one by one")
        taken[place] = chapter
        for folder in folders:
            if place == folder or folder in place.parents:
                raise InputError(f"{target.path} lies within the chapter {folder}: choose another place with -o")
        for file in files:
            if any(_is_same_file(file, result) for result in _results(chapter, target)):
                raise InputError(f"{file} would be written over: choose another place with -o")


def check_free(chapter: Chapter, target: Target, is_as_written: Callable[[Path, Path, Path], bool]) -> None:
    """Whether a result may be written there, before anything is done for it.

    Args:
        chapter: what is to be written.
        target: where to.
        is_as_written: whether a file of a target is as we wrote it, of this chapter: that may be replaced.

    Raises:
        InputError: somebody else's file is there, another chapter's, or one of ours that somebody has changed.
        OutputError: the folder may not be written to.
    """
    path = target.path.absolute()
    try:
        for file in _results(chapter, target):
            if file.exists() and not is_as_written(target.path, chapter.inputs[0], file):
                raise InputError(
                    f"{file} is there already, and not as nurie wrote it of this chapter: -o names another place, "
                    "--force writes over it"
                )
        places = (path, *path.parents) if target.form is Form.FOLDER else path.parents
        folder = next(place for place in places if place.exists())
    except OSError as error:
        raise OutputError(f"{target.path} cannot be written: {error.strerror or error}") from None
    if not os.access(folder, os.W_OK):
        raise OutputError(f"the folder {folder} may not be written to: choose another place with -o")


def write_chapter(
    chapter: Chapter,
    target: Target,
    coloured: Mapping[str, Coloured],
    kept: set[str],
    note: Callable[[Mapping[Path, Path]], None],
) -> Written:
    """Write a chapter: pages in colour, others byte for byte, everything else untouched.

    An archive is complete or not there; so is each file of a folder.

    Args:
        chapter: what was sent.
        target: where to; what is there already is replaced. A single page has the suffix of what it is.
        coloured: by the name of the page.
        kept: names of the pages that stay as they are, having been in colour already. Pages that are neither are
            left out: they failed.
        note: told, when all is written and before anything is put in place: the file → where it lies still.

    Raises:
        OutputError: the disk is full, or may not be written to.
        InputError: a file of the chapter can no longer be read.
    """
    pieces = list(_pieces(chapter, coloured, kept))
    path = target.path
    if target.form is Form.PAGE:
        path = path.with_name(with_format(path.name, Path(pieces[0].name).suffix))
        if pieces[0].file is None and any(_is_same_file(file, path) for file in chapter.inputs):
            return Written(path, (path.name,))  # it was in colour already, and is where it shall be
    files = [path]
    if target.form is Form.FOLDER:
        files = [path / piece.name for piece in pieces if not piece.entry.is_folder]
    parts = {file: _part_of(file) for file in files}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            match target.form:
                case Form.ARCHIVE:
                    _write_archive(chapter, parts[path], pieces)
                case Form.PAGE:
                    _write_file(parts[path], pieces[0])
                case Form.FOLDER:
                    _write_folder(path, pieces)
            note(parts)
            for file, part in parts.items():
                part.replace(file)
        finally:
            for part in parts.values():
                part.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{target.path} cannot be written: {error.strerror or error}") from None
    return Written(path, tuple(piece.name for piece in pieces))


def _part_of(path: Path) -> Path:
    """What a file is called until it is complete."""
    return path.with_name(f".{path.name}.part")


def _beside(chapter: Chapter, suffix: str) -> Target:
    if chapter.is_archive:
        return Target(chapter.path.with_stem(chapter.path.stem + MARK), Form.ARCHIVE, suffix)
    if chapter.is_folder:
        path = chapter.path.resolve()
        return Target(path.with_name(path.name + MARK), Form.FOLDER, suffix)
    if len(chapter.files) == 1:
        return Target(chapter.files[0].with_stem(chapter.files[0].stem + MARK), Form.PAGE, suffix)
    return Target(chapter.path / MARK.lstrip("-"), Form.FOLDER, suffix)


def _in(chapter: Chapter, out: Path, page_suffix: str, single: bool) -> Target:
    suffix = out.suffix.lower()
    if suffix in OTHER_ARCHIVES and not out.is_dir():
        raise InputError(f"{out}: archives are written as .cbz or .zip")
    if single and suffix in ARCHIVE_SUFFIXES and not out.is_dir():
        return Target(out, Form.ARCHIVE, page_suffix)
    if single and suffix in PICTURE_SUFFIXES and not out.is_dir():
        if len(chapter.entries) > 1:
            raise InputError(f"{out}: a chapter does not go into one picture: name a folder or an archive")
        if not any(suffix in suffixes for suffixes in FORMAT_SUFFIXES.values()):
            raise InputError(f"{out}: results are {', '.join(FORMAT_SUFFIXES)}")
        return Target(out, Form.PAGE, suffix)
    if chapter.is_archive:
        return Target(out / chapter.path.name, Form.ARCHIVE, page_suffix)
    return Target(out if single or chapter.is_loose else out / chapter.title, Form.FOLDER, page_suffix)


def _results(chapter: Chapter, target: Target) -> Iterator[Path]:
    """Every file that may be written: a page has the suffix of its format, or its own where it stays as it is."""
    if target.form is Form.ARCHIVE:
        yield target.path
    elif target.form is Form.PAGE:
        yield target.path.with_name(with_format(target.path.name, target.suffix))
        as_it_is = target.path.with_name(with_format(target.path.name, Path(chapter.pages[0].name).suffix.lower()))
        if not any(_is_same_file(file, as_it_is) for file in chapter.inputs):
            yield as_it_is
    else:
        for entry in chapter.entries:
            yield target.path / entry.name
            if entry.is_page:
                yield target.path / with_format(entry.name, target.suffix)


def _is_same_file(one: Path, other: Path) -> bool:
    """Also where one is spelled in another way, as in other case on a disk that takes that for the same."""
    try:
        return other.samefile(one)
    except OSError:
        return False  # one of them is not there


@dataclass(frozen=True)
class _Piece:
    """A file of the result: its name, and where its bytes and its looks come from."""

    name: str
    entry: Entry
    file: Path | None  # None: the entry's own bytes

    def open(self) -> BinaryIO:
        return self.file.open("rb") if self.file else self.entry.open()


def _pieces(chapter: Chapter, coloured: Mapping[str, Coloured], kept: set[str]) -> Iterator[_Piece]:
    # What keeps its name has it; a page whose suffix changes gives way.
    pages = {entry.name for entry in chapter.pages}
    taken: set[str] = set()
    for entry in chapter.entries:
        if entry.name not in pages or entry.name in kept:
            free_name(entry.name, taken)
    names = {
        entry.name: free_name(with_format(entry.name, coloured[entry.name].suffix), taken)
        for entry in chapter.pages
        if entry.name in coloured
    }
    for entry in chapter.entries:
        if entry.name in names:
            yield _Piece(names[entry.name], entry, coloured[entry.name].file)
        elif entry.name in kept or entry.name not in pages:
            yield _Piece(entry.name, entry, None)


def _write_archive(chapter: Chapter, part: Path, pieces: Sequence[_Piece]) -> None:
    with zipfile.ZipFile(part, "w") as archive:
        archive.comment = chapter.comment
        for piece in pieces:
            with archive.open(_describe(piece), "w", force_zip64=piece.entry.size > zipfile.ZIP64_LIMIT) as to:
                if not piece.entry.is_folder:
                    _copy(piece, to)


def _describe(piece: _Piece) -> zipfile.ZipInfo:
    """As the entry was, where it comes of an archive; the same bytes for the same chapter in any case."""
    info = zipfile.ZipInfo(piece.name, piece.entry.modified)
    info.create_system = 3  # Unix, wherever we run
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    if piece.entry.is_folder:
        info.external_attr = (stat.S_IFDIR | 0o755) << 16 | 0x10
    if (old := piece.entry.info) is not None:
        info.comment = old.comment
        if piece.file is None and old.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            info.compress_type = old.compress_type
    return info


def _write_folder(folder: Path, pieces: Sequence[_Piece]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for piece in pieces:
        path = folder / piece.name
        if piece.entry.is_folder:
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_file(_part_of(path), piece)


def _write_file(part: Path, piece: _Piece) -> None:
    with part.open("wb") as to:
        _copy(piece, to)


def _copy(piece: _Piece, to: IO[bytes]) -> None:
    with closing(_opened(piece)) as stream:
        while data := _read(piece, stream):
            to.write(data)


def _opened(piece: _Piece) -> BinaryIO:
    try:
        return piece.open()
    except UNREADABLE as error:
        raise InputError(f"{piece.entry.name} can no longer be read: {error}") from None


def _read(piece: _Piece, stream: BinaryIO) -> bytes:
    try:
        return stream.read(CHUNK_BYTES)
    except UNREADABLE as error:
        raise InputError(f"{piece.entry.name} can no longer be read: {error}") from None
