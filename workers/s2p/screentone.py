"""Printed dots taken back to the grey that they stand for, lines kept. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_PITCH_SHARE: Final = 1 / 130
"""The widest pitch of dots as a share of the page's short side: 12 px on a page 1530 px wide."""
_MIN_PITCH_PX: Final = 6
_MIN_NEIGHBOURS: Final = 6
"""Dots within two pitches that make a tone; the three of an ellipsis do not."""


def smooth_screentone(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Replace each field of dots by its mean grey.

    A dot is a small connected spot darker (or, in dark tones, lighter) than what is around it; a tone is where dots
    stand close together. Lines are long, so they are no dots, and inside a tone they stay.

    Args:
        grey: (H, W) uint8, 0 black .. 255 white.

    Returns:
        (H, W) uint8.
    """
    pitch = max(_MIN_PITCH_PX, round(min(grey.shape) * _PITCH_SHARE))
    if min(grey.shape) < 4 * pitch:
        return grey
    local_mean = cv2.blur(grey, (2 * pitch + 1, 2 * pitch + 1))
    tone = np.zeros(grey.shape, dtype=np.bool_)
    lines = np.zeros(grey.shape, dtype=np.bool_)
    for spots in (cv2.subtract(local_mean, grey) > 12, cv2.subtract(grey, local_mean) > 12):
        field, long_spots = _find_dot_field(spots, pitch)
        tone |= field
        lines |= field & long_spots & (grey < 96)
    replaced = tone & ~lines
    if not replaced.any():
        return grey
    # The mean of a tone is taken over the tone alone, or lines and paper beside it would seep in.
    weight = replaced.astype(np.float32)
    sigma = 0.8 * pitch
    mean = cv2.GaussianBlur(grey * weight, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)
    return np.where(replaced, np.clip(mean + 0.5, 0, 255).astype(np.uint8), grey)


def _find_dot_field(spots: NDArray[np.bool_], pitch: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where dots stand close together, and the spots that are too long to be dots; both (H, W) bool."""
    _, label, stats, centroids = cv2.connectedComponentsWithStats(spots.astype(np.uint8), connectivity=4)
    extent = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    is_dot = extent <= pitch
    is_dot[0] = False
    column, row = centroids[is_dot].astype(np.int32).T
    count = np.zeros(spots.shape, dtype=np.float32)
    np.add.at(count, (row, column), 1)
    window = (4 * pitch + 1, 4 * pitch + 1)
    near = cv2.boxFilter(count, cv2.CV_32F, window, normalize=False, borderType=cv2.BORDER_CONSTANT)
    dense_dots = np.zeros(len(stats), dtype=np.bool_)
    dense_dots[np.flatnonzero(is_dot)] = near[row, column] > _MIN_NEIGHBOURS
    # Between four dots the gap is widest across: more than a pitch.
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * pitch + 1, 2 * pitch + 1))
    field = cv2.morphologyEx(dense_dots[label].astype(np.uint8), cv2.MORPH_CLOSE, disc)
    is_long = ~is_dot
    is_long[0] = False
    return field > 0, is_long[label]
