"""Hints as the official networks read them: squares of colour on an empty map. Pure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.hints import Hints

REACH_PX: Final = 2


def paint_hint_map(hints: Hints, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """Paint a square of 5×5 px per hint; later ones cover earlier ones.

    Args:
        hints: any number.
        shape: (height, width).

    Returns:
        (height, width, 4) uint8, BGR and alpha (255 where a hint is).
    """
    height, width = shape
    painted = np.zeros((height, width, 4), dtype=np.uint8)
    for hint in hints.hints:
        # A hint at the very edge (1.0) belongs to the last pixel.
        x, y = min(int(hint.x * width), width - 1), min(int(hint.y * height), height - 1)
        square = np.s_[max(0, y - REACH_PX) : y + REACH_PX + 1, max(0, x - REACH_PX) : x + REACH_PX + 1]
        painted[square] = (*hint.rgb[::-1], 255)
    return painted
