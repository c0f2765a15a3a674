"""Long pages in windows that overlap, so that time and memory grow with the page and no seam shows. Pure."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

WINDOW_PX: Final = 1024
"""The long side of a window at working size; a page of usual shape is one window."""
OVERLAP_PX: Final = 192
_LONG: Final = 4
"""A page so many times as long as wide goes through filters of its own size in bands."""
_BAND_PIXELS: Final = 4_000_000


def cut_windows(
    length: int, window_px: int = WINDOW_PX, overlap_px: int = OVERLAP_PX
) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Cut an axis into windows.

    Args:
        length: of the axis.
        window_px: of a window; an axis that is shorter is one window.
        overlap_px: by which windows overlap at least.

    Yields:
        A window, and the weight (n,) float32 of each of its places in the result: ramps where windows overlap, so that
        weights add up to 1.
    """
    if length <= window_px:
        yield slice(0, length), np.ones(length, dtype=np.float32)
        return
    count = -(-(length - overlap_px) // (window_px - overlap_px))
    starts = np.linspace(0, length - window_px, count).round().astype(int)
    # A tent over each window; where two or three overlap they share in proportion.
    tent = np.minimum(np.arange(window_px) + 0.5, window_px - np.arange(window_px) - 0.5)
    tent = np.minimum(tent, overlap_px).astype(np.float32)
    total = np.zeros(length, dtype=np.float32)
    for start in starts:
        total[start : start + window_px] += tent
    for start in starts:
        window = slice(int(start), int(start) + window_px)
        yield window, tent / total[window]


Window = tuple[slice, slice]
"""Rows and columns."""


def blend_windows(
    shape: tuple[int, int],
    work: Callable[[Window], NDArray[np.float32]],
    window_px: int = WINDOW_PX,
    overlap_px: int = OVERLAP_PX,
) -> NDArray[np.float32]:
    """Do work window by window along the long side, and blend where windows overlap.

    Args:
        shape: (h, w) at working size.
        work: gives (n, m, channels) float32 for a window.
        window_px, overlap_px: as `cut_windows` takes them.

    Returns:
        (h, w, channels) float32.
    """
    height, width = shape
    blended: NDArray[np.float32] | None = None
    for long_side, weight in cut_windows(max(shape), window_px, overlap_px):
        is_tall = height >= width
        window = (long_side, slice(0, width)) if is_tall else (slice(0, height), long_side)
        made = work(window)
        if blended is None:
            blended = np.zeros((height, width, made.shape[2]), dtype=np.float32)
        blended[window] += made * (weight[:, None, None] if is_tall else weight[:, None])
    assert blended is not None
    return blended


Filter = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]


def map_bands(work: Filter, grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Run a filter over a page; over a long one in bands, so that its memory is bounded.

    Args:
        work: gives a picture of the same size, looks no further than a quarter of the page's short side, and takes its
            measures from the short side.
        grey: (H, W) uint8.
    """
    axis = 0 if grey.shape[0] >= grey.shape[1] else 1
    length, short = grey.shape[axis], grey.shape[1 - axis]
    if length <= _LONG * short or grey.size <= _BAND_PIXELS:
        return work(grey)
    # Equal bands, so that the last is no sliver, whose short side would be another.
    count = -(-length // max(_LONG * short, _BAND_PIXELS // short))
    edges = np.linspace(0, length, count + 1).round().astype(int).tolist()
    pieces = []
    for start, stop in pairwise(edges):
        low, high = max(0, start - short // 4), min(length, stop + short // 4)
        made = work(np.ascontiguousarray(grey.take(range(low, high), axis=axis)))
        pieces.append(made.take(range(start - low, stop - low), axis=axis))
    return np.concatenate(pieces, axis=axis)
