"""How fast both painters are, and how much memory the embedded one takes."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from bench.figures import Figure
from bench.pages import least_s, turn_grey
from bench.s2p import original
from bench.s2p.levin import colorize
from common.hints import Hints
from common.imaging import encode_image
from common.screentone import smooth_screentone
from samples.hinting import simulate_people_hints
from workers.s2p.embedded import EmbeddedPainter
from workers.s2p.official.prepare import draw_sketch, even_ink, lift_grey
from workers.s2p.official.refine import refine
from workers.s2p.official.resizing import resize_to_blocks
from workers.s2p.official.weights import load_net
from workers.s2p.propagation import place_hints, shrink_guide

ROOT = Path(__file__).parents[2]
PAGE_PX = (1028, 1460)
"""1.5 megapixels, portrait."""
HINTS = 150
LARGER_MP = (3, 6, 12)
MEMORY_PX = {"1.5 MP": PAGE_PX, "12 MP": (2908, 4130), "a strip of 800×20,000 px": (800, 20_000)}


def scale_page(colour: NDArray[np.uint8], size: tuple[int, int]) -> tuple[NDArray[np.uint8], Hints]:
    """A grey page of a size (width, height), and hints of its true colours."""
    large = np.asarray(cv2.resize(colour, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    dots = simulate_people_hints(large, HINTS, np.random.default_rng(0))
    return turn_grey(large), Hints(size=size, hints=tuple(dots))


def measure_embedded(
    colour: NDArray[np.uint8], painter: EmbeddedPainter, larger_mp: Sequence[int] = LARGER_MP
) -> list[Figure]:
    """A page of 1.5 MP beside Levin's own time for the same dots; then larger pages, in megapixels."""
    page, hints = scale_page(colour, PAGE_PX)
    painter.paint(page, hints)
    ours_s = least_s(lambda: painter.paint(page, hints))
    guide = shrink_guide(smooth_screentone(page[..., 0]))
    chroma, weight = place_hints(hints, guide)
    small = cv2.resize(page[..., 0], guide.shape[::-1], interpolation=cv2.INTER_AREA) / 255.0
    levin_s = least_s(lambda: colorize(small, chroma.astype(np.float64), weight > 0))
    seconds = {1.5: ours_s}
    for megapixels in larger_mp:
        side = (megapixels / 1.5) ** 0.5
        larger, its_hints = scale_page(colour, (round(PAGE_PX[0] * side), round(PAGE_PX[1] * side)))
        painter.paint(larger, its_hints)
        seconds[megapixels] = least_s(lambda page=larger, hints=its_hints: painter.paint(page, hints))
    return [
        Figure("embedded: a page of 1.5 MP", ours_s, "s", 2.5),
        Figure(f"Levin, sparse LU at {guide.shape[1]}×{guide.shape[0]} px, both channels", levin_s, "s"),
        Figure("embedded beside Levin", ours_s / levin_s, "×", 1 / 3),
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
    colour: NDArray[np.uint8], out: Path, sizes: Mapping[str, tuple[int, int]] = MEMORY_PX
) -> list[Figure]:
    """Peak memory of a process that paints one page; a strip also its time."""
    figures = []
    for what, size in sizes.items():
        page, hints = scale_page(colour, size)
        files = out / "memory.png", out / "memory.json"
        files[0].write_bytes(encode_image(page))
        files[1].write_bytes(hints.to_json())
        started = time.monotonic()
        command = [sys.executable, "-m", "bench.s2p.one_page", *files]
        made = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        figures.append(Figure(f"embedded: peak memory, {what}", int(made.stdout) / 1024**2, "GiB", 1.5))
        if size[1] == 20_000:
            figures.append(Figure("embedded: that strip, start of Python included", time.monotonic() - started, "s"))
    return figures


def measure_official(golden: Path) -> list[Figure]:
    """All that stands around the official networks, beside a straight transcription of the original's steps.

    With the stand-in for the tail, called tile by tile or in batches; head and neck, which take the same time on
    both sides, are left out.
    """
    page_bgr, careless = cv2.imread(str(golden / "page.png")), cv2.imread(str(golden / "expected" / "careless.png"))
    sketch = cv2.imread(str(golden / "expected" / "sketch.png"), cv2.IMREAD_GRAYSCALE)
    tail = load_net(golden / "nets" / "tail.net")
    graph = tf.function(lambda tiles: tail(tiles, training=False), reduce_retracing=True)

    def run_tail(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
        return graph(tiles).numpy()

    def original_steps() -> None:
        original.draw_sketch(original.normalise(page_bgr), run_tail)
        original.k_resize(sketch, 64)
        original.refine(careless, sketch, original.lift_origin(page_bgr, sketch.shape))

    def our_steps() -> None:
        draw_sketch(even_ink(page_bgr), run_tail)
        resize_to_blocks(sketch, 64)
        refine(careless, sketch, lift_grey(page_bgr, sketch.shape))

    firsts = []
    for work in (original_steps, our_steps):
        started = time.monotonic()
        work()
        firsts.append(time.monotonic() - started)
    originals_s, ours_s = least_s(original_steps), least_s(our_steps)
    return [
        Figure("official: around the networks, the original's steps", originals_s, "s"),
        Figure("official: around the networks, ours", ours_s, "s"),
        Figure("official: the original beside ours, first page of a size (ours compiles)", firsts[0] / firsts[1], "×"),
        Figure("official: the original beside ours", originals_s / ours_s, "×", 4, True),
    ]
