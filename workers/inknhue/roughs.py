"""Rough pictures as painters leave them, made from a page's true colours, to train on. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.inknhue.colour import grey_to_lab

FLAT_SHARE: Final = 0.6
"""Of the roughs: one colour for each region, some wrong, some missing."""
BLEED_SHARE: Final = 0.7
SHIFT_SHARE: Final = 0.5
COARSE_SHARE: Final = 0.5
WRONG_SHARE: Final = 0.12
MISSING_SHARE: Final = 0.2
TONE_STEPS: Final = (6, 16)
MIN_REGION_PX: Final = 40
BLEED_PX: Final = (1.0, 10.0)
SHIFT_PX: Final = (1.0, 5.0)
SATURATION: Final = (1.1, 1.6)
"""Painters by hints paint too strongly."""


def simulate_rough(
    truth_lab: NDArray[np.float32], grey: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Degrade true colours as a painter by hints does.

    By chance, each to a chance degree: flat, wrong and missing colours of regions; colours shifted and bled over lines;
    a picture of 1/2 or 1/4 the size; too much saturation.

    Args:
        truth_lab: (H, W, 3) float32, CIELAB.
        grey: (H, W) uint8, the page with its screentone smoothed.
        rng: decides everything.

    Returns:
        (H, W, 3) float32, CIELAB; its L is the page's.
    """
    chroma = truth_lab[..., 1:].copy()
    if rng.random() < FLAT_SHARE:
        chroma = _flatten_regions(chroma, grey, rng)
    if rng.random() < SHIFT_SHARE:
        chroma = _shift(chroma, rng)
    if rng.random() < BLEED_SHARE:
        low, high = np.log(BLEED_PX)
        bled = cv2.GaussianBlur(chroma, (0, 0), float(np.exp(rng.uniform(low, high))))
        share = np.clip(0.5 + _smooth_noise(grey.shape, 1, rng), 0, 1)
        chroma += share * (bled - chroma)
    if rng.random() < COARSE_SHARE:
        chroma = _coarsen(chroma, int(rng.choice([2, 4])))
    chroma *= draw_saturation(rng)
    rough = grey_to_lab(grey)
    rough[..., 1:] = chroma
    return rough


def draw_saturation(rng: np.random.Generator) -> np.float32:
    """By how much a rough picture's chroma is too strong."""
    low, high = np.log(SATURATION)
    return np.float32(np.exp(rng.uniform(low, high)))


def _flatten_regions(
    chroma: NDArray[np.float32], grey: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.float32]:
    """One chroma for each region of like tone; small ones take what lies around them."""
    label = _label_tones(grey, int(rng.integers(*TONE_STEPS)))
    area = np.bincount(label.ravel()).astype(np.float32)
    means = np.stack([np.bincount(label.ravel(), chroma[..., k].ravel()) / np.maximum(area, 1) for k in (0, 1)], axis=1)
    is_large = area >= MIN_REGION_PX
    large = np.flatnonzero(is_large)
    wrong = large[rng.random(len(large)) < rng.uniform(0, WRONG_SHARE)]
    if len(wrong):
        means[wrong] = means[rng.choice(large, len(wrong))]
    missing = large[rng.random(len(large)) < rng.uniform(0, MISSING_SHARE)]
    is_large[missing] = False
    # Where a colour is missing the painter lets those around flow in.
    weight = is_large[label].astype(np.float32)
    flat = means[label].astype(np.float32) * weight[..., None]
    around = [cv2.GaussianBlur(plane, (0, 0), 8) for plane in (flat, weight)]
    filled = around[0] / (around[1][..., None] + np.float32(0.02))
    return np.where(weight[..., None] > 0, flat, filled).astype(np.float32)


def _label_tones(grey: NDArray[np.uint8], steps: int) -> NDArray[np.int32]:
    """Numbers of the connected regions of like tone, (H, W)."""
    tones = cv2.bilateralFilter(grey, 5, 25, 2).astype(np.int32) * steps // 256
    label = np.zeros(grey.shape, dtype=np.int32)
    count = 1
    for tone in range(steps):
        found, part = cv2.connectedComponents((tones == tone).astype(np.uint8), connectivity=4)
        label += np.where(part > 0, part + (count - 1), 0)
        count += found - 1
    return label


def _shift(chroma: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Colours that miss their lines by a few px, here this way and there that."""
    height, width = chroma.shape[:2]
    offset = rng.uniform(*SHIFT_PX) * _smooth_noise((height, width), 2, rng)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    moved = cv2.remap(chroma, x + offset[..., 0], y + offset[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, dtype=np.float32)


def _coarsen(chroma: NDArray[np.float32], factor: int) -> NDArray[np.float32]:
    height, width = chroma.shape[:2]
    small = cv2.resize(chroma, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _smooth_noise(shape: tuple[int, ...], channels: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Noise of mean 0 and spread about 1 that changes over some tenths of the page; (H, W, channels)."""
    grid = rng.standard_normal((5, 4, channels)).astype(np.float32)
    noise = cv2.resize(grid, shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(noise.reshape(*shape[:2], channels), dtype=np.float32)
