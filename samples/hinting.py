"""Hints as people set them and as the cgan room makes them, made from a page's true colours. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from common.hints import Hint
from common.lab import lab_to_rgb, rgb_to_lab

PEOPLE_HINTS: Final = (4, 250)
WRONG_SHARE: Final = 0.12
MISSING_SHARE: Final = 0.3
TONE_STEPS: Final = 10
MIN_REGION_PX: Final = 60
MAX_REGIONS: Final = 300


def draw_hints(guide: NDArray[np.float32], colour: NDArray[np.uint8], rng: np.random.Generator) -> list[Hint]:
    """Hints of a page by chance: people's, the cgan room's, or both.

    Args:
        guide: (h, w) float32, 0..1: the page's luminance at working size.
        colour: (H, W, 3) uint8 RGB, its true colours.
        rng: decides everything.
    """
    kind = rng.random()
    hints: list[Hint] = []
    if kind > 0.6:
        hints += simulate_region_hints(guide, colour, rng)
    if kind < 0.75:
        low, high = np.log(PEOPLE_HINTS)
        hints += simulate_people_hints(colour, round(float(np.exp(rng.uniform(low, high)))), rng)
    return hints


def simulate_people_hints(colour: NDArray[np.uint8], count: int, rng: np.random.Generator) -> list[Hint]:
    """Dots of true colour at random points of the page (H, W, 3)."""
    x, y = rng.random(count), rng.random(count)
    height, width = colour.shape[:2]
    rgb = colour[(y * height).astype(int), (x * width).astype(int)]
    return [_hint(*dot) for dot in zip(x, y, rgb, strict=True)]


def simulate_region_hints(
    guide: NDArray[np.float32], colour: NDArray[np.uint8], rng: np.random.Generator
) -> list[Hint]:
    """Dots as the cgan room makes them: one in the depth of a region, of its mean colour, some wrong, some missing."""
    height, width = guide.shape
    small = np.asarray(cv2.resize(rgb_to_lab(colour), (width, height), interpolation=cv2.INTER_AREA))
    tones = np.floor(cv2.bilateralFilter(guide, 5, 0.1, 2) * (TONE_STEPS - 1e-3)).astype(np.int32)
    found: list[tuple[int, float, float, NDArray[np.float32]]] = []
    for tone in range(1, TONE_STEPS):
        mask = (tones == tone).astype(np.uint8)
        count, label, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= MIN_REGION_PX)
        large = large[large > 0]
        if count < 2 or not len(large):
            continue
        depth = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5)
        places = ndimage.maximum_position(depth, label, large)
        means = np.stack([ndimage.mean(small[..., channel], label, large) for channel in range(3)], axis=1)
        found += [
            (int(stats[index, cv2.CC_STAT_AREA]), (x + 0.5) / width, (y + 0.5) / height, mean)
            for index, (y, x), mean in zip(large, places, means.astype(np.float32), strict=True)
        ]
    found.sort(key=lambda region: -region[0])
    found = found[:MAX_REGIONS]
    missing, wrong = rng.uniform(0, MISSING_SHARE), rng.uniform(0, WRONG_SHARE)
    hints = []
    for _, x, y, mean in found:
        if rng.random() < missing:
            continue
        lab = mean + np.array([0, *rng.normal(0, 3, 2)], dtype=np.float32)
        is_wrong = rng.random() < wrong
        if is_wrong:
            lab[1:] = found[rng.integers(len(found))][3][1:]
        confidence = float(rng.beta(2, 3) if is_wrong else rng.beta(5, 2))
        hints.append(_hint(x, y, lab_to_rgb(lab.reshape(1, 1, 3))[0, 0], confidence))
    return hints


def _hint(x: float, y: float, rgb: NDArray[np.uint8], confidence: float | None = None) -> Hint:
    red, green, blue = (int(channel) for channel in rgb)
    return Hint(x=float(x), y=float(y), rgb=(red, green, blue), confidence=confidence)
