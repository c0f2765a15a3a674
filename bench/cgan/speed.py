"""How long the room takes, how that grows with the page, and how much memory it needs."""

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure
from bench.pages import least_s, read
from common.errors import CancelledError
from common.params import JobParams
from common.screentone import smooth_screentone
from workers.cgan.hints import pick_hints
from workers.cgan.lines import find_lines
from workers.cgan.model import ReferenceModel, train_reference
from workers.cgan.original.training import train_original
from workers.cgan.paint import paint_page
from workers.cgan.progress import TrainingProgress
from workers.cgan.regions import segment_regions
from workers.cgan.training import TrainingSettings
from workers.cgan.weights import save_model
from workers.cgan.working_size import shrink_page

EPOCHS = TrainingSettings().epochs
ORIGINAL_ITERATIONS = 3
SIZES_PX = ((768, 1088), (1536, 2176), (3000, 4000))
"""0.83, 3.3 and 12 megapixels."""
ORIGINAL_REGIONS_S = 33.0
"""The original's trapped ball on a page of 0.83 MP, on two cores, as its authors' code was timed."""
PAGE_PX = (1028, 1460)
MemoryCase = tuple[str, int, int, float | None]
MEMORY_CASES: tuple[MemoryCase, ...] = (
    ("12 MP", 3000, 4000, 1.2),
    ("a strip of 800×20,000 px", 800, 20_000, 2.0),
    ("100 MP", 10_000, 10_000, None),
)
"""Name, width and height in pixels, bar in GiB."""


def measure_training(
    reference: Path, *, epochs: int = EPOCHS, iterations: int = ORIGINAL_ITERATIONS
) -> tuple[list[Figure], ReferenceModel]:
    """Both presets in one run: the original for a few iterations, scaled to its 100, and ours.

    Ours whole, or, with fewer epochs, scaled as well: it takes no longer than that.
    """
    picture = shrink_page(read(reference))  # as the stage does
    marks: dict[int, float] = {}

    def mark(progress: TrainingProgress) -> None:
        marks.setdefault(progress.epoch, time.monotonic())
        if progress.epoch >= iterations + 1:
            raise CancelledError("enough iterations")

    try:
        train_original([picture], 100, 0, mark)
    except CancelledError:
        pass
    else:
        raise AssertionError("the original told no progress")
    # The first iteration warms up and is left out, to the original's favour.
    first, last = min(epoch for epoch in marks if epoch >= 1), max(marks)
    original = (marks[last] - marks[first]) / (last - first) * 100
    started = time.monotonic()
    told: list[TrainingProgress] = []
    model = train_reference([picture], TrainingSettings(epochs), told.append)
    ours = time.monotonic() - started + told[-1].seconds * (EPOCHS / epochs - 1)
    scaled = "" if epochs == EPOCHS else f", scaled from {epochs} of {EPOCHS} epochs"
    figures = [
        Figure(f"original: 100 iterations, scaled from {last - first}", original, "s"),
        Figure(f"default: training on one reference{scaled}", ours, "s", 60),
        Figure(f"default: times as fast as the original{scaled}", original / ours, "×", 12, at_least=True),
    ]
    return figures, model


def measure_regions(page: Path) -> list[Figure]:
    """Lines, regions and hints at three sizes, four times the pixels each."""
    seconds = []
    for size in SIZES_PX:
        grey = cv2.resize(cv2.cvtColor(read(page), cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_CUBIC)
        grey = smooth_screentone(np.asarray(grey, dtype=np.uint8))
        seconds.append(least_s(lambda grey=grey: _segment(grey)))  # type: ignore[misc]
    pixels = [width * height for width, height in SIZES_PX]
    growth = [seconds[i + 1] / seconds[i] * 4 * pixels[i] / pixels[i + 1] for i in range(2)]
    return [
        Figure("regions and hints, 0.83 MP", seconds[0], "s", 0.5),
        Figure(
            "regions and hints, 0.83 MP: times as fast as the original", ORIGINAL_REGIONS_S / seconds[0], "×", 50, True
        ),
        Figure("regions and hints: growth from 0.83 to 3.3 MP, for 4× the pixels", growth[0], "×", 4.6),
        Figure("regions and hints: growth from 3.3 to 12 MP, for 4× the pixels", growth[1], "×", 4.6),
    ]


def _segment(grey: NDArray[np.uint8]) -> None:
    regions = segment_regions(find_lines(grey), JobParams().trapped_ball_radii)
    lab = np.zeros((*grey.shape, 3), dtype=np.float32)
    sure = np.ones(int(regions.max()) + 1, dtype=np.float32)
    pick_hints(lab, regions, sure, (grey.shape[1], grey.shape[0]), JobParams().min_region_px)


def measure_painting(page: Path, model: ReferenceModel) -> list[Figure]:
    picture = cv2.resize(read(page), PAGE_PX, interpolation=cv2.INTER_CUBIC)
    seconds = least_s(lambda: paint_page(np.asarray(picture, dtype=np.uint8), model, JobParams()))
    return [Figure("colouring a page of 1.5 MP", seconds, "s", 1.5)]


def measure_memory(
    page: Path, model: ReferenceModel, out: Path, cases: Iterable[MemoryCase] = MEMORY_CASES
) -> list[Figure]:
    """Peak resident memory of a process that loads the model and colours one page."""
    weights = out / "model.safetensors"
    weights.write_bytes(save_model(model))
    return [
        Figure(f"peak memory, {name}", _peak_gib([str(page), str(weights), str(width), str(height)]), "GiB", bar)
        for name, width, height, bar in cases
    ]


def _peak_gib(arguments: list[str]) -> float:
    command = [sys.executable, "-m", "bench.cgan.one_page", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout) / 1024**2
