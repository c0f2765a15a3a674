"""How fast the room is, and how much memory it takes."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure
from bench.pages import least_s, turn_grey
from common.imaging import decode_image, encode_image
from common.lab import lab_to_rgb, rgb_to_lab
from workers.inknhue.aligner import Aligner
from workers.inknhue.paint import align_page, blend_page
from workers.inknhue.roughs import simulate_rough

ROOT = Path(__file__).parents[2]
PAGE_PX = (1028, 1460)
"""1.5 megapixels, portrait."""
LARGER_MP = (3, 6, 12)
MemoryCase = tuple[tuple[int, int], float | None]
MEMORY_CASES: Mapping[str, MemoryCase] = {
    "1.5 MP": (PAGE_PX, 1.5),
    "12 MP": ((2908, 4130), None),
    "a strip of 800×20,000 px": ((800, 20_000), 2.0),
}
"""Name → width and height in pixels, and the bar in GiB."""


def scale_page(colour: NDArray[np.uint8], size: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A grey page of a size (width, height), and a rough picture of it."""
    large = np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    page = turn_grey(large)
    return page, lab_to_rgb(simulate_rough(rgb_to_lab(large), page[..., 0], np.random.default_rng(0)))


def measure_embedded(colour: NDArray[np.uint8], aligner: Aligner, larger_mp: Sequence[int] = LARGER_MP) -> list[Figure]:
    """A page of 1.5 MP, another λ for it as the task runs it, and larger pages, in megapixels."""
    page, rough = scale_page(colour, PAGE_PX)

    def paint(page: NDArray[np.uint8], rough: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return blend_page(page, align_page(page, rough, aligner).rgb, rough)

    paint(page, rough)
    files = [encode_image(picture) for picture in (page, rough, align_page(page, rough, aligner).rgb)]

    def blend_again() -> None:
        page, rough, aligned = (decode_image(data, "") for data in files)
        encode_image(blend_page(page, aligned, rough, blend=0.35))

    seconds = {1.5: least_s(lambda: paint(page, rough))}
    blend_s = least_s(blend_again)
    for megapixels in larger_mp:
        side = (megapixels / 1.5) ** 0.5
        larger, its_rough = scale_page(colour, (round(PAGE_PX[0] * side), round(PAGE_PX[1] * side)))
        seconds[megapixels] = least_s(lambda page=larger, rough=its_rough: paint(page, rough))
    return [
        Figure("embedded: a page of 1.5 MP", seconds[1.5], "s", 3.0),
        Figure("another λ alone, 1.5 MP, pictures read and written", blend_s, "s", 0.5),
        *(Figure(f"embedded: a page of {size} MP", seconds[size], "s") for size in larger_mp),
        *(
            [
                Figure(
                    "embedded: time of 12 MP beside 3 MP, for four times the pixels", seconds[12] / seconds[3], "×", 4.6
                )
            ]
            if {3, 12} <= set(larger_mp)
            else []
        ),
    ]


def measure_memory(
    colour: NDArray[np.uint8], out: Path, sizes: Mapping[str, MemoryCase] = MEMORY_CASES
) -> list[Figure]:
    """Peak memory of a process that colours one page; a strip also its time."""
    figures = []
    for what, (size, bar) in sizes.items():
        peak_gib, seconds = _run_alone(*scale_page(colour, size), "embedded", out)
        figures.append(Figure(f"embedded: peak memory, {what}", peak_gib, "GiB", bar))
        if size[1] == 20_000:
            figures.append(Figure("embedded: that strip", seconds, "s"))
    return figures


def measure_official(out: Path) -> list[Figure]:
    """The official networks' size, with random weights, on this machine's processor or GPU."""
    page = np.random.default_rng(0).integers(0, 256, (*PAGE_PX[::-1], 3), dtype=np.uint8)
    peak_gib, seconds = _run_alone(turn_grey(page), page, "official", out)
    return [
        Figure("official size, random weights, shader included: a page of 1.5 MP", seconds, "s"),
        Figure("official size: peak memory, 1.5 MP", peak_gib, "GiB"),
    ]


def _run_alone(page: NDArray[np.uint8], rough: NDArray[np.uint8], which: str, out: Path) -> tuple[float, float]:
    files = out / "page.png", out / "rough.png"
    for file, picture in zip(files, (page, rough), strict=True):
        file.write_bytes(encode_image(picture))
    command = [sys.executable, "-m", "bench.inknhue.one_page", *files, which]
    made = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    peak_kib, seconds = made.stdout.split()
    return int(peak_kib) / 1024**2, float(seconds)
