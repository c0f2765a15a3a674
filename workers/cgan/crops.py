"""What the network is taught on: crops of the references, turned, scaled, and at times made to look like manga."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.lab import rgb_to_lab

CROP_PX: Final = 128
PYRAMID_PX: Final = (288, 432, 640)
"""Short sides at which the references are kept; a crop is cut from the smallest that is not finer than it."""
SCALE_RANGE_PX: Final = (288.0, 704.0)
"""Short sides, drawn log-uniformly, at which crops see a page; reading uses sizes inside this range."""
MAX_ANGLE: Final = 15.0
GAMMA_SPREAD: Final = 0.04
GAIN_SPREAD: Final = 0.015
"""How far lightness is bent: enough for another scan, little enough that a flat tone still tells its colour."""
MANGA_SHARE: Final = 0.2
"""Share of the crops that get ink, flat tones and white skin, as the pages to be coloured may have them."""


class CropSampler:
    """Draws training crops from references; the same seed draws the same crops."""

    def __init__(self, references: Sequence[NDArray[np.uint8]], seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._pyramids = [_build_pyramid(reference) for reference in references]

    def draw_batch(self, count: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Draw crops.

        Returns:
            lightness (count, 1, 128, 128) float32, 0..100; chroma (count, 2, 64, 64) float32, a and b of CIELAB.
        """
        lightness = np.empty((count, 1, CROP_PX, CROP_PX), dtype=np.float32)
        chroma = np.empty((count, 2, CROP_PX // 2, CROP_PX // 2), dtype=np.float32)
        for i in range(count):
            lab = self._cut_crop()
            lightness[i, 0] = self._vary_lightness(lab[..., 0])
            chroma[i] = lab[..., 1:].reshape(CROP_PX // 2, 2, CROP_PX // 2, 2, 2).mean(axis=(1, 3)).transpose(2, 0, 1)
        return lightness, chroma

    def _cut_crop(self) -> NDArray[np.float32]:
        """One crop (128, 128, 3) float32 Lab: random reference, place, scale, angle and side."""
        rng = self._rng
        pyramid = self._pyramids[rng.integers(len(self._pyramids))]
        low, high = np.log(SCALE_RANGE_PX)
        short_px = float(np.exp(rng.uniform(low, high)))
        level = next((page for page in pyramid if min(page.shape[:2]) >= 0.9 * short_px), pyramid[-1])
        height, width = level.shape[:2]
        step = min(height, width) / short_px  # pixels of the level per pixel of the crop
        half = CROP_PX / 2 * step
        centre = [rng.uniform(min(half, side / 2), max(side - half, side / 2)) for side in (width, height)]
        angle = np.deg2rad(rng.uniform(-MAX_ANGLE, MAX_ANGLE))
        flip = -1.0 if rng.random() < 0.5 else 1.0
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * step
        turn[:, 0] *= flip
        shift = np.array(centre) - turn @ np.full(2, (CROP_PX - 1) / 2)
        matrix = np.column_stack((turn, shift))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(level, matrix, (CROP_PX, CROP_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(crop, dtype=np.float32)

    def _vary_lightness(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """Bend the lightness mildly, and at times redraw it as manga; (H, W) float32, 0..100, in and out."""
        rng = self._rng
        bent = np.power(np.clip(lightness / 100, 0, 1), np.exp(rng.normal(0, GAMMA_SPREAD))) * 100
        bent = np.clip(bent * rng.uniform(1 - GAIN_SPREAD, 1 + GAIN_SPREAD), 0, 100)
        if rng.random() < MANGA_SHARE:
            bent = self._draw_as_manga(bent)
        return np.asarray(bent, dtype=np.float32)

    def _draw_as_manga(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """Flat tones, white skin, inked edges and the traces that dots leave when a screentone is smoothed."""
        rng = self._rng
        smooth = cv2.bilateralFilter(np.ascontiguousarray(lightness, dtype=np.float32), 5, 15, 3)
        levels = int(rng.integers(3, 7))
        white_from = rng.uniform(65, 100)
        stretched = np.clip(smooth / white_from, 0, 1)
        tones = np.round(stretched * (levels - 1)) / (levels - 1) * 100
        strength = rng.uniform(0.4, 1.0)
        page = smooth * (1 - strength) + tones * strength
        ys, xs = np.mgrid[:CROP_PX, :CROP_PX].astype(np.float32)
        angle, pitch = rng.uniform(0, np.pi / 2), rng.uniform(2.2, 5.0)
        u, v = np.cos(angle) * xs + np.sin(angle) * ys, np.cos(angle) * ys - np.sin(angle) * xs
        dots = np.cos(2 * np.pi * u / pitch) * np.cos(2 * np.pi * v / pitch)
        page += dots * rng.uniform(0, 8) * ((page > 10) & (page < 92))
        edges = smooth - cv2.GaussianBlur(smooth, (0, 0), rng.uniform(0.8, 1.6))
        ink = np.clip(-edges * rng.uniform(0.05, 0.25) - 0.15, 0, 1)
        return np.asarray(np.clip(page * (1 - ink), 0, 100), dtype=np.float32)


def _build_pyramid(reference: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
    """The reference in Lab at the sizes of `PYRAMID_PX`, smallest first; a small one is enlarged to the first only."""
    height, width = reference.shape[:2]
    short = min(height, width)
    sizes = [px for px in PYRAMID_PX if px <= short] or [PYRAMID_PX[0]]
    levels = []
    for px in sizes:
        # A strip of 1×5000 px must not grow to a huge one.
        size = (min(round(width * px / short), 4096), min(round(height * px / short), 4096))
        resized = cv2.resize(reference, size, interpolation=cv2.INTER_AREA if px < short else cv2.INTER_LINEAR)
        levels.append(rgb_to_lab(np.asarray(resized, dtype=np.uint8)))
    return levels
