"""The figures of a pair of pictures that go by pixel. Pure."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image


def fit_to(picture_rgb: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize (h, w, 3) uint8 RGB to (height, width, 3), bicubic; a picture of that size comes back as it is."""
    if picture_rgb.shape[:2] == (height, width):
        return picture_rgb
    return np.asarray(Image.fromarray(picture_rgb).resize((width, height), Image.Resampling.BICUBIC))


def turn_grey(picture_rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture (H, W, 3) uint8 RGB without its colours (Rec. 601 luma), still (H, W, 3)."""
    grey = np.asarray(Image.fromarray(picture_rgb).convert("L"))
    return np.repeat(grey[..., None], 3, axis=2)


def psnr_db(first_rgb: NDArray[np.uint8], second_rgb: NDArray[np.uint8]) -> float:
    """Peak signal-to-noise ratio over all channels.

    Args:
        first_rgb: (H, W, 3) uint8, RGB, 0..255.
        second_rgb: the same shape.

    Returns:
        dB; infinite when the pictures are equal.
    """
    squares = cv2.norm(first_rgb, second_rgb, cv2.NORM_L2SQR)
    if squares == 0:
        return math.inf
    return 10 * math.log10(255.0**2 * first_rgb.size / squares)


def chroma_gap(first_lab: NDArray[np.float32] | None, second_lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distance of each pixel in CIELAB's (a, b) plane, lightness aside.

    Args:
        first_lab: (..., 3) float32; None is grey, without chroma.
        second_lab: (..., 3) float32.

    Returns:
        (...) float32.
    """
    # Whole: a third of it for nothing is cheaper than gaps between what is read.
    gap = second_lab.copy() if first_lab is None else first_lab - second_lab
    gap *= gap
    return np.asarray(np.sqrt(gap[..., 1] + gap[..., 2]))


def find_gradient(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sobel's gradient of (H, W) float32 where it has all neighbours: (2, H-2, W-2) float32."""
    lightness = np.ascontiguousarray(lightness)
    return np.stack([cv2.Sobel(lightness, cv2.CV_32F, *axis)[1:-1, 1:-1] for axis in ((1, 0), (0, 1))])


def colourfulness(picture_rgb: NDArray[np.uint8]) -> float:
    """How colourful (H, W, 3) uint8 RGB looks: 0 is grey, 15 slightly, 33 moderately, 59 highly colourful.

    Source: Hasler & Süsstrunk 2003, "Measuring Colourfulness in Natural Images", section 7, the metric M̂(3).
    """
    means, squares = np.zeros(2), np.zeros(2)
    step = max(1, 250_000 // picture_rgb.shape[1])  # rows: what is kept beside the picture stays small
    for start in range(0, len(picture_rgb), step):
        opponents = cv2.transform(picture_rgb[start : start + step].astype(np.float32), _OPPONENTS)
        mean, deviation = (values[:2, 0] for values in cv2.meanStdDev(opponents))
        share = len(opponents) / len(picture_rgb)
        means += share * mean
        squares += share * (deviation**2 + mean**2)
    variances = np.maximum(squares - means**2, 0)
    return float(np.sqrt(variances.sum()) + 0.3 * np.hypot(*means))


_OPPONENTS = np.array([[1, -1, 0], [0.5, 0.5, -1]], dtype=np.float32)
"""Red − green, yellow − blue."""
