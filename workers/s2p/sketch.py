"""The line drawing of a page: dark lines on white, without tones and shading. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

_LINE_SHARE: Final = 1 / 170
"""The widest line as a share of the page's short side: 9 px on a page 1530 px wide."""
_FAINT, _FULL = 0.10, 0.45
"""How much darker than its surroundings a line is, as a share: nothing is drawn at the first, all at the second."""


def draw_sketch(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Draw the lines of a page.

    The page's grey is divided by the grey that it would have without thin dark strokes, so shading and flat tones
    cancel out; what stays faint is paper grain and brush texture.

    Args:
        grey: (H, W) uint8, screentone smoothed.

    Returns:
        (H, W, 3) uint8, three equal channels, 255 = paper.
    """
    width = max(3, round(min(grey.shape) * _LINE_SHARE)) | 1
    darkness = np.zeros(grey.shape, dtype=np.float32)
    for size in (width, 3 * width):
        # A closing fills strokes narrower than its disc; soft edges of the fill would else draw as lines.
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
        filled = cv2.GaussianBlur(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, disc), (0, 0), size / 6)
        # Ink on dark paint is a small difference of small values: the constant keeps noise there from drawing.
        darkness = np.maximum(darkness, 1 - (grey + 24.0) / (np.maximum(filled, grey) + np.float32(24)))
    ramp = np.clip((darkness - _FAINT) / (_FULL - _FAINT), 0, 1)
    sketch = (255 * (1 - ramp * ramp * (3 - 2 * ramp)) + 0.5).astype(np.uint8)
    return np.repeat(sketch[..., None], 3, axis=2)
