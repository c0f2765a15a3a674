"""How a page of flat grey would look as manga, for training: sheets of tone, traces of dots, thicker ink. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

STEP_RANGE: Final = (0.02, 0.1)
"""Screentone is sold in sheets of such steps of darkness, 0..1."""
FLAT_ABOVE: Final = (0.75, 0.95)
FLAT_BELOW: Final = 0.17
"""Lighter than the first (drawn from a range) and darker than the second, 0..1 of grey, there are no dots."""
MAX_DOTS: Final = 6.0
"""Amplitude of what is left of the dots once a screentone is smoothed and the page made small, in L."""
PITCH_RANGE_PX: Final = (2.2, 5.0)
GREY_GAMMA: Final = 2.2


def draw_as_manga(lightness: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Redraw grey as manga that has been through `smooth_screentone`.

    Args:
        lightness: (H, W) float32, 0..100, L of CIELAB.
        rng: decides steps, dots and ink.

    Returns:
        (H, W) float32, 0..100.
    """
    grey = np.clip(((lightness + 16) / 116) ** 3, 0, 1) ** (1 / GREY_GAMMA)
    step = rng.uniform(*STEP_RANGE)
    stepped = 1 - np.round((1 - grey) / step) * step
    flat = (grey > rng.uniform(*FLAT_ABOVE)) | (grey < FLAT_BELOW)
    page = 116 * np.cbrt(np.clip(np.where(flat, grey, stepped), 0, 1) ** GREY_GAMMA) - 16
    if rng.random() < 0.5:
        page += _draw_dots(page.shape, rng) * ((page > 10) & (page < 92))
    if rng.random() < 0.5:
        edges = page - cv2.GaussianBlur(page.astype(np.float32), (0, 0), rng.uniform(0.8, 1.6))
        page *= 1 - np.clip(-edges * rng.uniform(0.02, 0.1) - 0.1, 0, 1)
    return np.asarray(np.clip(page, 0, 100), dtype=np.float32)


def _draw_dots(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """A screen of dots at any angle, (H, W) float32, around 0."""
    ys, xs = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    angle, pitch = rng.uniform(0, np.pi / 2), rng.uniform(*PITCH_RANGE_PX)
    u, v = np.cos(angle) * xs + np.sin(angle) * ys, np.cos(angle) * ys - np.sin(angle) * xs
    dots = np.cos(2 * np.pi * u / pitch) * np.cos(2 * np.pi * v / pitch)
    return np.asarray(dots * rng.uniform(0, MAX_DOTS), dtype=np.float32)
