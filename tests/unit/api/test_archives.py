"""Archives from outside: hostile ones are refused unopened. Archives of ours: the same bytes each time."""

import io
import random
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable

import pytest

from common.archives import (
    ArchiveEntry,
    ArchiveLimits,
    is_page,
    list_contents,
    natural_key,
    read_entry,
    read_start,
    write_archive,
)
from common.errors import BadArchiveError, NurieError, TooLargeError

NAME = "第一話.cbz"
DATA = random.Random(7).randbytes(3000)
LIMITS = ArchiveLimits()


def zipped(*entries: str | zipfile.ZipInfo, data: bytes = DATA, method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for entry in entries:
            archive.writestr(entry, data)
    return buffer.getvalue()


def listed(data: bytes, limits: ArchiveLimits | None = None) -> list[str]:
    return [entry.name for entry in list_contents(io.BytesIO(data), NAME, limits).pages]


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    assert len(old) == len(new)
    return data.replace(old, new)


def patched_entry(data: bytes, offset: int, new: bytes) -> bytes:
    """The archive with bytes changed at an offset into the directory's first entry."""
    at = data.index(b"PK\x01\x02") + offset
    return data[:at] + new + data[at + len(new) :]


def patched_end(data: bytes, offset: int, new: bytes) -> bytes:
    at = data.rindex(b"PK\x05\x06") + offset
    return data[:at] + new + data[at + len(new) :]


def refused(data: bytes, error: type[NurieError], *parts: str, limits: ArchiveLimits | None = None) -> None:
    """The archive is refused, by an error that names it and each of the parts."""
    with pytest.raises(error) as caught:
        list_contents(io.BytesIO(data), NAME, limits)
    assert type(caught.value) is error
    assert str(caught.value).startswith(f"{NAME}: ")
    for part in parts:
        assert part in str(caught.value)


# --- what is a page, and in which order ---


def test_pages_come_in_natural_order_and_other_files_are_left_out() -> None:
    names = [
        "ch10/1.png", "ch2/10.jpg", "ch2/2.webp", "ch2/ComicInfo.xml", "Thumbs.db", ".DS_Store", "ch2/._2.webp",
        "__MACOSX/ch2/1.png", "ch2/.hidden/3.png", "ch2/", "readme.txt", "COVER.PNG", "ch2/3.TIFF",
    ]  # fmt: skip
    assert listed(zipped(*names)) == ["ch2/2.webp", "ch2/3.TIFF", "ch2/10.jpg", "ch10/1.png", "COVER.PNG"]


@pytest.mark.parametrize(
    "ordered",
    [
        ["1.png", "2.png", "10.png", "100.png"],
        ["page 1.png", "Page 2.png", "page 10.png"],
        ["1.png", "1-2.png", "1a.png", "2.png"],
        ["ch 1/9.png", "ch 1.5/1.png", "ch 2/1.png", "ch 10/1.png"],
        ["001.png", "002.png", "10.png"],
        ["第1話/1.png", "第2話/1.png", "第１０話/1.png"],
        ["a/2/1.png", "a/10/1.png", "b.png"],
        ["v1 c2.png", "v1 c10.png", "v2 c1.png"],
        [f"{'9' * 5000}.png", f"1{'0' * 5000}.png"],
        ["0.png", "00.png", "1.png"],
    ],
)
def test_numbers_in_names_count_as_numbers(ordered: list[str]) -> None:
    shuffled = ordered[:]
    random.Random(1).shuffle(shuffled)
    assert sorted(shuffled, key=natural_key) == ordered


def test_names_that_differ_have_keys_that_differ() -> None:
    names = ["1.png", "01.png", "1.jpg", "1/.png", "A.png", "a.png", "１.png", "a/b.png", "a.png/b.png"]
    assert len({natural_key(name) for name in names}) == len(names)
    assert len(sorted(names, key=natural_key)) == len(names)


def test_what_is_a_page() -> None:
    assert all(map(is_page, ("a.png", "x/B.JPEG", "第一話.webp", "a.tif")))
    assert not any(map(is_page, ("a.svg", ".a.png", "__MACOSX/a.png", "a.png/", "png", "a.avif")))


@pytest.mark.parametrize("encoding", ["utf-8", "cp932"])
def test_names_that_are_not_marked_as_utf8_are_read(encoding: str) -> None:
    # In cp932 the second byte of ソ and 表 is a backslash.
    name = "第一話/ソード表紙.png"
    raw = name.encode(encoding)
    data = zipped("x" * (len(raw) - 4) + ".png").replace(b"x" * (len(raw) - 4) + b".png", raw)
    assert listed(data) == [name]


@pytest.mark.parametrize(("belongs", "read"), [(b"x.png", "第一話.png"), (b"y.png", "é.png")])
def test_a_unicode_path_beside_a_name_counts_if_it_belongs_to_it(belongs: bytes, read: str) -> None:
    raw = "é.png".encode("cp437")  # as a packer on Windows writes it
    field = b"\x01" + zlib.crc32(raw if belongs == b"x.png" else belongs).to_bytes(4, "little") + "第一話.png".encode()
    info = zipfile.ZipInfo("x.png")
    info.extra = b"\x01\x00\x02\x00ab" + struct.pack("<HH", 0x7075, len(field)) + field
    data = zipped(info).replace(b"x.png", raw)
    assert listed(data) == [read]


def test_files_that_are_no_pages_are_listed_apart_and_folders_not_at_all() -> None:
    data = zipped("a/", "a/1.png", "a/ComicInfo.xml", "Thumbs.db", "a/._1.png", "b/")
    contents = list_contents(io.BytesIO(data), NAME)
    assert [entry.name for entry in contents.pages] == ["a/1.png"]
    assert [entry.name for entry in contents.extras] == ["a/._1.png", "a/ComicInfo.xml", "Thumbs.db"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_the_start_of_a_file_is_read_without_the_rest(method: int) -> None:
    file, page = page_of(zipped("1.png", method=method))
    assert read_start(file, page, 10) == DATA[:10]
    assert read_start(file, page, len(DATA) + 1) == DATA


def test_unicode_names_are_read() -> None:
    assert listed(zipped("第一話/頁 ½ 😀.png")) == ["第一話/頁 ½ 😀.png"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_pages_are_read_from_any_archive(method: int) -> None:
    contents = {"1.png": DATA, "2.png": b"", "3.png": b"ab" * 900}
    buffer = io.BytesIO(b"a program in front")
    buffer.seek(0, 2)
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
        archive.comment = b"a comment"
    pages = list_contents(buffer, NAME).pages
    assert {page.name: read_entry(buffer, page) for page in pages} == contents
    assert [page.size for page in pages] == [3000, 0, 1800]


def test_an_archive_with_data_descriptors_and_zip64_is_read() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    pipe = Pipe()
    with (
        zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("1.png", "w", force_zip64=True) as out,
    ):
        out.write(DATA)
    file = io.BytesIO(pipe.getvalue())
    assert read_entry(file, list_contents(file, NAME).pages[0]) == DATA


# --- what is refused ---


@pytest.mark.parametrize("data", [b"", b"PK", b"no archive at all" * 99, b"Rar!\x1a\x07\0" + bytes(99), bytes(99999)])
def test_what_is_no_zip_is_refused(data: bytes) -> None:
    refused(data, BadArchiveError, "not a ZIP or CBZ archive")


def test_truncated_archives_are_refused() -> None:
    data = zipped("1.png", "2.png")
    for cut in (1, 10, 21, 22, 60, 150, 3000, len(data) - 10):
        refused(data[:-cut], BadArchiveError)
    refused(data[100:], BadArchiveError)


def test_archives_without_pages_are_refused() -> None:
    refused(zipped(), BadArchiveError, "holds no pictures")
    refused(zipped("a.txt", "__MACOSX/1.png"), BadArchiveError, "holds no pictures", ".png")


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("../x.png", "'..'"),
        ("a/../../x.png", "'..'"),
        ("a/..", "'..'"),
        ("../notes.txt", "'..'"),
        ("/etc/x.png", "absolute"),
        ("//host/x.png", "absolute"),
        ("C:/x.png", "absolute"),
        ("c:x.png", "absolute"),
        ("a\\x.png", "backslash"),
        ("..\\x.png", "backslash"),
        ("a\nb.png", "control"),
        ("a\x7fb.png", "control"),
    ],
)
def test_unsafe_names_are_refused(name: str, fault: str) -> None:
    refused(zipped("ok.png", name), BadArchiveError, f"entry {name!r}", fault)
    with pytest.raises(NurieError, match="archive entry"):
        write_archive(io.BytesIO(), [(name, b"")])


def test_names_with_nul_or_without_a_character_are_refused() -> None:
    refused(patched(zipped("a@b.png"), b"a@b.png", b"a\0b.png"), BadArchiveError, r"'a\x00b.png'", "control")
    refused(zipped(zipfile.ZipInfo("")), BadArchiveError, "no name")


@pytest.mark.parametrize("mode", [0o120777, 0o060666, 0o020666, 0o010666])
def test_links_and_devices_are_refused(mode: int) -> None:
    info = zipfile.ZipInfo("link.png")
    info.external_attr = mode << 16
    refused(zipped("ok.png", info), BadArchiveError, "'link.png'", "is a link or a device")


@pytest.mark.parametrize("flag", [0x1, 0x40, 0x2000])
def test_encrypted_archives_are_refused(flag: int) -> None:
    refused(patched_entry(zipped("1.png"), 8, struct.pack("<H", flag)), BadArchiveError, "'1.png'", "encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packing_methods_are_refused(method: int) -> None:
    refused(zipped("1.png", method=method), BadArchiveError, "'1.png'", f"method {method}", "deflate (8)")


@pytest.mark.parametrize("suffix", ["zip", "CBZ", "rar", "cbr", "7z", "tar", "tar.gz", "gz", "tgz"])
def test_archives_in_archives_are_refused_by_name(suffix: str) -> None:
    refused(zipped("1.png", f"more.{suffix}"), BadArchiveError, f"'more.{suffix}'", "is an archive")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("inner", [zipped("1.png"), zipped(), b"Rar!\x1a\x07\0", b"7z\xbc\xaf\x27\x1c\0"])
@pytest.mark.parametrize("name", ["2.png", "notes"])
def test_archives_in_archives_are_refused_by_what_they_hold(inner: bytes, method: int, name: str) -> None:
    refused(zipped(name, data=inner, method=method), BadArchiveError, f"'{name}'", "is an archive")


def test_too_many_entries_are_refused_before_their_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"{number}.png" for number in range(10_001)]
    assert len(listed(zipped(*names[:-1], data=b"x"))) == 10_000
    data = zipped(*names, data=b"x")

    def never(*_: object) -> None:
        raise AssertionError("names were read")

    monkeypatch.setattr(zipfile, "ZipFile", never)
    refused(data, TooLargeError, "10001 entries", "limit of 10000")
    # The same when the count lies: the directory itself is counted.
    lying = patched_end(data, 8, struct.pack("<HH", 5, 5))
    refused(lying, TooLargeError, "10001 entries", "limit of 10000")


def test_a_huge_count_in_zip64_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    data = zipped("1.png", "2.png")
    assert b"PK\x06\x06" in data
    assert listed(data) == ["1.png", "2.png"]
    at = data.index(b"PK\x06\x06") + 24
    huge = data[:at] + struct.pack("<QQ", 2**60, 2**60) + data[at + 16 :]
    refused(huge, TooLargeError, f"{2**60} entries", "limit of 10000")
    refused(patched(data, b"PK\x06\x06", b"PK\x06\x09"), BadArchiveError, "ZIP64")


def test_a_directory_that_lies_about_itself_is_refused() -> None:
    data = zipped("1.png", "2.png", "3.png")
    refused(patched_end(data, 8, struct.pack("<HH", 2, 2)), BadArchiveError, "claims 2 entries and lists 3")
    refused(patched_end(data, 8, struct.pack("<HH", 4, 4)), BadArchiveError, "claims 4 entries and lists 3")
    refused(patched_end(data, 12, struct.pack("<I", 2**31)), BadArchiveError, "larger than the file")
    limits = ArchiveLimits(max_entries=3)
    refused(patched_end(data, 12, struct.pack("<I", 3001)), TooLargeError, "3001 bytes", "3 entries", limits=limits)
    refused(patched_entry(data, 0, b"PK\x01\x09"), BadArchiveError)


def test_bombs_are_refused_by_their_ratio() -> None:
    zeros = zipped("1.png", data=bytes(10_000_000), method=zipfile.ZIP_DEFLATED)
    refused(zeros, TooLargeError, "'1.png'", "10000000", "limit of 200 times")
    # A lie about the packed size ends where the data of an entry would run into the directory.
    refused(patched_entry(zeros, 20, struct.pack("<I", 9_000_000)), BadArchiveError, "'1.png'", "outside")
    refused(zipped("1.png"), TooLargeError, "limit of 0 times", limits=ArchiveLimits(max_ratio=0))


def test_bombs_are_refused_by_their_size() -> None:
    data = zipped("1.png", "2.png")
    assert listed(data, ArchiveLimits(max_total_bytes=6000, max_entry_bytes=3000)) == ["1.png", "2.png"]
    refused(data, TooLargeError, "6000 bytes", "limit of 5999", limits=ArchiveLimits(max_total_bytes=5999))
    refused(data, TooLargeError, "'1.png'", "3000 bytes", "2999", limits=ArchiveLimits(max_entry_bytes=2999))
    claim = struct.pack("<II", 200_000_001, 200_000_001)
    refused(patched_entry(data, 20, claim), TooLargeError, "'1.png'", "200000001 bytes", "limit of 200000000")


def test_names_that_come_twice_are_refused() -> None:
    data = patched(zipped("1.png", "2.png"), b"2.png", b"1.png")
    refused(data, BadArchiveError, "'1.png'", "twice")


def test_entries_that_share_data_are_refused() -> None:
    data = zipped("1.png", "2.png")
    second = data.rindex(b"PK\x01\x02") + 42
    shared = data[:second] + struct.pack("<I", 0) + data[second + 4 :]
    refused(shared, BadArchiveError, "over another entry")


def test_an_entry_that_is_not_where_the_directory_says_is_refused() -> None:
    refused(b"XX" + zipped("1.png")[2:], BadArchiveError, "'1.png'", "header")


def test_sizes_of_a_stored_entry_must_agree() -> None:
    refused(patched_entry(zipped("1.png"), 24, struct.pack("<I", 2999)), BadArchiveError, "'1.png'", "sizes differ")


def test_no_change_of_a_byte_gets_past_as_another_error() -> None:
    rng = random.Random(3)
    whole = zipped("1.png", "第2.png", data=b"ab" * 40, method=zipfile.ZIP_DEFLATED)
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        file = io.BytesIO(bytes(data[: rng.choice((len(data), len(data), rng.randrange(len(data))))]))
        try:
            for page in list_contents(file, NAME).pages:
                read_entry(file, page)
        except (BadArchiveError, TooLargeError) as error:
            assert str(error).startswith(NAME)


# --- reading ---


def page_of(data: bytes) -> tuple[io.BytesIO, ArchiveEntry]:
    file = io.BytesIO(data)
    return file, list_contents(file, NAME).pages[0]


def test_an_entry_that_holds_more_than_it_claims_is_refused_without_unpacking_it() -> None:
    bomb = zipped("1.png", data=bytes(50_000_000), method=zipfile.ZIP_DEFLATED)
    file, page = page_of(patched_entry(bomb, 24, struct.pack("<I", 1000)))
    tracemalloc.start()
    with pytest.raises(BadArchiveError, match=r"'1.png' holds more than the 1000 bytes"):
        read_entry(file, page)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_an_entry_that_holds_less_than_it_claims_is_refused() -> None:
    data = zipped("1.png", method=zipfile.ZIP_DEFLATED)
    file, page = page_of(patched_entry(data, 24, struct.pack("<I", 3001)))
    with pytest.raises(BadArchiveError, match=r"'1.png' holds less than the 3001 bytes"):
        read_entry(file, page)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_wrong_checksum_is_refused(method: int) -> None:
    data = zipped("1.png", method=method)
    file, page = page_of(patched_entry(data, 16, struct.pack("<I", zlib.crc32(DATA) ^ 1)))
    with pytest.raises(BadArchiveError, match=r"'1.png' is damaged: its checksum"):
        read_entry(file, page)


def test_damaged_data_is_refused() -> None:
    data = bytearray(zipped("1.png", data=b"ab" * 900, method=zipfile.ZIP_DEFLATED))
    data[35] = 0xFF
    file = io.BytesIO(bytes(data))
    with pytest.raises(BadArchiveError, match=r"'1.png' is damaged"):
        read_entry(file, list_contents(file, NAME).pages[0])


def test_the_limit_for_one_entry_holds_when_reading_too() -> None:
    file, page = page_of(zipped("1.png"))
    with pytest.raises(TooLargeError, match=r"'1.png': 3000 bytes unpacked is over the limit of 2999"):
        read_entry(file, page, ArchiveLimits(max_entry_bytes=2999))


def test_a_long_archive_is_listed_and_read_in_a_moment() -> None:
    data = zipped(*(f"{number}.png" for number in range(5000)), data=b"x" * 100)
    file = io.BytesIO(data)
    start = time.process_time()
    for page in list_contents(file, NAME).pages:
        read_entry(file, page)
    assert time.process_time() - start < 3


# --- writing ---


def test_what_is_written_is_stored_the_same_bytes_each_time_and_can_be_listed() -> None:
    entries = [("第一話/10.png", DATA), ("第一話/2.png", b""), ("ComicInfo.xml", b"<x/>")]
    first, second = io.BytesIO(), io.BytesIO()
    write_archive(first, entries)
    write_archive(second, iter(entries))
    assert first.getvalue() == second.getvalue()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        assert [(info.filename, archive.read(info)) for info in archive.infolist()] == entries
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o100644}
    assert listed(first.getvalue()) == ["第一話/2.png", "第一話/10.png"]


def test_an_archive_is_written_while_its_entries_come(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    written: list[int] = []
    makers: list[Callable[[], bytes]] = [lambda: DATA, lambda: DATA]

    def entries() -> object:
        for number, make in enumerate(makers):
            written.append(out.tell())
            yield f"{number}.png", make()

    write_archive(out, entries())  # type: ignore[arg-type]
    assert written[1] > len(DATA)


def test_a_name_that_comes_twice_is_not_written() -> None:
    with pytest.raises(NurieError, match=r"'a.png' comes twice"):
        write_archive(io.BytesIO(), [("a.png", b"1"), ("a.png", b"2")])
