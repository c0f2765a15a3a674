"""Crops of pages to train on: where they are cut, filled up, and their colours turned. Pure."""

import numpy as np
from numpy.typing import NDArray


def draw_window(height: int, width: int, size_px: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Rows and columns of a square by chance; of a page that is smaller, all there are."""
    top, left = rng.integers(max(1, height - size_px + 1)), rng.integers(max(1, width - size_px + 1))
    return np.s_[top : top + size_px, left : left + size_px]


def fill_crop(crop: NDArray[np.float32], size_px: int) -> NDArray[np.float32]:
    """A crop (h, w, C), below and to the right filled up with its last pixels to (size, size, C)."""
    height, width = crop.shape[:2]
    return np.pad(crop, ((0, size_px - height), (0, size_px - width), (0, 0)), mode="edge")


def draw_turn(rng: np.random.Generator, any_hue_share: float, log_strength: tuple[float, float]) -> NDArray[np.float32]:
    """A matrix (2, 2) by which a and b are turned a little, or by any angle and at times mirrored, and scaled.

    Args:
        rng: decides everything.
        any_hue_share: how often by any angle.
        log_strength: the least and the most of the scale's logarithm.
    """
    any_hue = rng.random() < any_hue_share
    angle = rng.uniform(0, 2 * np.pi) if any_hue else rng.normal(0, 0.12)
    scale = np.exp(rng.uniform(*log_strength))
    side = -1.0 if any_hue and rng.random() < 0.5 else 1.0
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.asarray(scale * np.array([[cosine, sine], [-sine * side, cosine * side]]), dtype=np.float32)
