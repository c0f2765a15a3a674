"""What the network is taught on: crops of the references, turned, scaled, and at times made to look like manga."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.cgan.reference import grey_lightness, read_chroma
from workers.cgan.toning import draw_as_manga

CROP_PX: Final = 128
PYRAMID_PX: Final = (200, 288, 432)
"""Short sides at which the references are kept; a crop is cut from the smallest that is not finer than it."""
MAX_LONG_PX: Final = 4096
"""No reference is enlarged beyond this."""
SCALE_RANGE_PX: Final = (200.0, 480.0)
"""Short sides, drawn log-uniformly, at which crops see a page; reading uses sizes inside this range."""
MAX_ANGLE: Final = 15.0
GAMMA_SPREAD: Final = 0.02
GAIN_SPREAD: Final = 0.01
"""How far lightness is bent: enough for another scan, little enough that a flat tone still tells its colour."""
MANGA_SHARE: Final = 0.4
"""Share of the crops whose grey is redrawn as manga: in sheets of tone, with dots and thicker ink."""
HELD_OUT_SHARE: Final = 0.04
HELD_OUT_CROPS: Final = 16
CELLS_ACROSS: Final = 12
"""The references are held out in cells, so many along the short side."""


@dataclass(frozen=True)
class Crops:
    """A batch of B crops.

    Attributes:
        lightness: (B, 1, 128, 128) float32, L of CIELAB of the grey, 0..100.
        chroma: (B, 2, 64, 64) float32, a and b of CIELAB.
        weight: (B, 1, 64, 64) float32, 0..1: how much of each pixel may be learned from, or is judged by.
    """

    lightness: NDArray[np.float32]
    chroma: NDArray[np.float32]
    weight: NDArray[np.float32]


class CropSampler:
    """Draws training crops from references; the same seed draws the same crops.

    A few cells of each reference are held out: their colours are never learned, and judge when to stop.
    """

    def __init__(self, references: Iterable[NDArray[np.uint8]], seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._pyramids = [_build_pyramid(reference, self._rng) for reference in references]
        self.held_out = self._draw_held_out()

    def draw_batch(self, count: int) -> Crops:
        """Draw `count` crops to learn from; what is held out weighs nothing in them."""
        crops = [self._cut_crop(self._pyramids[self._rng.integers(len(self._pyramids))], None) for _ in range(count)]
        lightness = np.stack([self._vary_lightness(crop[..., 0]) for crop in crops])[:, None]
        return _pack(crops, lightness, [1 - crop[..., 3] for crop in crops])

    def _draw_held_out(self) -> Crops:
        """Crops around held-out cells, of all references in turn, judged by what is held out alone."""
        crops = []
        for index in range(max(HELD_OUT_CROPS, len(self._pyramids))):
            pyramid = self._pyramids[index % len(self._pyramids)]
            crops.append(self._cut_crop(pyramid, int(self._rng.integers(len(pyramid.held_out)))))
        return _pack(crops, np.stack([crop[..., 0] for crop in crops])[:, None], [crop[..., 3] for crop in crops])

    def _cut_crop(self, pyramid: "_Pyramid", cell: int | None) -> NDArray[np.float32]:
        """One crop (128, 128, 4) float32, Lab and held-out: random place (or around a cell), scale, angle and side."""
        rng = self._rng
        low, high = np.log(SCALE_RANGE_PX)
        short_px = float(np.exp(rng.uniform(low, high)))
        level = next((page for page in pyramid.levels if min(page.shape[:2]) >= 0.9 * short_px), pyramid.levels[-1])
        height, width = level.shape[:2]
        step = min(height, width) / short_px  # pixels of the level per pixel of the crop
        half = CROP_PX / 2 * step
        centre = np.array([rng.uniform(min(half, side / 2), max(side - half, side / 2)) for side in (width, height)])
        if cell is not None:
            centre = pyramid.held_out[cell] * (width, height)
        angle = np.deg2rad(rng.uniform(-MAX_ANGLE, MAX_ANGLE))
        flip = -1.0 if rng.random() < 0.5 else 1.0
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * step
        turn[:, 0] *= flip
        shift = centre - turn @ np.full(2, (CROP_PX - 1) / 2)
        matrix = np.column_stack((turn, shift))
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        crop = cv2.warpAffine(level, matrix, (CROP_PX, CROP_PX), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(crop, dtype=np.float32)

    def _vary_lightness(self, lightness: NDArray[np.float32]) -> NDArray[np.float32]:
        """At times redraw it as manga, and bend it mildly; (H, W) float32, 0..100, in and out."""
        rng = self._rng
        page = draw_as_manga(lightness, rng) if rng.random() < MANGA_SHARE else lightness
        bent = np.power(np.clip(page / 100, 0, 1), np.exp(rng.normal(0, GAMMA_SPREAD))) * 100
        return np.asarray(np.clip(bent * rng.uniform(1 - GAIN_SPREAD, 1 + GAIN_SPREAD), 0, 100), dtype=np.float32)


@dataclass(frozen=True)
class _Pyramid:
    """A reference at the sizes of `PYRAMID_PX`, smallest first, and what of it is held out.

    Attributes:
        levels: each (h, w, 4) float32: L of the grey, a, b, and 1 where held out.
        held_out: (N, 2) float: middles of the held-out cells, x and y as shares of the page.
    """

    levels: list[NDArray[np.float32]]
    held_out: NDArray[np.float64]


def _build_pyramid(reference: NDArray[np.uint8], rng: np.random.Generator) -> _Pyramid:
    height, width = reference.shape[:2]
    short = min(height, width)
    # Not more cells than fit into a strip that is a few pixels thin.
    across = [max(1, min(CELLS_ACROSS * side // short, CELLS_ACROSS * 8, side)) for side in (width, height)]
    count = max(1, round(across[0] * across[1] * HELD_OUT_SHARE)) if across[0] * across[1] > 1 else 0
    chosen = rng.choice(across[0] * across[1], size=max(count, 1), replace=False)
    columns, rows = chosen % across[0], chosen // across[0]
    cells = np.zeros((across[1], across[0]), dtype=np.float32)
    # A reference of a single cell is learned from and judged by alike.
    cells[rows, columns] = 1.0 if count else 0.0
    middles = np.column_stack(((columns + 0.5) / across[0], (rows + 0.5) / across[1]))
    levels = []
    for px in [px for px in PYRAMID_PX if px <= short] or [PYRAMID_PX[0]]:
        # A strip of 1×5000 px must not grow to a huge one.
        scale = px / short if px <= short else min(px / short, max(1.0, MAX_LONG_PX / max(height, width)))
        size = (round(width * scale), round(height * scale))
        resized = cv2.resize(reference, size, interpolation=cv2.INTER_AREA if px < short else cv2.INTER_LINEAR)
        rgb = np.asarray(resized, dtype=np.uint8)
        held = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)
        levels.append(np.dstack((grey_lightness(rgb), read_chroma(rgb), held)).astype(np.float32))
    return _Pyramid(levels, middles)


def _pack(
    crops: list[NDArray[np.float32]], lightness: NDArray[np.float32], weights: list[NDArray[np.float32]]
) -> Crops:
    """Join crops (128, 128, 4) to a batch; chroma and weight are averaged to half the size."""

    def halve(planes: NDArray[np.float32]) -> NDArray[np.float32]:
        count, height, width, channels = planes.shape
        means = planes.reshape(count, height // 2, 2, width // 2, 2, channels).mean(axis=(2, 4))
        return np.ascontiguousarray(means.transpose(0, 3, 1, 2))

    return Crops(lightness, halve(np.stack(crops)[..., 1:3]), halve(np.stack(weights)[..., None]))
