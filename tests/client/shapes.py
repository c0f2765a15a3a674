"""Chapters as teams have them, and what is expected of each: the shapes of the round-trip suite."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.client.pages import draw_page

INFO = b'<?xml version="1.0"?><ComicInfo><Title>Kuro 12</Title></ComicInfo>'
DATE = (2021, 3, 14, 15, 9, 26)

Name = str | bytes
"""Of an entry; bytes are written as they are, without saying in which encoding."""


@dataclass
class Shape:
    """A chapter, and what becomes of it.

    Attributes:
        files: what it holds, in order.
        expected: name of a file of the result, in order → name of the file that it comes of.
        grey: names of the pages that are coloured; all others come back byte for byte.
        options: of the command line.
    """

    files: dict[str, bytes]
    expected: dict[str, str]
    grey: list[str]
    options: list[str] = field(default_factory=list)
    build: "Builder | None" = None
    comment: bytes = b""
    raw_names: dict[str, bytes] = field(default_factory=dict)
    unicode_paths: bool = False
    deflated: bool = False
    tolerance: int = 0

    def make(self, folder: Path) -> list[Path]:
        """Put it there; what to name on the command line."""
        return (self.build or _as_archive)(self, folder)


Builder = Callable[[Shape, Path], list[Path]]


def chapter(*names: str, start: int = 1, **others: bytes) -> dict[str, bytes]:
    """Grey pages of these names, in the formats that their suffixes say."""
    kinds = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "bmp": "BMP", "tif": "TIFF", "gif": "GIF"}
    return {
        name: draw_page(number, kind=kinds[name.rpartition(".")[2].lower()]) for number, name in enumerate(names, start)
    } | others


def same(files: dict[str, bytes]) -> dict[str, str]:
    return {name: name for name in files}


def simple(*names: str, extras: dict[str, bytes] | None = None, **options: object) -> Shape:
    """PNG pages and other files; names stay as they are."""
    files = chapter(*names) | (extras or {})
    return Shape(files, same(files), list(names), **options)  # type: ignore[arg-type]


def renamed(files: dict[str, bytes], grey: list[str], **expected: str) -> Shape:
    return Shape(files, expected, grey)


def _as_archive(shape: Shape, folder: Path, name: str = "ch12.cbz") -> list[Path]:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.comment = shape.comment
        for entry, data in shape.files.items():
            info = zipfile.ZipInfo(entry, DATE)
            if raw := shape.raw_names.get(entry):
                info = _Raw(entry, DATE, raw)
                if shape.unicode_paths:
                    field_ = b"\x01" + struct.pack("<I", zlib.crc32(raw)) + entry.encode()
                    info.extra = struct.pack("<HH", 0x7075, len(field_)) + field_
            info.compress_type = zipfile.ZIP_DEFLATED if shape.deflated else zipfile.ZIP_STORED
            archive.writestr(info, data)
    return [path]


class _Raw(zipfile.ZipInfo):
    """An entry whose name is written in bytes that nothing says the encoding of."""

    def __init__(self, name: str, date: tuple[int, int, int, int, int, int], raw: bytes) -> None:
        super().__init__(name, date)
        self._raw = raw

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802  zipfile's
        return self._raw, self.flag_bits


def as_folder(shape: Shape, folder: Path) -> list[Path]:
    for name, data in shape.files.items():
        path = folder / "ch12" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return [folder / "ch12"]


def as_pages(shape: Shape, folder: Path) -> list[Path]:
    paths = []
    for name, data in shape.files.items():
        paths.append(folder / name)
        paths[-1].write_bytes(data)
    return paths


def as_zip(shape: Shape, folder: Path) -> list[Path]:
    return _as_archive(shape, folder, "ch12.zip")


def in_cp932(*names: str) -> dict[str, bytes]:
    return {name: name.encode("cp932") for name in names}


def _shapes() -> dict[str, Shape]:
    coloured = draw_page(900, colour=True)
    wide = draw_page(901, (170, 84))
    jpeg_names = ("001.jpg", "002.jpeg", "003.JPG")
    mixed = chapter("1.png", "2.jpg", "3.webp", "4.bmp", "5.tif", "6.gif", "7.jpeg")
    japanese = ("第12話/表紙.png", "第12話/ソ連.png", "第12話/予告.png")
    blank = draw_page(7)
    big = bytes(range(256)) * 5000
    collision = chapter("001.jpg", "1.png", "001.png")
    by_case = chapter("Page.jpg", "page.png")
    return {
        "plain pages": simple("001.png", "002.png", "003.png"),
        "numbers without zeros": simple("1.png", "2.png", "10.png", "11.png"),
        "not in reading order": simple("003.png", "001.png", "002.png"),
        "nested folders": simple("vol1/ch1/1.png", "vol1/ch1/2.png", "vol1/ch2/1.png", "vol2/ch1/1.png"),
        "one deep folder": simple("Kuro/Vol. 3/Chapter 12/scans/01.png", "Kuro/Vol. 3/Chapter 12/scans/02.png"),
        "JPEG into PNG": Shape(
            chapter(*jpeg_names),
            {"001.png": "001.jpg", "002.png": "002.jpeg", "003.png": "003.JPG"},
            list(jpeg_names),
        ),
        "JPEG into JPEG": Shape(
            chapter(*jpeg_names), {name: name for name in jpeg_names}, list(jpeg_names),
            options=["--format", "jpeg"], tolerance=90,
        ),
        "PNG into WebP": Shape(
            chapter("1.png", "2.png"), {"1.webp": "1.png", "2.webp": "2.png"}, ["1.png", "2.png"],
            options=["--format", "webp"], tolerance=90,
        ),
        "mixed formats": Shape(mixed, {f"{name.partition('.')[0]}.png": name for name in mixed}, list(mixed)),
        "capital suffixes": simple("001.PNG", "002.Png"),
        "Shift-JIS names": simple(*japanese, raw_names=in_cp932(*japanese)),
        "UTF-8 names": simple(*japanese),
        "UTF-8 names that nothing says": simple(*japanese, raw_names={name: name.encode() for name in japanese}),
        "names in a Unicode Path field": simple(
            *japanese, raw_names={name: name.encode("cp932") for name in japanese}, unicode_paths=True
        ),
        "Thumbs.db and desktop.ini": simple(
            "01.png", "02.png", extras={"Thumbs.db": b"\xd0\xcf\x11\xe0", "desktop.ini": b"[.ShellClassInfo]"}
        ),
        "left behind by a Mac": simple(
            "ch/01.png", extras={"__MACOSX/ch/._01.png": b"\0\5\x16\7", "ch/.DS_Store": b"\0\0\0\1Bud1"}
        ),
        "ComicInfo.xml": simple("01.png", "02.png", extras={"ComicInfo.xml": INFO}),
        "ComicInfo.xml in a folder, and a comment": simple(
            "ch/01.png", extras={"ch/ComicInfo.xml": INFO}, comment=b'{"ComicBookInfo/1.0": {}}'
        ),
        "entries for folders": Shape(
            {"ch/": b"", "ch/01.png": draw_page(1), "ch/empty/": b""},
            {"ch/": "ch/", "ch/01.png": "ch/01.png", "ch/empty/": "ch/empty/"}, ["ch/01.png"],
        ),
        "001.jpg, 1.png and 001.png": Shape(
            collision, {"001.png": "001.jpg", "1.png": "1.png", "001_2.png": "001.png"}, list(collision)
        ),
        "names that differ in case": Shape(
            by_case, {"Page.png": "Page.jpg", "page_2.png": "page.png"}, list(by_case)
        ),
        "a page beside its copy in colour": Shape(
            {"01.jpg": draw_page(1, kind="JPEG"), "01.png": coloured},
            {"01_2.png": "01.jpg", "01.png": "01.png"}, ["01.jpg"],
        ),
        "colour pages among grey ones": Shape(
            {"00.png": coloured, **chapter("01.png", "02.png"), "03.jpg": draw_page(902, kind="JPEG", colour=True)},
            same({"00.png": b"", "01.png": b"", "02.png": b"", "03.jpg": b""}), ["01.png", "02.png"],
        ),
        "nothing but colour": Shape(
            {"1.png": coloured, "2.webp": draw_page(903, kind="WEBP", colour=True)},
            same({"1.png": b"", "2.webp": b""}), [],
        ),
        "double-page spreads": Shape(
            {"001.png": draw_page(1), "002-003.png": wide, "004.png": draw_page(2)},
            same({"001.png": b"", "002-003.png": b"", "004.png": b""}), ["001.png", "002-003.png", "004.png"],
        ),
        "pages of all sizes": Shape(
            {"1.png": draw_page(1, (16, 300)), "2.png": draw_page(2, (400, 20)), "3.png": draw_page(3, (33, 33))},
            same({"1.png": b"", "2.png": b"", "3.png": b""}), ["1.png", "2.png", "3.png"],
        ),
        "blank pages, all alike": Shape(
            {f"{number}.png": blank for number in range(1, 6)},
            {f"{number}.png": f"{number}.png" for number in range(1, 6)}, [f"{number}.png" for number in range(1, 6)],
        ),
        "deflated": simple("01.png", extras={"credits.txt": b"scans: night\n" * 400}, deflated=True),
        "archives beside the pages": simple("01.png", extras={"fonts.zip": b"PK\3\4", "raw.txt": b"Rar! what a day"}),
        "large and empty extras": simple("01.png", extras={"font.otf": big, "notes.txt": b""}),
        "odd names": simple("a b #1 100%.png", "[Group] Kuro & Co (2021) – 02 ★.png", "c&d;e=f+g.png", "🌸.png"),
        "very long names": simple("x" * 210 + "1.png", "y" * 60 + "/" + "z" * 180 + "2.png"),
        "names for other systems": simple("what? who: where.png", "tell*me|all.png"),
        "a ZIP stays one": simple("1.png", "2.png", build=as_zip),
        "a folder": simple(
            "1.png", "sub/2.png", extras={"ComicInfo.xml": INFO, "sub/notes.txt": b"n"}, build=as_folder
        ),
        "a folder into an archive": simple(
            "1.png", "2.png", "10.png", extras={"ComicInfo.xml": INFO}, build=as_folder, options=["-o", "out.cbz"]
        ),
        "loose pages": simple("b.png", "a.png", build=as_pages),
        "loose pages into an archive": simple("b.png", "a.png", build=as_pages, options=["-o", "out.cbz"]),
        "one page": Shape(
            chapter("7.png"), {"7.jpg": "7.png"}, ["7.png"], build=as_pages, options=["-o", "7.jpg"], tolerance=90
        ),
    }  # fmt: skip


SHAPES = _shapes()


def read_entries(path: Path) -> dict[str, bytes]:
    """What came back, by name, in order: of an archive, a folder, or a single page."""
    if path.is_dir():
        return {
            file.relative_to(path).as_posix(): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()
        }
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
            return {info.filename: archive.read(info) for info in archive.infolist()}
    return {path.name: path.read_bytes()}
