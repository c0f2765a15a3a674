"""How the network reads a page: at moderate sizes, long pages in windows."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from workers.cgan.network import Generator
from workers.cgan.training import limit_threads
from workers.devices import autocast

READ_SIDES_PX: Final = (352, 448)
"""Short sides at which a page is read; where the two readings disagree the network does not know."""
WINDOW_PX: Final = 1024
OVERLAP_PX: Final = 160
"""A long page is read in windows of this length, each with such a margin that is thrown away: more than the network
sees around a pixel."""
MAX_ENLARGEMENT: Final = 2.0
MAX_LONG_PX: Final = 16_384
"""No page is read longer than this: a strip of 10×2,000,000 px is a legal page, too."""
DOUBT: Final = 2.0
"""How strongly disagreement mutes: confidence is |mean|² / (|mean|² + DOUBT · variance)."""
FLOOR: Final = 4.0
"""Chroma, squared, below which confidence means nothing: a grey that all readings agree on is sure all the same."""


@dataclass(frozen=True)
class Reading:
    """What the network makes of a page, at its own working size.

    Attributes:
        chroma: (h, w, 2) float32, a and b of CIELAB.
        confidence: (h, w) float32, 0..1.
    """

    chroma: NDArray[np.float32]
    confidence: NDArray[np.float32]


def read_page(lightness: NDArray[np.float32], generator: Generator) -> Reading:
    """Predict a page's chroma at the network's working size, muted where its readings at several sizes disagree.

    Args:
        lightness: (H, W) float32, 0..100, L of CIELAB with screentone smoothed.
        generator: in eval mode.

    Returns:
        A reading of about 220 px short side.
    """
    sizes = (fit_lightness(lightness, side, generator.config.multiple_px) for side in READ_SIDES_PX)
    # Thin pages have but one size at which they can be read.
    views = [_run(size, generator) for size in {size.shape: size for size in sizes}.values()]
    height, width = views[-1].shape[:2]
    stack = np.stack([cv2.resize(view, (width, height), interpolation=cv2.INTER_LINEAR) for view in views])
    mean = stack.mean(axis=0)
    strength = (mean**2).sum(axis=2) + FLOOR
    variance = ((stack - mean) ** 2).sum(axis=3).mean(axis=0)
    confidence = strength / (strength + DOUBT * variance)
    return Reading(np.asarray(mean * confidence[..., None], dtype=np.float32), confidence)


def fit_lightness(lightness: NDArray[np.float32], short_px: int, multiple_px: int) -> NDArray[np.float32]:
    """Resize (H, W) float32 so that the short side is about `short_px` and both are multiples of `multiple_px`."""
    height, width = lightness.shape
    # A page of a few pixels' width shows nothing more when it is enlarged further, and a thin strip would grow huge.
    scale = min(short_px / min(height, width), MAX_ENLARGEMENT, MAX_LONG_PX / max(height, width))
    sides = [max(multiple_px, round(side * scale / multiple_px) * multiple_px) for side in (width, height)]
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(lightness, (sides[0], sides[1]), interpolation=interpolation), dtype=np.float32)


def _run(lightness: NDArray[np.float32], generator: Generator) -> NDArray[np.float32]:
    """(H, W) float32 lightness, 0..100, to (H / 2, W / 2, 2) float32 chroma; long pages in windows."""
    axis = 0 if lightness.shape[0] >= lightness.shape[1] else 1
    length, parts = lightness.shape[axis], []
    for start in range(0, length, WINDOW_PX):
        stop = min(start + WINDOW_PX, length)
        first, last = max(0, start - OVERLAP_PX), min(length, stop + OVERLAP_PX)
        chroma = _run_window(np.ascontiguousarray(lightness.take(range(first, last), axis)), generator)
        parts.append(chroma.take(range((start - first) // 2, (stop - first) // 2), axis))
    return np.concatenate(parts, axis=axis)


def _run_window(lightness: NDArray[np.float32], generator: Generator) -> NDArray[np.float32]:
    x = torch.from_numpy(lightness)[None, None] / 50 - 1
    # One thread: a view is short, and threads that wait for each other cost more on a busy processor than they save.
    with torch.inference_mode(), autocast(), limit_threads(1):
        chroma = generator(x.contiguous(memory_format=torch.channels_last))
    lab = chroma[0].float().permute(1, 2, 0).numpy() * generator.config.chroma_scale
    return np.asarray(np.clip(np.nan_to_num(lab), -110, 110), dtype=np.float32)
