"""Small drawn pages, each unlike every other; grey ones, and some in colour."""

import io
import random

from PIL import Image, ImageDraw

TINT = (0.7, 0.8, 1.0)
"""What the test stages make of a page's channels (tests/chaos/stages.py)."""
INK = 40


def draw_page(seed: int, size: tuple[int, int] = (60, 84), kind: str = "PNG", *, colour: bool = False) -> bytes:
    """A picture of `size`, (width, height) in pixels, in a format of Pillow's."""
    chance = random.Random(seed)
    picture = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        left, top = chance.randrange(size[0]), chance.randrange(size[1])
        grey = chance.randrange(INK, 240)
        fill = (230, chance.randrange(60), chance.randrange(120)) if colour else (grey, grey, grey)
        draw.ellipse([left, top, left + chance.randrange(8, 40), top + chance.randrange(8, 40)], fill=fill)
    out = io.BytesIO()
    picture.save(out, kind)
    return out.getvalue()


def expect_coloured(source: bytes) -> Image.Image:
    """What the test stages make of a page."""
    channels = Image.open(io.BytesIO(source)).convert("RGB").split()
    return Image.merge(
        "RGB",
        [
            channel.point([int(value * share) for value in range(256)])
            for channel, share in zip(channels, TINT, strict=True)
        ],
    )


def is_same_picture(data: bytes, expected: Image.Image, tolerance: int = 0) -> bool:
    """Whether a picture has these pixels, each channel within `tolerance`, or nearly so where it was packed lossily."""
    found = Image.open(io.BytesIO(data)).convert("RGB")
    if found.size != expected.size:
        return False
    worst = max(high for _, high in Image.frombytes("RGB", found.size, _apart(found, expected)).getextrema())
    return worst <= tolerance


def _apart(one: Image.Image, other: Image.Image) -> bytes:
    return bytes(abs(a - b) for a, b in zip(one.tobytes(), other.tobytes(), strict=True))
