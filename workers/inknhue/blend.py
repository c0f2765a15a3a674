"""The λ blend of the aligned and the rough picture. Pure."""

import numpy as np
from numpy.typing import NDArray


def blend_lab(aligned_lab: NDArray[np.float32], rough_lab: NDArray[np.float32], blend: float) -> NDArray[np.float32]:
    """Take L from aligned, and a and b between aligned (blend 0) and rough (blend 1).

    Args:
        aligned_lab: (H, W, 3) float32, CIELAB.
        rough_lab: (H, W, 3) float32, CIELAB.
        blend: λ, 0..1.

    Returns:
        (H, W, 3) float32, CIELAB.

    Source: inkn'hue (arXiv 2311.01804), the interpolation in its application.
    """
    blended = aligned_lab.copy()
    blended[..., 1:] += np.float32(blend) * (rough_lab[..., 1:] - aligned_lab[..., 1:])
    # A larger b would make the root of Z negative, which no light has; the original's conversion cuts it off there too.
    np.minimum(blended[..., 2], (blended[..., 0] + 16) * np.float32(200 / 116), out=blended[..., 2])
    return blended
