"""The pages that the house is measured with."""

import io
import zipfile

from PIL import Image

from embedded.services import ROOT

SAMPLE = ROOT / "samples" / "chapter"
PAGE_PX = (1028, 1460)
"""1.5 megapixels, portrait."""
OUT = ROOT / "out" / "bench-house"


def chapter_of_twenty() -> bytes:
    """The sample's manga pages at 1.5 MP over and over, no two alike, so that none is linked from another."""
    pages = [Image.open(path).convert("L").resize(PAGE_PX) for path in sorted((SAMPLE / "manga").glob("*.png"))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for number in range(20):
            page = pages[number % len(pages)].copy()
            page.putpixel((0, 0), number)
            picture = io.BytesIO()
            page.save(picture, "PNG")
            file.writestr(f"{number:03}.png", picture.getvalue())
    return buffer.getvalue()
