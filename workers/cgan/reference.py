"""What the references show without any network: their colours, and the grey that a page would show of them. Pure."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.lab import page_lightness, rgb_to_lab

SAMPLES: Final = 8192


def sample_colours(references: Sequence[NDArray[np.uint8]], seed: int) -> NDArray[np.float32]:
    """Draw pixels evenly from coloured pages.

    Args:
        references: each (H, W, 3) uint8, RGB.
        seed: decides which pixels.

    Returns:
        (N, 3) float32: L of the pixel's grey, a and b of CIELAB.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for reference in references:
        height, width = reference.shape[:2]
        count = SAMPLES // len(references)
        rows, columns = rng.integers(height, size=count), rng.integers(width, size=count)
        pixels = np.ascontiguousarray(reference[rows, columns][:, None])
        parts.append(np.column_stack((grey_lightness(pixels), read_chroma(pixels)[:, 0])))
    return np.concatenate(parts).astype(np.float32)


def grey_lightness(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """L of CIELAB of the picture (H, W, 3) turned grey, (H, W) float32, 0..100.

    Not the L of its colours: a page turned grey keeps luma, which lies far below L for blue and above it for yellow,
    and the network must be taught on what it will be shown.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).reshape(rgb.shape[:2])
    return page_lightness(np.repeat(np.asarray(grey, dtype=np.uint8)[..., None], 3, axis=2))


def read_chroma(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """a and b of CIELAB of (H, W, 3) uint8 RGB: (H, W, 2) float32."""
    return rgb_to_lab(rgb)[..., 1:]
