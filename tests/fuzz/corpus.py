"""The fixed corpus: drawn pictures in every format, archives of every shape, and what malice makes of them.

All from one seed: the same inputs on every machine. `python -m tests.fuzz.corpus` reads them all, and prints the most
memory that it needed. What fuzzing has found once stands in `FOUND`.
"""

import io
import random
import resource
import struct
import warnings
import zipfile
from collections.abc import Iterator
from typing import Final

import numpy as np
from PIL import Image

from tests.fuzz.readers import READERS

SEED: Final = 8
DAMAGED: Final = 40
"""So many damaged versions are made of each whole input."""
FOUND: Final[dict[str, list[str]]] = {"archive": [], "picture": []}
"""Inputs that were once read wrongly, in hexadecimal."""

PICTURES: Final = (
    ("PNG", "L", {}), ("PNG", "RGB", {}), ("PNG", "RGBA", {}), ("PNG", "P", {}), ("PNG", "1", {}), ("PNG", "I;16", {}),
    ("JPEG", "L", {}), ("JPEG", "RGB", {}), ("JPEG", "CMYK", {}), ("JPEG", "RGB", {"progressive": True}),
    ("WEBP", "RGB", {}), ("WEBP", "RGBA", {"lossless": True}), ("BMP", "RGB", {}), ("BMP", "P", {}), ("GIF", "P", {}),
    ("TIFF", "RGB", {}), ("TIFF", "RGB", {"compression": "tiff_lzw"}), ("TIFF", "1", {"compression": "group4"}),
    ("TIFF", "L", {"compression": "tiff_adobe_deflate"}), ("TIFF", "CMYK", {"compression": "jpeg"}),
    ("TIFF", "F", {}), ("TIFF", "LAB", {}),
)  # fmt: skip
NAMES: Final = (
    ("1.png",), ("1.png", "10.png", "2.png"), ("ch1/1.png", "ch1/ComicInfo.xml", "Thumbs.db"), ("第一話/ソード表.png",),
    ("../1.png", "2.png"), ("/etc/1.png",), ("C:/1.png",), ("a\\1.png",), ("a//1.png", "a/./2.png"), ("a/../../b.png",),
    ("1.png", "1.png"), ("1.png", "inner.zip"), ("readme.txt",), ("a\x001.png",), ("con.png", "aux.png "),
    ("x" * 5000 + ".png",), ("..",), ("../",), ("./..//../1.png",), (".png",), ("~/1.png",), ("1.png/",),
    ("1.png", "."), ("1.png", "a/."),
    ("\u202e1.png",),
)  # fmt: skip


def fixed_corpus() -> Iterator[tuple[str, bytes]]:
    """Pairs of a reader's name and an input for it."""
    rng = random.Random(SEED)
    for reader, whole in (("picture", list(_pictures())), ("archive", list(_archives()))):
        for data in [*whole, *(bytes.fromhex(text) for text in FOUND[reader])]:
            yield reader, data
            for _ in range(DAMAGED):
                yield reader, damage(data, rng)


def damage(data: bytes, rng: random.Random) -> bytes:
    """Cut, bytes changed, a piece doubled or taken out, or a number made very large."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5))):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(6):
            case 0:
                del changed[at:]
            case 1:
                changed[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                changed[at : at + 4] = struct.pack("<I", rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000)))
            case 3:
                changed[at:at] = changed[at : at + rng.randrange(64)]
            case 4:
                del changed[at : at + rng.randrange(64)]
            case 5:
                changed[at : at + 2] = struct.pack("<H", rng.choice((0, 1, 0xFFFF, 0x8000, 8)))
    return bytes(changed)


def _pictures() -> Iterator[bytes]:
    rng = np.random.default_rng(SEED)
    rgb = rng.integers(0, 255, (13, 21, 3), dtype=np.uint8)
    for picture_format, mode, options in PICTURES:
        buffer = io.BytesIO()
        drawn = Image.fromarray(rgb)
        picture = Image.fromarray(rgb[..., 0].astype(np.uint16) * 257) if mode == "I;16" else _converted(drawn, mode)
        picture.save(buffer, picture_format, **options)
        yield buffer.getvalue()
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", exif=exif)
    yield buffer.getvalue()
    frames = [Image.fromarray(rgb), Image.fromarray(255 - rgb)]
    for picture_format in ("GIF", "WEBP", "PNG", "TIFF"):
        buffer = io.BytesIO()
        frames[0].save(buffer, picture_format, save_all=True, append_images=frames[1:])
        yield buffer.getvalue()
    yield from (
        b"",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff\xe0",
        b"GIF89a",
        b"RIFF\xff\xff\xff\xffWEBPVP8X",
        b"MM\0*",
        b"BM",
    )


def _converted(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "LAB":
        return Image.frombytes("LAB", picture.size, picture.tobytes())
    return picture.convert(mode)


def _archives() -> Iterator[bytes]:
    rng = random.Random(SEED)
    for names in NAMES:
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            yield _zipped([(name, rng.randbytes(200)) for name in names], method)
    for raw in ("ソ表.png".encode("cp932"), "é.png".encode("cp437"), b"\xff\xfe.png"):
        yield _zipped([("x" * len(raw), b"data")]).replace(b"x" * len(raw), raw)
    yield _zipped([("1.png", bytes(4_000_000))], zipfile.ZIP_DEFLATED)  # a bomb
    yield _zipped([(f"{number}.png", b"") for number in range(1001)])  # an entry too many
    yield _zipped([("1.png", _zipped([("1.png", b"x")]))])  # one in another, under a picture's name
    link = zipfile.ZipInfo("1.png")
    link.external_attr = 0o120777 << 16
    yield _zipped([(link, b"/etc/passwd")])
    whole = _zipped([("1.png", b"a" * 100), ("2.png", b"b" * 100)])
    yield whole + whole  # two directories
    yield whole[:-2] + struct.pack("<H", len(whole)) + whole  # one in the other's comment
    yield b"MZ" * 100 + whole  # a program before it
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, archive.open("1.png", "w", force_zip64=True) as out:
        out.write(b"data")
    yield buffer.getvalue()
    yield from (b"", b"PK", b"PK\x05\x06" + bytes(18), b"Rar!\x1a\x07\x00", b"7z\xbc\xaf\x27\x1c")


def _zipped(files: list[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w", method) as archive:
        warnings.simplefilter("ignore")  # names that come twice are meant
        for name, data in files:
            info = name if isinstance(name, zipfile.ZipInfo) else _info(name, method)
            archive.writestr(info, data)
    return buffer.getvalue()


def _info(name: str, method: int) -> zipfile.ZipInfo:
    """Without the help of zipfile, which would mend some names, and warn of others."""
    info = zipfile.ZipInfo("x")
    info.filename, info.compress_type = name, method
    return info


def main() -> None:
    count = 0
    for reader, data in fixed_corpus():
        READERS[reader](data)
        count += 1
    print(f"{count} inputs, {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


if __name__ == "__main__":
    main()
