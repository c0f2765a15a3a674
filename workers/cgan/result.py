"""What the stage makes of a page; shared by both presets."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from common.hints import Hints


@dataclass(frozen=True)
class CganResult:
    """What the stage makes of a page.

    Attributes:
        draft_rgb: (H, W, 3) uint8, RGB: the colours that the stage gives the page.
        regions: (H, W) uint16, 0 = line.
        hints: at most 400 dots of colour.
    """

    draft_rgb: NDArray[np.uint8]
    regions: NDArray[np.uint16]
    hints: Hints
