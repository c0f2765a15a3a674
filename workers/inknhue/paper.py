"""Where a page is paper or ink, and how much colour it may take there. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_INK_L: Final = (2.0, 9.0)
"""No colour below the first, all above the second: printed black stays black, a night sky may be blue."""
_PAPER_DEPTH_L: Final = (1.5, 6.0)
"""How far below the paper's own L: nearer than the first is bare paper, further than the second is drawn on."""
_DARKEST_PAPER_L: Final = 85.0
_MARGIN_DEPTH_L: Final = 3.0
_CLEAR_CHROMA: Final = (8.0, 16.0)
"""Mean chroma around a pixel from which a colour on bare paper is meant, not spilt."""
_CLEAR_WINDOW_PX: Final = 17
REACH_PX: Final = _CLEAR_WINDOW_PX
"""Rows beyond a band that `colour_share` has to see, so that bands join without a seam."""


def paper_lightness(lightness: NDArray[np.float32]) -> float:
    """L of the page's paper; above 100 for a page (H, W) that shows none."""
    brightest = float(np.percentile(lightness[::4, ::4], 99))
    return brightest if brightest >= _DARKEST_PAPER_L else 200.0


def find_margins(lightness: NDArray[np.float32], paper_l: float) -> NDArray[np.bool_]:
    """The bare paper that reaches the page's rim: margins and the gutters between panels.

    Args:
        lightness: (H, W) float32, 0..100.
        paper_l: from `paper_lightness`.

    Returns:
        (H, W) bool.
    """
    bare = (lightness > paper_l - _MARGIN_DEPTH_L).astype(np.uint8)
    count, label = cv2.connectedComponents(bare, connectivity=4)
    reaches_rim = np.zeros(count, dtype=np.bool_)
    for rim in (label[0], label[-1], label[:, 0], label[:, -1]):
        reaches_rim[rim] = True
    reaches_rim[0] = False
    return np.asarray(reaches_rim[label], dtype=np.bool_)


def colour_share(
    lightness: NDArray[np.float32], rough_chroma: NDArray[np.float32], margins: NDArray[np.bool_], paper_l: float
) -> NDArray[np.float32]:
    """How much of its chroma each pixel may show.

    Ink and margins take none. Bare paper inside panels takes colour only where the rough picture is clearly coloured
    all around: a bubble that a neighbour's colour has seeped into stays white.

    Args:
        lightness: (H, W) float32, 0..100, of the page.
        rough_chroma: (H, W, 2) float32, CIELAB a and b.
        margins: (H, W) bool, from `find_margins`.
        paper_l: from `paper_lightness`.

    Returns:
        (H, W) float32, 0..1.
    """
    window = (_CLEAR_WINDOW_PX, _CLEAR_WINDOW_PX)
    # The mean of a and b, not of their length: spilt colours of many hues cancel out.
    around = cv2.blur(rough_chroma, window)
    meant = _ramp(np.hypot(around[..., 0], around[..., 1]), _CLEAR_CHROMA)
    drawn_on = _ramp(paper_l - lightness, _PAPER_DEPTH_L) if paper_l <= 100 else np.ones_like(lightness)
    share = _ramp(lightness, _INK_L) * np.maximum(drawn_on, meant)
    return np.where(margins, np.float32(0), share)


def _ramp(values: NDArray[np.float32], ends: tuple[float, float]) -> NDArray[np.float32]:
    """0 up to the first end, 1 from the second, smooth between."""
    t = np.clip((values - np.float32(ends[0])) / np.float32(ends[1] - ends[0]), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), dtype=np.float32)
