"""The figures of a pair of pictures. Pure; each goes over the picture in strips of rows, so memory stays bounded."""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from skimage.color import deltaE_ciede2000

from common.lab import rgb_to_lab

MAX_PSNR_DB: Final = 150.0
"""What equal pictures score: JSON has no infinity, and 8-bit pictures that differ at all stay below this."""
SSIM_WINDOW_PX: Final = 7
_STRIP_PIXELS: Final = 250_000


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
        dB, at most `MAX_PSNR_DB`.
    """
    squares = 0
    for rows in _strips(first_rgb.shape):
        gap = first_rgb[rows].astype(np.int64) - second_rgb[rows]
        squares += int((gap * gap).sum())
    if squares == 0:
        return MAX_PSNR_DB
    return float(10 * np.log10(255.0**2 * first_rgb.size / squares))


def ssim(first_rgb: NDArray[np.uint8], second_rgb: NDArray[np.uint8]) -> float | None:
    """Structural similarity: 7×7 uniform window, sample covariances, mean over pixels and channels.

    Windows that reach over the border are left out, as in scikit-image.

    Args:
        first_rgb: (H, W, 3) uint8, RGB, 0..255.
        second_rgb: the same shape.

    Returns:
        -1..1, or None when a side is shorter than the window.

    Source: Wang, Bovik, Sheikh & Simoncelli 2004, "Image Quality Assessment: From Error Visibility to Structural
        Similarity", section III.B; with a uniform window where the paper has a Gaussian one.
    """
    height, width = first_rgb.shape[:2]
    if min(height, width) < SSIM_WINDOW_PX:
        return None
    border = SSIM_WINDOW_PX // 2
    total = 0.0
    for rows in _strips((height - 2 * border, width)):
        with_border = slice(rows.start, rows.stop + 2 * border)
        first, second = (picture[with_border].astype(np.float64) for picture in (first_rgb, second_rgb))
        total += float(_ssim_map(first, second)[border:-border, border:-border].sum())
    return total / ((height - 2 * border) * (width - 2 * border) * 3)


def delta_e2000(first_rgb: NDArray[np.uint8], second_rgb: NDArray[np.uint8]) -> float:
    """Mean CIEDE2000 colour difference of two (H, W, 3) uint8 RGB pictures; 1 is about the least that people see.

    Source: Sharma, Wu & Dalal 2005, "The CIEDE2000 Color-Difference Formula", as scikit-image computes it.
    """
    total = 0.0
    for rows in _strips(first_rgb.shape):
        first, second = rgb_to_lab(first_rgb[rows]), rgb_to_lab(second_rgb[rows])
        total += float(deltaE_ciede2000(first, second).sum())  # type: ignore[no-untyped-call]
    return total / (first_rgb.shape[0] * first_rgb.shape[1])


def chroma_error(first_rgb: NDArray[np.uint8], second_rgb: NDArray[np.uint8]) -> float:
    """Mean Euclidean distance in CIELAB's (a, b) plane of two (H, W, 3) uint8 RGB pictures: lightness aside."""
    total = 0.0
    for rows in _strips(first_rgb.shape):
        gap = rgb_to_lab(first_rgb[rows])[..., 1:] - rgb_to_lab(second_rgb[rows])[..., 1:]
        total += float(np.hypot(gap[..., 0], gap[..., 1]).sum(dtype=np.float64))
    return total / (first_rgb.shape[0] * first_rgb.shape[1])


def colourfulness(picture_rgb: NDArray[np.uint8]) -> float:
    """How colourful (H, W, 3) uint8 RGB looks: 0 is grey, 15 slightly, 33 moderately, 59 highly colourful.

    Source: Hasler & Süsstrunk 2003, "Measuring Colourfulness in Natural Images", section 7, the metric M̂(3).
    """
    sums = np.zeros(4, dtype=np.float64)
    for rows in _strips(picture_rgb.shape):
        red, green, blue = np.moveaxis(picture_rgb[rows].astype(np.float64), 2, 0)
        red_green, yellow_blue = red - green, (red + green) / 2 - blue
        sums += [red_green.sum(), yellow_blue.sum(), (red_green**2).sum(), (yellow_blue**2).sum()]
    means, squares = np.split(sums / (picture_rgb.shape[0] * picture_rgb.shape[1]), 2)
    variances = np.maximum(squares - means**2, 0)
    return float(np.sqrt(variances.sum()) + 0.3 * np.hypot(*means))


def _ssim_map(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """SSIM around each pixel of two (H, W, 3) float64 pictures; only the inside, 3 px from the border, is valid."""

    def mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(cv2.blur(values, (SSIM_WINDOW_PX, SSIM_WINDOW_PX)), dtype=np.float64)

    samples = SSIM_WINDOW_PX**2
    unbiased = samples / (samples - 1)
    mean_1, mean_2 = mean(first), mean(second)
    variance_1 = unbiased * (mean(first * first) - mean_1 * mean_1)
    variance_2 = unbiased * (mean(second * second) - mean_2 * mean_2)
    covariance = unbiased * (mean(first * second) - mean_1 * mean_2)
    floor_mean, floor_variance = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    likeness = (2 * mean_1 * mean_2 + floor_mean) * (2 * covariance + floor_variance)
    scale = (mean_1**2 + mean_2**2 + floor_mean) * (variance_1 + variance_2 + floor_variance)
    return likeness / scale


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Slices of rows that cover a picture of this shape (H, W, ...), of about a quarter of a megapixel each."""
    step = max(1, _STRIP_PIXELS // max(1, shape[1]))
    for start in range(0, shape[0], step):
        yield slice(start, min(start + step, shape[0]))
