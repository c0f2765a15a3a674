"""Likeness of structure: SSIM and MS-SSIM. Pure; both go over the picture in strips of rows that fit a cache."""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

SSIM_WINDOW_PX: Final = 7
MS_SSIM_WINDOW_PX: Final = 11
MS_SSIM_SIGMA_PX: Final = 1.5
MS_SSIM_WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
MS_SSIM_MIN_SIDE_PX: Final = MS_SSIM_WINDOW_PX * 2 ** (len(MS_SSIM_WEIGHTS) - 1)
"""Below this the coarsest scale has no room for a window."""

_FLOOR_MEAN: Final = np.float32((0.01 * 255) ** 2)
_FLOOR_VARIANCE: Final = np.float32((0.03 * 255) ** 2)
_STRIP_PIXELS: Final = 128_000


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
    for rows in _strips(height, width, border):
        total += float(_ssim_map(first_rgb[rows], second_rgb[rows]).sum(dtype=np.float64))
    return total / ((height - 2 * border) * (width - 2 * border) * 3)


def ms_ssim(first_rgb: NDArray[np.uint8], second_rgb: NDArray[np.uint8]) -> float | None:
    """Multi-scale structural similarity: five scales, Gaussian window of 11 px and σ 1.5, mean over channels.

    Args:
        first_rgb: (H, W, 3) uint8, RGB, 0..255.
        second_rgb: the same shape.

    Returns:
        0..1, or None when a side is shorter than `MS_SSIM_MIN_SIDE_PX`.

    Source: Wang, Simoncelli & Bovik 2003, "Multi-Scale Structural Similarity for Image Quality Assessment", equation 7
        and the weights of section 4. As is usual, covariances of population, windows inside the picture, means of 2×2
        between scales (a last odd row or column is left out), and negative likeness counted as 0.
    """
    if min(first_rgb.shape[:2]) < MS_SSIM_MIN_SIDE_PX:
        return None
    first, second = first_rgb.astype(np.float32), second_rgb.astype(np.float32)
    product = np.ones(3)
    for scale, weight in enumerate(MS_SSIM_WEIGHTS):
        coarsest = scale == len(MS_SSIM_WEIGHTS) - 1
        product *= np.maximum(_mean_of_scale(first, second, with_means=coarsest), 0) ** weight
        if not coarsest:
            first, second = _halve(first), _halve(second)
    return float(product.mean())


def _ssim_map(first_rgb: NDArray[np.uint8], second_rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """SSIM around each pixel of two (h, w, 3) uint8 pictures that has a whole window: (h-6, w-6, 3)."""
    border, samples = SSIM_WINDOW_PX // 2, SSIM_WINDOW_PX**2

    def add_up(values: NDArray[np.float32]) -> NDArray[np.float32]:
        window = (SSIM_WINDOW_PX, SSIM_WINDOW_PX)
        sums = cv2.boxFilter(values, cv2.CV_32F, window, normalize=False, borderType=cv2.BORDER_REFLECT)
        return np.asarray(sums[border:-border, border:-border])

    # Around 128 the sums are whole numbers below 2^24: exact in 32-bit floats.
    first, second = (rgb.astype(np.float32) - np.float32(128) for rgb in (first_rgb, second_rgb))
    sum_1, sum_2 = add_up(first), add_up(second)
    squares, products = add_up(first * first + second * second), add_up(first * second)
    mean_1, mean_2 = sum_1 * np.float32(1 / samples), sum_2 * np.float32(1 / samples)
    unbiased = np.float32(1 / (samples - 1))
    covariance = (products - sum_1 * mean_2) * unbiased
    variances = (squares - sum_1 * mean_1 - sum_2 * mean_2) * unbiased
    mean_1 += np.float32(128)
    mean_2 += np.float32(128)
    likeness = (2 * mean_1 * mean_2 + _FLOOR_MEAN) * (2 * covariance + _FLOOR_VARIANCE)
    scale = (mean_1 * mean_1 + mean_2 * mean_2 + _FLOOR_MEAN) * (variances + _FLOOR_VARIANCE)
    return np.asarray(likeness / scale, dtype=np.float32)


def _mean_of_scale(first: NDArray[np.float32], second: NDArray[np.float32], *, with_means: bool) -> NDArray[np.float64]:
    """Mean contrast and structure, times likeness of means where asked for, per channel (3,) of two (H, W, 3)."""
    height, width = first.shape[:2]
    border = MS_SSIM_WINDOW_PX // 2
    total = np.zeros(3)
    for rows in _strips(height, width, border):
        one, two = first[rows], second[rows]
        mean_1, mean_2 = _weigh(one), _weigh(two)
        product, squares = mean_1 * mean_2, mean_1 * mean_1 + mean_2 * mean_2
        covariance, variances = _weigh(one * two) - product, _weigh(one * one + two * two) - squares
        likeness = (2 * covariance + _FLOOR_VARIANCE) / (variances + _FLOOR_VARIANCE)
        if with_means:
            likeness *= (2 * product + _FLOOR_MEAN) / (squares + _FLOOR_MEAN)
        total += likeness.sum(axis=(0, 1), dtype=np.float64)
    return total / ((height - 2 * border) * (width - 2 * border))


def _weigh(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Means of (h, w, 3) under the Gaussian window, where a whole window fits."""
    border = MS_SSIM_WINDOW_PX // 2
    return np.asarray(cv2.sepFilter2D(values, cv2.CV_32F, _GAUSSIAN, _GAUSSIAN)[border:-border, border:-border])


def _gaussian() -> NDArray[np.float32]:
    offsets = np.arange(MS_SSIM_WINDOW_PX) - MS_SSIM_WINDOW_PX // 2
    weights = np.exp(-(offsets**2) / (2 * MS_SSIM_SIGMA_PX**2))
    return np.asarray(weights / weights.sum(), dtype=np.float32)


_GAUSSIAN: Final = _gaussian()


def _halve(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = (side // 2 for side in picture.shape[:2])
    whole = picture[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA))


def _strips(height: int, width: int, border: int) -> Iterator[slice]:
    """Slices of rows whose insides, `border` from their ends, cover the picture's inside once."""
    step = max(1, _STRIP_PIXELS // width)
    for start in range(border, height - border, step):
        yield slice(start - border, min(start + step, height - border) + border)
