"""What the benches of the rooms share: pages, distances to the truth, time."""

import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from common.imaging import decode_image
from common.lab import rgb_to_lab

TRIES = 3


def find_pages(folder: Path) -> dict[str, Path]:
    """Every file below the folder, by its name without the ending."""
    return {path.stem: path for path in sorted(folder.rglob("*")) if path.is_file()}


def read(path: Path) -> NDArray[np.uint8]:
    return decode_image(path.read_bytes(), str(path))


def turn_grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A page (H, W, 3) in its luma, three equal channels, as most programs turn pictures grey."""
    grey = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def chroma_error(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    return float(np.linalg.norm(rgb_to_lab(picture)[..., 1:] - rgb_to_lab(truth)[..., 1:], axis=2).mean())


def psnr_db(picture: NDArray[np.uint8], truth: NDArray[np.uint8]) -> float:
    error = float(((picture.astype(np.float32) - truth) ** 2).mean())
    return float(10 * np.log10(255**2 / max(error, 1e-9)))


def least_s(work: Callable[[], object]) -> float:
    """The least wall time of a few tries, in s: what other processes add is no property of the code."""
    seconds = []
    for _ in range(TRIES):
        started = time.monotonic()
        work()
        seconds.append(time.monotonic() - started)
    return min(seconds)
