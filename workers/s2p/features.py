"""A page and its hints at working size, and what the embedded network reads of them. Pure."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.hints import Hints
from common.windows import Window
from workers.s2p.lookalike import look_alike
from workers.s2p.propagation import place_hints, shrink_guide, spread_chroma

FEATURES: Final = 15
PRIOR: Final = slice(5, 7)
HINTS: Final = slice(7, 10)
"""Chroma and weight."""
ALIKE: Final = slice(11, 15)
COLOURS: Final = (slice(5, 7), slice(7, 9), slice(11, 13), slice(13, 15))
"""Pairs of a and b."""
CHROMA_SCALE: Final = 64.0
"""CIELAB a and b per unit of the network."""
_NEAR_PX: Final = 32.0
"""At this distance from the nearest hint, in pixels of working size, the feature of nearness is a half."""


@dataclass(frozen=True)
class HintedPage:
    """A page at working size with its hints, and what propagation and likeness make of them.

    Attributes:
        detail: (2·h, 2·w) uint8, luminance at twice the working size.
        guide: (h, w) float32, 0..1, the same at working size, lines kept closed.
        hint_chroma: (h, w, 2) float32, CIELAB a and b of the hints' dots.
        hint_weight: (h, w) float32, 0 where no hint is, else how sure it is, to 1.
        prior: (h, w, 2) float32, a and b as propagation spreads them.
        alike: (h, w, 4) float32, a and b of both of `lookalike.REACHES_PX`.
        nearness: (h, w) float32, how near the nearest hint is: 1 on it, falling towards 0.
    """

    detail: NDArray[np.uint8]
    guide: NDArray[np.float32]
    hint_chroma: NDArray[np.float32]
    hint_weight: NDArray[np.float32]
    prior: NDArray[np.float32]
    alike: NDArray[np.float32]
    nearness: NDArray[np.float32]

    @property
    def has_hints(self) -> bool:
        return bool(self.hint_weight.any())

    def stack_features(self, window: Window | None = None) -> NDArray[np.float32]:
        """What the network reads of the page, or of a window of it.

        Returns:
            (h, w, 15) float32: four of the page (its 2×2 pixels), guide, prior, hints' chroma, their weight, nearness,
            alike.
        """
        rows, columns = window or tuple(slice(0, side) for side in self.guide.shape)
        place = rows, columns
        detail = self.detail[2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop]
        height, width = (side // 2 for side in detail.shape)
        blocks = detail.reshape(height, 2, width, 2).transpose(0, 2, 1, 3).reshape(height, width, 4)
        weight = self.hint_weight[place][..., None]
        chroma = np.float32(1 / CHROMA_SCALE)
        return np.concatenate(
            [
                blocks.astype(np.float32) / np.float32(255),
                self.guide[place][..., None],
                self.prior[place] * chroma,
                self.hint_chroma[place] * (weight > 0) * chroma,
                weight,
                self.nearness[place][..., None],
                self.alike[place] * chroma,
            ],
            axis=2,
            dtype=np.float32,
        )


def spread_hints(grey: NDArray[np.uint8], hints: Hints) -> HintedPage:
    """Bring a page to working size and spread its hints over it.

    Args:
        grey: (H, W) uint8, the page's luminance, screentone smoothed.
        hints: any number.
    """
    guide = shrink_guide(grey)
    height, width = guide.shape
    detail = np.asarray(cv2.resize(grey, (2 * width, 2 * height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    luminance = detail.reshape(height, 2, width, 2).mean(axis=(1, 3), dtype=np.float32) / np.float32(255)
    chroma, weight = place_hints(hints, guide)
    distance = cv2.distanceTransform((weight == 0).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return HintedPage(
        detail,
        guide,
        chroma,
        weight,
        prior=spread_chroma(guide, chroma, weight > 0),
        alike=look_alike(luminance, chroma, weight),
        nearness=np.float32(_NEAR_PX) / (np.float32(_NEAR_PX) + distance),
    )
