"""Pages to send: drawn noise, small, in grey or in colour."""

import io

import numpy as np
from PIL import Image


def picture(seed: int, *, coloured: bool = False) -> bytes:
    """A PNG of 40×60 px."""
    rng = np.random.default_rng(seed)
    channels = rng.integers(0, 255, (60, 40, 3 if coloured else 1), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.broadcast_to(channels, (60, 40, 3)).copy()).save(buffer, "PNG")
    return buffer.getvalue()
