"""CIELAB and back, as OpenCV computes it (sRGB, D65). Pure; for the stages, which have OpenCV."""

import cv2
import numpy as np
from numpy.typing import NDArray


def rgb_to_lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert sRGB to CIELAB.

    Args:
        rgb: (H, W, 3) uint8, RGB, 0..255.

    Returns:
        (H, W, 3) float32: L 0..100, a and b about -128..127.
    """
    scaled = rgb.astype(np.float32) * np.float32(1 / 255)
    return np.asarray(cv2.cvtColor(scaled, cv2.COLOR_RGB2LAB), dtype=np.float32)


def lab_to_rgb(lab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Convert CIELAB to sRGB; what lies outside sRGB is clipped per channel.

    Args:
        lab: (H, W, 3) float32: L 0..100, a and b about -128..127.

    Returns:
        (H, W, 3) uint8, RGB, 0..255.
    """
    rgb = cv2.cvtColor(np.ascontiguousarray(lab, dtype=np.float32), cv2.COLOR_LAB2RGB)
    return np.asarray(np.clip(rgb * 255 + 0.5, 0, 255), dtype=np.uint8)


def page_lightness(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """L of CIELAB, (H, W) float32, 0..100, of a page (H, W, 3) uint8 RGB."""
    return rgb_to_lab(rgb)[..., 0]
