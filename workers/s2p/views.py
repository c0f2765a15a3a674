"""Pages as the embedded painter meets them, with the truth beside them, to train on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from common.hints import Hint, Hints
from common.lab import lab_to_rgb, rgb_to_lab
from common.screentone import smooth_screentone
from samples.variation import draw_varied_page
from workers.s2p.features import CHROMA_SCALE, COLOURS, spread_hints
from workers.s2p.propagation import shrink_guide

DRAWN_SHARE: Final = 0.35
"""Of the views; the rest are windows of painted pages."""
WINDOW_SHARE: Final = (0.55, 1.0)
"""How much of a page's width and height a view shows."""
SHORT_PX: Final = (560, 1100)
"""The short side of the page that a view pretends to come from."""
PEOPLE_HINTS: Final = (4, 250)
WRONG_SHARE: Final = 0.12
MISSING_SHARE: Final = 0.3
TONE_STEPS: Final = 10
MIN_REGION_PX: Final = 60
MAX_REGIONS: Final = 300
ANY_HUE_SHARE: Final = 0.25
"""Of the crops: colours turned by any angle. The others teach which colours are usual."""


@dataclass(frozen=True)
class View:
    """A page, its hints and the truth at working size.

    Attributes:
        features: (h, w, 15) float16, as `HintedPage.stack_features` gives them.
        truth: (h, w, 2) float16, a and b in units of `CHROMA_SCALE`.
    """

    features: NDArray[np.float16]
    truth: NDArray[np.float16]


def make_view(painted: Sequence[NDArray[np.uint8]], seed: int, number: int) -> View:
    """Make one view; the same arguments give the same view.

    Args:
        painted: coloured pages, each (H, W, 3) uint8 RGB; without any, all views are of drawn pages.
        seed: of the training.
        number: of the view; there is no last one.
    """
    rng = np.random.default_rng((seed, number))
    if not painted or rng.random() < DRAWN_SHARE:
        colour, manga = draw_varied_page(int(rng.integers(1 << 31)))
        colour, manga = _cut_window((colour, manga[..., 0]), rng)
        # At times the drawing's own grey, as a painter would print it.
        page = manga if rng.random() < 0.7 else _turn_grey(colour, rng)
    else:
        (colour,) = _cut_window((painted[int(rng.integers(len(painted)))],), rng)
        page = _turn_grey(colour, rng)
    grey = smooth_screentone(page)
    kind = rng.random()
    hints: list[Hint] = []
    if kind > 0.6:
        hints += simulate_region_hints(shrink_guide(grey), colour, rng)
    if kind < 0.75:
        low, high = np.log(PEOPLE_HINTS)
        hints += simulate_people_hints(colour, round(float(np.exp(rng.uniform(low, high)))), rng)
    return assemble_view(grey, colour, hints)


def assemble_view(grey: NDArray[np.uint8], colour: NDArray[np.uint8], hints: Sequence[Hint]) -> View:
    """Put together what the network reads and what it should say.

    Args:
        grey: (H, W) uint8, the page with its screentone smoothed.
        colour: (H, W, 3) uint8 RGB, the truth.
        hints: any number.
    """
    page = spread_hints(grey, Hints(size=grey.shape[::-1], hints=tuple(hints)))
    truth = _shrink(rgb_to_lab(colour)[..., 1:], page.guide.shape)
    return View(page.stack_features().astype(np.float16), (truth / CHROMA_SCALE).astype(np.float16))


def lift_lightness(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A page's lightness (L of CIELAB) as grey, (H, W) uint8."""
    lab = rgb_to_lab(rgb)
    lab[..., 1:] = 0
    return np.ascontiguousarray(lab_to_rgb(lab)[..., 0])


def _turn_grey(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A page's lightness or, at times, its luma, as other programs turn grey; (H, W) uint8."""
    if rng.random() < 0.4:
        return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    return lift_lightness(rgb)


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
    small = _shrink(rgb_to_lab(colour), guide.shape)
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


def cut_crops(
    views: Sequence[View], size_px: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One crop of each view, mirrored and its colours turned by chance.

    Propagation is linear in a and b, so hints, prior and truth may be turned and scaled together.

    Returns:
        Features (N, size, size, 15) and truth (N, size, size, 2), float32.
    """
    features, truths = [], []
    for view in views:
        height, width = view.truth.shape[:2]
        top, left = rng.integers(max(1, height - size_px + 1)), rng.integers(max(1, width - size_px + 1))
        window = np.s_[top : top + size_px, left : left + size_px]
        crop = _pad(view.features[window].astype(np.float32), size_px)
        truth = _pad(view.truth[window].astype(np.float32), size_px)
        if rng.random() < 0.5:
            # The first four channels are 2×2 pixels: mirrored, left and right among them change places too.
            crop, truth = crop[:, ::-1, [1, 0, 3, 2, *range(4, crop.shape[2])]], truth[:, ::-1]
        turn = _draw_turn(rng)
        crop = crop.copy()
        for pair in COLOURS:
            crop[..., pair] = crop[..., pair] @ turn
        features.append(crop)
        truths.append(truth @ turn)
    return np.stack(features), np.stack(truths)


def _draw_turn(rng: np.random.Generator) -> NDArray[np.float32]:
    """A matrix (2, 2) that turns, scales and at times mirrors a and b."""
    any_hue = rng.random() < ANY_HUE_SHARE
    angle = rng.uniform(0, 2 * np.pi) if any_hue else rng.normal(0, 0.12)
    scale = np.exp(rng.uniform(-0.5, 0.35))
    side = -1.0 if any_hue and rng.random() < 0.5 else 1.0
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.asarray(scale * np.array([[cosine, sine], [-sine * side, cosine * side]]), dtype=np.float32)


def _pad(crop: NDArray[np.float32], size_px: int) -> NDArray[np.float32]:
    height, width = crop.shape[:2]
    return np.pad(crop, ((0, size_px - height), (0, size_px - width), (0, 0)), mode="edge")


def _cut_window(pictures: tuple[NDArray[np.uint8], ...], rng: np.random.Generator) -> tuple[NDArray[np.uint8], ...]:
    """The same window of aligned pictures, brought to a size of page."""
    height, width = pictures[0].shape[:2]
    high, wide = (max(64, round(side * rng.uniform(*WINDOW_SHARE))) for side in (height, width))
    top, left = rng.integers(height - high + 1), rng.integers(width - wide + 1)
    window = np.s_[top : top + high, left : left + wide]
    low, top_px = np.log(SHORT_PX)
    scale = float(np.exp(rng.uniform(low, top_px))) / min(high, wide)
    size = (round(wide * scale), round(high * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return tuple(
        np.asarray(cv2.resize(picture[window], size, interpolation=method), dtype=np.uint8) for picture in pictures
    )


def _shrink(picture: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA), dtype=np.float32)


def _hint(x: float, y: float, rgb: NDArray[np.uint8], confidence: float | None = None) -> Hint:
    red, green, blue = (int(channel) for channel in rgb)
    return Hint(x=float(x), y=float(y), rgb=(red, green, blue), confidence=confidence)
