"""ZIP and CBZ archives from outside, checked before anything is unpacked; archives of ours, written. Pure."""

import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import BinaryIO, Final

from common.errors import BadArchiveError, NurieError, TooLargeError
from common.imaging import READ_SUFFIXES

ARCHIVE_SUFFIXES: Final = (
    ".zip", ".cbz", ".rar", ".cbr", ".7z", ".cb7", ".tar", ".cbt", ".gz", ".tgz", ".bz2", ".xz", ".zst",
)  # fmt: skip
ARCHIVE_MAGICS: Final = (b"PK\x03\x04", b"PK\x05\x06", b"Rar!", b"7z\xbc\xaf")
ENCRYPTED_FLAGS: Final = 0x1 | 0x40 | 0x2000
"""Encrypted data, strong encryption, hidden headers: bits of an entry's flags."""
UTF8_FLAG: Final = 0x800
UNICODE_PATH: Final = 0x7075
"""Kind of the extra field that holds a name in UTF-8 beside one in another encoding."""
DIRECTORY_BYTES_PER_ENTRY: Final = 1000
"""Room in the directory for an entry and a long name; what claims more is refused before it is read."""
CHUNK_BYTES: Final = 1 << 16

_END: Final = struct.Struct("<4sHHHHIIH")
_END_MAGIC: Final = b"PK\x05\x06"
_ZIP64_LOCATOR: Final = struct.Struct("<4sIQI")
_ZIP64_END: Final = struct.Struct("<4sQHHIIQQQQ")
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_EXTRA: Final = struct.Struct("<HH")
_LOCAL_MAGIC: Final = b"PK\x03\x04"
_ENTRY_MAGIC: Final = b"PK\x01\x02"


@dataclass(frozen=True)
class ArchiveLimits:
    """Where opening an archive stops; sizes in bytes, the ratio is unpacked to packed."""

    max_entries: int = 10_000
    max_ratio: int = 200
    max_total_bytes: int = 4_000_000_000
    max_entry_bytes: int = 200_000_000


@dataclass(frozen=True)
class ArchiveEntry:
    """A file in an archive and where its data lies; sizes in bytes."""

    archive: str
    name: str
    size: int
    packed_size: int
    method: int
    crc: int
    header_offset: int


@dataclass(frozen=True)
class ArchiveContents:
    """What an archive holds.

    Attributes:
        pages: the pictures in natural order, 2 before 10, folders as chapters; at least one.
        extras: all other files, such as ComicInfo.xml or Thumbs.db, in natural order too.
    """

    pages: list[ArchiveEntry]
    extras: list[ArchiveEntry]


def list_contents(file: BinaryIO, name: str, limits: ArchiveLimits | None = None) -> ArchiveContents:
    """Check an archive by its directory, unpacking nothing but the first bytes of each entry.

    Args:
        file: the archive; must be able to seek.
        name: what errors call it.
        limits: what is too large; the defaults of `ArchiveLimits` when None.

    Raises:
        BadArchiveError: no ZIP, damaged, encrypted, without pages, or an entry that is not safe.
        TooLargeError: more entries, bytes, or bytes per packed byte than the limits.
    """
    limits = limits or ArchiveLimits()
    count = _check_directory(file, name, limits)
    infos, directory_offset = _read_directory(file, name)
    if len(infos) != count:
        raise BadArchiveError(f"{name}: damaged: its directory claims {count} entries and lists {len(infos)}")
    entries = [_check_entry(info, name, limits) for info in infos]
    _check_whole(entries, directory_offset, name, limits)
    for entry in entries:
        if is_archive(entry.name, _peek(file, entry)):
            raise BadArchiveError(f"{name}: entry {entry.name!r} is an archive: unpack it first")
    files = sorted((entry for entry in entries if not entry.name.endswith("/")), key=lambda one: natural_key(one.name))
    pages = [entry for entry in files if is_page(entry.name)]
    if not pages:
        raise BadArchiveError(f"{name}: holds no pictures ({', '.join(READ_SUFFIXES)})")
    return ArchiveContents(pages, [entry for entry in files if not is_page(entry.name)])


def read_start(file: BinaryIO, entry: ArchiveEntry, most: int) -> bytes:
    """Unpack the first `most` bytes of a file, or all where it has fewer; nothing of it is checked.

    Raises:
        BadArchiveError: damaged.
    """
    return _unpack(file, entry, min(most, entry.size))


def read_entry(file: BinaryIO, entry: ArchiveEntry, limits: ArchiveLimits | None = None) -> bytes:
    """Unpack a file into memory; never more than its directory claims.

    Args:
        file: the archive that `list_contents` checked.
        entry: one of its answers.
        limits: what is too large; the defaults of `ArchiveLimits` when None.

    Raises:
        BadArchiveError: damaged, or more or less data than the directory claims.
        TooLargeError: over the limit for one entry.
    """
    limits = limits or ArchiveLimits()
    if entry.size > limits.max_entry_bytes:
        raise _entry_too_large(entry, limits)
    # One byte beyond what is claimed shows the lie.
    data = _unpack(file, entry, entry.size + 1)
    if len(data) != entry.size:
        more_or_less = "more" if len(data) > entry.size else "less"
        raise _bad(entry, f"holds {more_or_less} than the {entry.size} bytes that the directory claims")
    if zlib.crc32(data) != entry.crc:
        raise _bad(entry, "is damaged: its checksum (CRC-32) does not match")
    return data


def write_archive(out: BinaryIO, entries: Iterable[tuple[str, bytes]]) -> None:
    """Write an archive: entries as they come, stored without compression, the same bytes for the same entries.

    Args:
        out: where to; need not be able to seek.
        entries: names with '/' between folders, in any script, each once; and their data.

    Raises:
        NurieError: a name came twice or is not safe to unpack.
    """
    seen: set[str] = set()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries:
            if fault := name_fault(name):
                raise NurieError(f"archive entry {name!r}: {fault}")
            if name in seen:
                raise NurieError(f"archive entry {name!r} comes twice")
            seen.add(name)
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3  # Unix, wherever we run
            info.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data)


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """A sorting key that reads numbers as numbers and compares folder by folder."""
    parts = name.split("/")
    if parts[-1].lower().endswith(READ_SUFFIXES):
        parts[-1] = parts[-1].rpartition(".")[0]  # so that '1.png' comes before '1-2.png'
    # The name itself comes last, to part '1.png' from '01.png' and '1.jpg'.
    return (*(_natural_part(part) for part in parts), ((2, 0, name),))


def is_page(name: str) -> bool:
    """Whether an entry is a page by its name: a picture, and not one of the files that systems leave behind."""
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
    return not hidden and name.lower().endswith(READ_SUFFIXES)


def is_archive(name: str, start: bytes = b"") -> bool:
    """Whether a file is an archive, by its name or its first bytes."""
    return name.lower().endswith(ARCHIVE_SUFFIXES) or start.startswith(ARCHIVE_MAGICS)


def _natural_part(part: str) -> tuple[tuple[int, int, str], ...]:
    # NFKC makes full-width digits plain ones.
    tokens = re.split(r"([0-9]+)", unicodedata.normalize("NFKC", part).casefold())
    key: list[tuple[int, int, str]] = []
    for token in filter(None, tokens):
        if token[0] in "0123456789":
            digits = token.lstrip("0")  # compared by length first: like numbers, of any length
            key.append((0, len(digits), digits))
        else:
            key.append((1, 0, token))
    return tuple(key)


def _check_directory(file: BinaryIO, name: str, limits: ArchiveLimits) -> int:
    """Refuse a directory that is too long before its names are read; how many entries it claims."""
    file.seek(0, 2)
    file_size = file.tell()
    tail_start = max(0, file_size - _END.size - (1 << 16))  # its comment may be this long
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(_END_MAGIC)
    if at < 0 or len(tail) - at < _END.size:
        raise BadArchiveError(f"{name}: not a ZIP or CBZ archive, or cut off")
    _, _, _, _, count, size, _, _ = _END.unpack_from(tail, at)
    end = tail_start + at
    if at >= _ZIP64_LOCATOR.size and tail.startswith(b"PK\x06\x07", at - _ZIP64_LOCATOR.size):
        # As zipfile reads it: the longer record stands right before its locator.
        end -= _ZIP64_LOCATOR.size + _ZIP64_END.size
        file.seek(max(0, end))
        record = file.read(_ZIP64_END.size)
        if end < 0 or not record.startswith(b"PK\x06\x06"):
            raise BadArchiveError(f"{name}: damaged: its ZIP64 record is not where it should be")
        _, _, _, _, _, _, _, count, size, _ = _ZIP64_END.unpack(record)
    if count > limits.max_entries:
        raise TooLargeError(f"{name}: {count} entries are over the limit of {limits.max_entries}")
    if size > end:
        raise BadArchiveError(f"{name}: damaged: its directory is said to be larger than the file")
    if size > limits.max_entries * DIRECTORY_BYTES_PER_ENTRY:
        raise TooLargeError(f"{name}: its directory of {size} bytes is too long for {limits.max_entries} entries")
    file.seek(end - size)
    listed = file.read(size).count(_ENTRY_MAGIC)
    if listed > limits.max_entries:
        raise TooLargeError(f"{name}: {listed} entries are over the limit of {limits.max_entries}")
    return int(count)


def _read_directory(file: BinaryIO, name: str) -> tuple[list[zipfile.ZipInfo], int]:
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.infolist(), archive.start_dir
    except (NurieError, MemoryError):
        raise
    except Exception as error:  # zipfile raises many kinds on hostile directories
        raise BadArchiveError(f"{name}: not a ZIP or CBZ archive, or damaged ({error})") from error


def _check_entry(info: zipfile.ZipInfo, archive: str, limits: ArchiveLimits) -> ArchiveEntry:
    name = _decode_name(info)
    entry = ArchiveEntry(
        archive, name, info.file_size, info.compress_size, info.compress_type, info.CRC, info.header_offset
    )
    if fault := name_fault(name):
        raise _bad(entry, fault)
    if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _bad(entry, "is a link or a device, not a file")
    if info.flag_bits & ENCRYPTED_FLAGS:
        raise _bad(entry, "is encrypted: send the archive without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _bad(entry, f"is packed with method {info.compress_type}; we read stored (0) and deflate (8)")
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise _bad(entry, "is stored, yet its two sizes differ")
    if is_archive(name):
        raise _bad(entry, "is an archive: unpack it first")
    if info.file_size > limits.max_entry_bytes:
        raise _entry_too_large(entry, limits)
    if info.file_size > limits.max_ratio * info.compress_size:
        raise TooLargeError(
            f"{archive}: entry {name!r} unpacks {info.compress_size} bytes to {info.file_size}: "
            f"over the limit of {limits.max_ratio} times"
        )
    return entry


def _check_whole(entries: list[ArchiveEntry], directory_offset: int, archive: str, limits: ArchiveLimits) -> None:
    """Hold the limits for all entries together, and refuse entries that share names or data."""
    total = sum(entry.size for entry in entries)
    if total > limits.max_total_bytes:
        raise TooLargeError(f"{archive}: unpacks to {total} bytes, over the limit of {limits.max_total_bytes} bytes")
    packed = sum(entry.packed_size for entry in entries)
    if total > limits.max_ratio * packed:
        raise TooLargeError(f"{archive}: unpacks {packed} bytes to {total}: over the limit of {limits.max_ratio} times")
    seen: set[str] = set()
    for entry in entries:
        if entry.name in seen:
            raise _bad(entry, "is there twice")
        seen.add(entry.name)
    # Bombs without nesting let many entries share one piece of data (Fifield 2019).
    end = directory_offset
    for entry in sorted(entries, key=lambda entry: entry.header_offset, reverse=True):
        if entry.header_offset < 0 or entry.header_offset + _LOCAL.size + entry.packed_size > end:
            raise _bad(entry, "lies over another entry or outside the archive")
        end = entry.header_offset


def _decode_name(info: zipfile.ZipInfo) -> str:
    """An entry's name. Packers that do not mark their names as UTF-8 mostly write UTF-8 or, on Windows, cp932."""
    name = info.orig_filename
    if info.flag_bits & UTF8_FLAG or name.isascii():
        return name
    raw = name.encode("cp437")  # as zipfile decoded it
    if (told := _unicode_path(info.extra, raw)) is not None:
        return told
    for encoding in ("utf-8", "cp932"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return name


def _unicode_path(extra: bytes, raw_name: bytes) -> str | None:
    """The name in an Info-ZIP Unicode Path field (APPNOTE 4.6.9), where there is one and it belongs to this name."""
    while len(extra) >= _EXTRA.size:
        kind, size = _EXTRA.unpack_from(extra)
        field, extra = extra[_EXTRA.size : _EXTRA.size + size], extra[_EXTRA.size + size :]
        if kind == UNICODE_PATH and field[:5] == b"\x01" + zlib.crc32(raw_name).to_bytes(4, "little"):
            try:
                return field[5:].decode()
            except UnicodeDecodeError:
                return None
    return None


def name_fault(name: str) -> str | None:
    """What makes a name unsafe to unpack, or None."""
    parts = name.split("/")
    faults = {
        "has no name": not name,
        "has a control character in its name": any(ord(char) < 0x20 or ord(char) == 0x7F for char in name),
        "has a backslash in its name; folders are parted by '/'": "\\" in name,
        "has an absolute path": name.startswith("/") or re.match(r"[A-Za-z]:", name) is not None,
        "leads out of the archive with '..'": ".." in parts,
        "is called '.', which is the folder itself": parts[-1] == ".",
    }
    return next((fault for fault, is_so in faults.items() if is_so), None)


def _peek(file: BinaryIO, entry: ArchiveEntry) -> bytes:
    return _unpack(file, entry, 8) if entry.size else b""


def _unpack(file: BinaryIO, entry: ArchiveEntry, most: int) -> bytes:
    """At most `most` bytes of an entry's data, however much there is."""
    file.seek(entry.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MAGIC):
        raise _bad(entry, "is damaged: its header is not where the directory says")
    name_size, extra_size = _LOCAL.unpack(header)[-2:]
    file.seek(entry.header_offset + _LOCAL.size + name_size + extra_size)
    if entry.method == zipfile.ZIP_STORED:
        return file.read(min(most, entry.packed_size))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    data = bytearray()
    left = entry.packed_size
    try:
        while len(data) < most and not inflater.eof:
            packed = inflater.unconsumed_tail
            if not packed and left:
                packed = file.read(min(CHUNK_BYTES, left))
                left -= len(packed)
            if not packed:
                break
            data += inflater.decompress(packed, most - len(data))
    except zlib.error as error:
        raise _bad(entry, f"is damaged ({error})") from None
    return bytes(data)


def _bad(entry: ArchiveEntry, fault: str) -> BadArchiveError:
    return BadArchiveError(f"{entry.archive}: entry {entry.name!r} {fault}")


def _entry_too_large(entry: ArchiveEntry, limits: ArchiveLimits) -> TooLargeError:
    size = f"{entry.size} bytes unpacked"
    return TooLargeError(f"{entry.archive}: entry {entry.name!r}: {size} is over the limit of {limits.max_entry_bytes}")
