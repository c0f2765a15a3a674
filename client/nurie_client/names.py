"""Names of pages: which files are pictures, in which order they are read, and what a name in a ZIP means.

As the server has it (common/archives.py, which is not installed with the client); a test holds the two together.
"""

import os
import re
import struct
import unicodedata
import zipfile
import zlib
from typing import Final

PICTURE_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")
"""What the server reads."""
ARCHIVE_SUFFIXES: Final = (".cbz", ".zip")
FORMAT_SUFFIXES: Final = {"png": (".png",), "jpeg": (".jpg", ".jpeg"), "webp": (".webp",)}
"""By the parameter `format`: the suffixes of such a picture, ours first."""
OTHER_ARCHIVES: Final = (".rar", ".cbr", ".7z", ".cb7", ".tar", ".cbt")
LEFT_BEHIND: Final = ("__MACOSX",)
UTF8_FLAG: Final = 0x800
UNICODE_PATH: Final = 0x7075
_EXTRA: Final = struct.Struct("<HH")


def is_page(name: str) -> bool:
    """Whether a file is a page by its name: a picture, and not one of those that systems leave behind."""
    hidden = any(part.startswith(".") or part in LEFT_BEHIND for part in name.split("/"))
    return not hidden and name.lower().endswith(PICTURE_SUFFIXES)


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], ...]:
    """A sorting key that reads numbers as numbers, 2 before 10, and compares folder by folder."""
    parts = name.split("/")
    if parts[-1].lower().endswith(PICTURE_SUFFIXES):
        parts[-1] = parts[-1].rpartition(".")[0]  # so that '1.png' comes before '1-2.png'
    # The name itself comes last, to part '1.png' from '01.png' and '1.jpg'.
    return (*(_natural_part(part) for part in parts), ((2, 0, name),))


def _natural_part(part: str) -> tuple[tuple[int, int, str], ...]:
    key: list[tuple[int, int, str]] = []
    # NFKC makes full-width digits plain ones.
    for token in filter(None, re.split(r"([0-9]+)", unicodedata.normalize("NFKC", part).casefold())):
        if token[0] in "0123456789":
            digits = token.lstrip("0")  # compared by length first: like numbers, of any length
            key.append((0, len(digits), digits))
        else:
            key.append((1, 0, token))
    return tuple(key)


def decode_name(info: zipfile.ZipInfo) -> str:
    """The name of a file in a ZIP. Packers that do not mark theirs as UTF-8 mostly write UTF-8, or cp932 in Japan."""
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
    """The name in an Info-ZIP Unicode Path field (APPNOTE 4.6.9), where it belongs to this name."""
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
    """What makes a name in an archive unsafe to write as a file, or None."""
    if not name or any(ord(char) < 0x20 or ord(char) == 0x7F for char in name):
        return "has no name, or a control character in it"
    if "\\" in name or name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "has an absolute path, or one with backslashes"
    if {"..", "."} & set(name.split("/")):
        return "leads out of the archive"
    return None


def with_format(name: str, suffix: str) -> str:
    """A page's name with the suffix of the picture that it is now; as it was where that says the same.

    Args:
        name: `ch1/001.jpg`.
        suffix: of the result, such as `.png`.
    """
    stem, dot, old = name.rpartition(".")
    same = next((suffixes for suffixes in FORMAT_SUFFIXES.values() if suffix in suffixes), (suffix,))
    return name if f"{dot}{old}".lower() in same else f"{stem}{suffix}"


def format_suffix(start: bytes) -> str:
    """The suffix of a picture by its first bytes, at least 12: what the server makes is one of three formats."""
    if start.startswith(b"\xff\xd8"):
        return ".jpg"
    return ".webp" if start[:4] == b"RIFF" and start[8:12] == b"WEBP" else ".png"


def readable(name: str) -> str:
    """A name that is no UTF-8 on this disk, as files have that were unpacked of a Japanese archive, in Unicode."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return os.fsencode(name).decode("cp932", "replace")
    return name


def free_name(name: str, taken: set[str]) -> str:
    """`1.jpg` and `1.png` both become `1.png`: the second one is called `1_2.png`, which is sorted behind it.

    Names that some system takes for the same are the same: in other case, or composed in another way. The name that
    is returned is taken from then on.
    """
    folder, slash, last = name.rpartition("/")
    stem, dot, suffix = last.rpartition(".")
    count, free = 1, name
    while _folded(free) in taken:
        count += 1
        free = f"{folder}{slash}{stem}_{count}{dot}{suffix}" if dot else f"{name}_{count}"
    taken.add(_folded(free))
    return free


def _folded(name: str) -> str:
    normal = unicodedata.normalize("NFC", name).casefold()
    return unicodedata.normalize("NFC", normal)
