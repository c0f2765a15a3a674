"""What the bench submits: drawn noise, as small as a small page."""

import io
import struct
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from bench.api.exchange import encode
from bench.api.house import House

PAGE_SIZE = (1000, 1400)
LARGE_PAGE_SIZE = (3000, 4200)
BOUNDARY = "nurie-bench"


def make_page(seed: int, *, coloured: bool = False, size: tuple[int, int] = PAGE_SIZE, quality: int = 85) -> bytes:
    """A JPEG of soft noise: about as large as a scanned page of this size."""
    rng = np.random.default_rng(seed)
    width, height = size
    coarse = rng.integers(0, 255, (height // 8, width // 8, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    (picture if coloured else picture.convert("L")).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def write_archive(file: Path, most_bytes: int) -> int:
    """Large pages in colour, no two of the same bytes, up to this size in all; how many there are."""
    page = make_page(1, coloured=True, size=LARGE_PAGE_SIZE, quality=97)
    count = most_bytes // (len(page) + 200)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for number in range(1, count + 1):
            # A comment segment behind the first marker.
            archive.writestr(f"{number:04d}.jpg", page[:2] + b"\xff\xfe" + struct.pack(">HI", 6, number) + page[2:])
    return count


def encode_submission(house: House, page: bytes, reference: bytes) -> bytes:
    """The request that submits a page and a reference, as multipart."""
    parts = {("pages", "001.jpg"): page, ("references", "reference.jpg"): reference}
    body = b"".join(
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for (field, name), data in parts.items()
    )
    body += f"--{BOUNDARY}--\r\n".encode()
    return encode(house, "POST", "/v1/jobs", body, Content_Type=f"multipart/form-data; boundary={BOUNDARY}")
