"""Write the chapter to a folder: python -m samples --out DIR."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from samples.chapter import REFERENCE_PAGE, draw_chapter


def write_png(path: Path, picture_rgb: NDArray[np.uint8]) -> None:
    """Write a picture as small as PNG goes without loss."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(picture_rgb)
    picture.save(path, optimize=True)


def main() -> None:
    """Draw the chapter and write manga/, colour/ and reference.png."""
    parser = argparse.ArgumentParser(prog="python -m samples", description="Draw the sample chapter.")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--seed", type=int, default=1, help="decides what is left to chance")
    arguments = parser.parse_args()
    for page in draw_chapter(arguments.seed):
        write_png(arguments.out / "manga" / page.name, page.manga_rgb)
        write_png(arguments.out / "colour" / page.name, page.colour_rgb)
        if page.number == REFERENCE_PAGE:
            write_png(arguments.out / "reference.png", page.colour_rgb)


if __name__ == "__main__":
    main()
