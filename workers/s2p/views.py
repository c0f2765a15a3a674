"""Pages as the embedded painter meets them, with the truth beside them, to train on. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from common.hints import Hint, Hints
from common.lab import rgb_to_lab
from common.screentone import smooth_screentone
from samples.cropping import draw_turn, draw_window, fill_crop
from samples.hinting import draw_hints
from samples.scanning import draw_scan
from workers.s2p.features import CHROMA_SCALE, COLOURS, spread_hints
from workers.s2p.propagation import shrink_guide

ANY_HUE_SHARE: Final = 0.25
"""Of the crops: colours turned by any angle. The others teach which colours are usual."""
LOG_STRENGTH: Final = (-0.5, 0.35)


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
    colour, page = draw_scan(painted, rng)
    grey = smooth_screentone(page)
    hints = draw_hints(shrink_guide(grey), colour, rng)
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
        window = draw_window(height, width, size_px, rng)
        crop = fill_crop(view.features[window].astype(np.float32), size_px)
        truth = fill_crop(view.truth[window].astype(np.float32), size_px)
        if rng.random() < 0.5:
            # The first four channels are 2×2 pixels: mirrored, left and right among them change places too.
            crop, truth = crop[:, ::-1, [1, 0, 3, 2, *range(4, crop.shape[2])]], truth[:, ::-1]
        turn = draw_turn(rng, ANY_HUE_SHARE, LOG_STRENGTH)
        crop = crop.copy()
        for pair in COLOURS:
            crop[..., pair] = crop[..., pair] @ turn
        features.append(crop)
        truths.append(truth @ turn)
    return np.stack(features), np.stack(truths)


def _shrink(picture: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    return np.asarray(cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_AREA), dtype=np.float32)
