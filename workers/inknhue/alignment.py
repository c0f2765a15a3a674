"""Colours of a rough picture fitted to the page's own edges. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

REACH_PX: Final = 12.0
"""How far chroma is evened out inside a surface (the spatial σ)."""
EDGE_L: Final = 10.0
"""Difference of L that stops it (the range σ)."""
_PASSES: Final = 3
_INK_L: Final = (5.0, 25.0)
"""Below the first, a pixel's own chroma is not believed; above the second, fully."""
_MAX_CHROMA_PERCENTILE: Final = 99.5


def align_chroma(chroma: NDArray[np.float32], lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    """Even chroma out within surfaces and sharpen it at the page's lines.

    Specks go by a median; then a normalised edge-aware filter, in which ink has no say: lines carry no colour of their
    own, and what a painter spilt on them must not spread.

    Args:
        chroma: (H, W, 2) float32, CIELAB a and b of the rough picture.
        lightness: (H, W) float32, 0..100, L of the page.

    Returns:
        (H, W, 2) float32.
    """
    calm = np.dstack([cv2.medianBlur(np.ascontiguousarray(chroma[..., k]), 5) for k in (0, 1)])
    ramp = np.clip((lightness - _INK_L[0]) / (_INK_L[1] - _INK_L[0]), 0, 1)
    trust = ramp * ramp * (3 - 2 * ramp) + np.float32(1e-3)
    weighted = np.dstack([calm * trust[..., None], trust])
    smoothed = smooth_along_edges(weighted, lightness)
    return np.asarray(smoothed[..., :2] / smoothed[..., 2:], dtype=np.float32)


def smooth_along_edges(values: NDArray[np.float32], guide: NDArray[np.float32]) -> NDArray[np.float32]:
    """Domain-transform recursive filter.

    Args:
        values: (H, W, C) float32.
        guide: (H, W) float32: L of the page, 0..100.

    Returns:
        (H, W, C) float32; a field of one value stays as it is.

    Source: Gastal & Oliveira 2011, "Domain Transform for Edge-Aware Image and Video Processing", section 5.2 (the
        recursive filter) and equation 14 (σ of each pass).
    """
    down = np.ascontiguousarray(1 + (REACH_PX / EDGE_L) * np.abs(np.diff(guide, axis=0)))
    right = np.ascontiguousarray((1 + (REACH_PX / EDGE_L) * np.abs(np.diff(guide, axis=1))).T)
    result = values.copy()
    for step in range(_PASSES):
        sigma = REACH_PX * 3**0.5 * 2 ** (_PASSES - step - 1) / (4**_PASSES - 1) ** 0.5
        feedback = np.exp(np.float32(-(2**0.5) / sigma))
        across = np.ascontiguousarray(result.transpose(1, 0, 2))
        _filter_rows(across, feedback**right)
        result = np.ascontiguousarray(across.transpose(1, 0, 2))
        _filter_rows(result, feedback**down)
    return result


def chroma_cap(chroma: NDArray[np.float32]) -> float:
    """The strongest chroma that a picture (H, W, 2) means: what single pixels have above it are outliers."""
    strength = np.hypot(chroma[..., 0], chroma[..., 1])
    return float(np.percentile(strength, _MAX_CHROMA_PERCENTILE))


def cap_chroma(chroma: NDArray[np.float32], cap: float) -> NDArray[np.float32]:
    """Shorten chroma (H, W, 2) stronger than cap to it; hue stays."""
    strength = np.hypot(chroma[..., 0], chroma[..., 1])
    share = np.minimum(1, cap / np.maximum(strength, 1e-6))
    return np.asarray(chroma * share[..., None], dtype=np.float32)


def _filter_rows(values: NDArray[np.float32], feedback: NDArray[np.float32]) -> None:
    """Run down and up the rows of values (N, M, C) in place; feedback (N - 1, M) ties each row to the next."""
    ties = feedback[..., None]
    for row in range(1, len(values)):
        values[row] += ties[row - 1] * (values[row - 1] - values[row])
    for row in range(len(values) - 2, -1, -1):
        values[row] += ties[row] * (values[row + 1] - values[row])
