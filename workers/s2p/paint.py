"""The s2p stage on arrays: a page and its hints in, the line drawing and the roughly coloured page out. Pure."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from common.hints import Hints
from common.lab import lab_to_rgb, lab_to_rgb_keep_lightness, page_lightness
from workers.s2p.propagation import place_hints, shrink_guide, spread_chroma
from common.screentone import smooth_screentone
from workers.s2p.sketch import draw_sketch
from workers.s2p.upsampling import upsample_chroma

_STRIP_PIXELS = 1_000_000
_PALE_L = 50.0


@dataclass(frozen=True)
class S2pResult:
    """What the stage gives; both (H, W, 3) uint8 RGB of the page's size."""

    sketch_rgb: NDArray[np.uint8]
    rough_rgb: NDArray[np.uint8]


def paint_page(page_rgb: NDArray[np.uint8], hints: Hints) -> S2pResult:
    """Colour a page roughly from its hints.

    The same page and hints give the same bytes. Without hints the page stays grey.

    Args:
        page_rgb: (H, W, 3) uint8, RGB; its colours, if any, do not matter.
        hints: dots of colour; positions are shares of the page.
    """
    luma = np.asarray(cv2.cvtColor(page_rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    grey = smooth_screentone(luma)
    guide = shrink_guide(grey)
    chroma = upsample_chroma(spread_chroma(guide, *place_hints(hints, guide)), guide, grey)
    return S2pResult(sketch_rgb=draw_sketch(grey), rough_rgb=_tint_page(luma, chroma))


def _tint_page(luma: NDArray[np.uint8], chroma: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The page in its own lightness with chroma (H, W, 2) laid over; (H, W, 3) uint8 RGB.

    On dark tones chroma shrinks until it fits, or ink would glow. On paper it stays and lightness gives way: white can
    show no colour, and whoever does not keep the page's lightness wants to see it.
    """
    rough_rgb = np.empty((*luma.shape, 3), dtype=np.uint8)
    step = max(1, _STRIP_PIXELS // luma.shape[1])
    for start in range(0, luma.shape[0], step):
        rows = slice(start, start + step)
        lightness = page_lightness(np.repeat(luma[rows, :, None], 3, axis=2))
        lab = np.dstack([lightness, chroma[rows]])
        pale = (lightness > _PALE_L)[..., None]
        rough_rgb[rows] = np.where(pale, lab_to_rgb(lab), lab_to_rgb_keep_lightness(lab))
    return rough_rgb
