"""Coloured pages as they come in without their colours. Pure."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.lab import lab_to_rgb, rgb_to_lab
from samples.variation import draw_varied_page

DRAWN_SHARE: Final = 0.35
"""Of the pages; the rest are windows of painted ones."""
WINDOW_SHARE: Final = (0.55, 1.0)
"""How much of a page's width and height a view shows."""
SHORT_PX: Final = (560, 1100)
"""The short side of the page that a view pretends to come from."""


def draw_scan(
    painted: Sequence[NDArray[np.uint8]], rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A page by chance, to train on: drawn for the purpose, or a window of a painted one.

    Args:
        painted: coloured pages, each (H, W, 3) uint8 RGB; without any, all are drawn.
        rng: decides everything.

    Returns:
        Its colours (H, W, 3) and the page as it comes in, (H, W), both uint8.
    """
    if not painted or rng.random() < DRAWN_SHARE:
        colour, manga = draw_varied_page(int(rng.integers(1 << 31)))
        colour, manga = cut_window((colour, manga[..., 0]), rng)
        # At times the drawing's own grey, as a painter would print it.
        return colour, manga if rng.random() < 0.7 else turn_grey(colour, rng)
    (colour,) = cut_window((painted[int(rng.integers(len(painted)))],), rng)
    return colour, turn_grey(colour, rng)


def lift_lightness(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A page's lightness (L of CIELAB) as grey, (H, W) uint8."""
    lab = rgb_to_lab(rgb)
    lab[..., 1:] = 0
    return np.ascontiguousarray(lab_to_rgb(lab)[..., 0])


def turn_grey(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A page's lightness or, at times, its luma, as other programs turn grey; (H, W) uint8."""
    if rng.random() < 0.4:
        return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return lift_lightness(rgb)


def cut_window(pictures: tuple[NDArray[np.uint8], ...], rng: np.random.Generator) -> tuple[NDArray[np.uint8], ...]:
    """The same window of aligned pictures, brought to a size of page."""
    height, width = pictures[0].shape[:2]
    high, wide = (max(64, round(side * rng.uniform(*WINDOW_SHARE))) for side in (height, width))
    top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
    window = np.s_[top : top + high, left : left + wide]
    low, top_px = np.log(SHORT_PX)
    scale = float(np.exp(rng.uniform(low, top_px))) / min(high, wide)
    size = (round(wide * scale), round(high * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return tuple(
        np.asarray(cv2.resize(picture[window], size, interpolation=method), dtype=np.uint8) for picture in pictures
    )
