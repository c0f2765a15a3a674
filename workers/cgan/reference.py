"""What the references show without any network: their colours, and which colour goes with which grey. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.lab import page_lightness, rgb_to_lab

SAMPLES: Final = 8192
BIN_L: Final = 4.0
"""Width of a step of the tone curve, in L."""
MIN_BIN_SAMPLES: Final = 8


@dataclass(frozen=True)
class ReferenceColours:
    """Pixels drawn from the references.

    Attributes:
        samples: (N, 3) float32: L of the pixel's grey, a and b of CIELAB.
    """

    samples: NDArray[np.float32]

    @cached_property
    def _curve(self) -> NDArray[np.float32]:
        """Median chroma of each step of L, (K, 2) float32; 0 where the references show nothing of that lightness."""
        steps = int(np.ceil(100 / BIN_L))
        index = np.clip((self.samples[:, 0] / BIN_L).astype(int), 0, steps - 1)
        curve = np.zeros((steps, 2), dtype=np.float32)
        for step in np.flatnonzero(np.bincount(index, minlength=steps) >= MIN_BIN_SAMPLES):
            curve[step] = np.median(self.samples[index == step, 1:], axis=0)
        return curve

    def usual_chroma(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """The chroma that the references usually have at a lightness: (H, W) L, 0..100, to (H, W, 2) a and b."""
        middles = (np.arange(len(self._curve)) + 0.5) * BIN_L
        planes = [np.interp(lightness, middles, self._curve[:, channel]) for channel in range(2)]
        return np.dstack(planes).astype(np.float32)


def sample_colours(references: Sequence[NDArray[np.uint8]], seed: int) -> ReferenceColours:
    """Draw pixels evenly from coloured pages.

    Args:
        references: each (H, W, 3) uint8, RGB.
        seed: decides which pixels.
    """
    rng = np.random.default_rng(seed)
    parts = []
    for reference in references:
        height, width = reference.shape[:2]
        count = SAMPLES // len(references)
        rows, columns = rng.integers(height, size=count), rng.integers(width, size=count)
        pixels = np.ascontiguousarray(reference[rows, columns][:, None])
        parts.append(np.column_stack((grey_lightness(pixels), read_chroma(pixels)[:, 0])))
    return ReferenceColours(np.concatenate(parts).astype(np.float32))


def grey_lightness(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """L of CIELAB of the picture (H, W, 3) turned grey, (H, W) float32, 0..100.

    Not the L of its colours: a page turned grey keeps luma, which lies far below L for blue and above it for yellow,
    and the network must be taught on what it will be shown.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).reshape(rgb.shape[:2])
    return page_lightness(np.repeat(np.asarray(grey, dtype=np.uint8)[..., None], 3, axis=2))


def read_chroma(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """a and b of CIELAB of (H, W, 3) uint8 RGB: (H, W, 2) float32."""
    return rgb_to_lab(rgb)[..., 1:]
