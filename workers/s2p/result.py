"""What painters give. Pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class S2pResult:
    """Sketch and rough picture, both (H, W, 3) uint8 RGB: of the page's size (embedded) or proportions (official)."""

    sketch_rgb: NDArray[np.uint8]
    rough_rgb: NDArray[np.uint8]
