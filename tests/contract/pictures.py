"""Small pictures without a library that draws them: this environment has none."""

import struct
import zlib

WIDTH, HEIGHT = 8, 6


def make_png(red: int, green: int, blue: int) -> bytes:
    """A PNG of one colour, RGB 0..255."""
    rows = b"".join(b"\0" + bytes((red, green, blue)) * WIDTH for _ in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


COLOURED, GREY = make_png(200, 40, 40), make_png(120, 120, 120)
