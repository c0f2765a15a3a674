"""What the bench submits: drawn noise, as small as a small page."""

import io

import numpy as np
from PIL import Image

from bench.api.exchange import encode
from bench.api.house import House

PAGE_SIZE = (1000, 1400)
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
