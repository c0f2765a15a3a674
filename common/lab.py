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


def lab_to_rgb_keep_lightness(lab: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Convert CIELAB to sRGB; where a colour lies outside sRGB its chroma shrinks until it fits, so that L stays.

    Clipping per channel, as `lab_to_rgb` does, moves L by up to 30: a white sheet would turn tinted and ink would glow.

    Args:
        lab: (H, W, 3) float32: L 0..100, a and b about -128..127.

    Returns:
        (H, W, 3) uint8, RGB, 0..255, of the same hue as lab; its L differs from lab's by rounding alone.
    """
    fitted = lab.astype(np.float32).reshape(-1, 3)
    np.clip(fitted[:, 0], 0, 100, out=fitted[:, 0])
    for start in range(0, len(fitted), _GAMUT_CHUNK):
        part = fitted[start : start + _GAMUT_CHUNK]
        outside = np.flatnonzero(~_in_gamut(part, np.float32(1)))
        if len(outside):
            part[outside, 1:] *= _fit_chroma(part[outside])[:, None]
    return lab_to_rgb(fitted.reshape(lab.shape))


_GAMUT_CHUNK = 1 << 18
"""Pixels at a time: bounds the memory of the search below to some 20 MB."""
_GAMUT_SCAN = (0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125)
_GAMUT_STEPS = 6
_GAMUT_FLOOR, _GAMUT_CEILING = -2e-4, 1 + 2e-3
"""Of linear light: what OpenCV's Lab is off by at the ends, each less than a grey level there."""
_WHITE_XYZ = np.array([0.950456, 1.0, 1.088754], dtype=np.float32)
_XYZ_TO_LINEAR = np.array(
    [[3.240479, -1.53715, -0.498535], [-0.969256, 1.875991, 0.041556], [0.055648, -0.204043, 1.057311]],
    dtype=np.float32,
)


def _fit_chroma(lab: NDArray[np.float32]) -> NDArray[np.float32]:
    """The largest share (N,) of the chroma of lab (N, 3) that sRGB can show at the same L: a scan, then bisection."""
    low = np.zeros(len(lab), dtype=np.float32)
    high = np.ones(len(lab), dtype=np.float32)
    # Downwards, as sRGB has hollows: towards a full yellow a colour leaves it and comes back.
    for share in _GAMUT_SCAN:
        open_ = low == 0
        fits = open_ & _in_gamut(lab, np.float32(share))
        low[fits] = share
        high[open_ & ~fits] = share
    for _ in range(_GAMUT_STEPS):
        middle = np.asarray((low + high) / 2, dtype=np.float32)
        fits = _in_gamut(lab, middle)
        low = np.where(fits, middle, low)
        high = np.where(fits, high, middle)
    return low


def _in_gamut(lab: NDArray[np.float32], share: NDArray[np.float32] | np.float32) -> NDArray[np.bool_]:
    """Whether sRGB can show lab (N, 3) with this share, (N,) or one for all, of its chroma; (N,) bool."""
    y_root = (lab[:, 0] + 16) / 116
    roots = np.stack([y_root + share * lab[:, 1] / 500, y_root, y_root - share * lab[:, 2] / 200])
    ratios = np.where(roots > 6 / 29, roots * roots * roots, (roots - 4 / 29) * np.float32(3 * (6 / 29) ** 2))
    linear = (_XYZ_TO_LINEAR * _WHITE_XYZ) @ ratios
    inside = (linear >= _GAMUT_FLOOR) & (linear <= _GAMUT_CEILING)
    return np.asarray(inside.all(axis=0), dtype=np.bool_)
