"""The main colours of a reference, and which of them a colour is nearest to. Pure; for the stages."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from common.colours import SAME_COLOUR
from common.hints import Rgb
from common.lab import rgb_to_lab

PALETTE_ROUNDS: Final = 20


def find_palette(samples_lab: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """The main colours of pixels, by k-means in Lab; the same samples give the same palette.

    Args:
        samples_lab: (N, 3) float32 Lab, N at least 1.
        size: number of colours, at least 1.

    Returns:
        (K, 3) float32 Lab, K ≤ size, the most frequent first.
    """
    # It starts from the mean and then always the colour furthest from all before, weighed against outliers by rank.
    centres = [samples_lab.mean(axis=0)]
    gap = np.full(len(samples_lab), np.inf)
    for _ in range(min(size, len(samples_lab)) - 1):
        gap = np.minimum(gap, ((samples_lab - centres[-1]) ** 2).sum(axis=1))
        centres.append(samples_lab[int(np.argsort(gap, kind="stable")[int(0.98 * (len(gap) - 1))])])
    palette = np.array(centres, dtype=np.float32)
    mass = np.zeros(len(palette))
    for _ in range(PALETTE_ROUNDS):
        nearest = find_nearest(samples_lab, palette)
        mass = np.bincount(nearest, minlength=len(palette)).astype(np.float64)
        sums = [np.bincount(nearest, weights=samples_lab[:, c], minlength=len(palette)) for c in range(3)]
        moved = np.column_stack(sums) / np.maximum(mass, 1)[:, None]
        palette = np.where((mass > 0)[:, None], moved, palette).astype(np.float32)
    order = np.argsort(-mass, kind="stable")
    return palette[order[mass[order] > 0]]


def find_nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.intp]:
    """Index of the nearest of (K, 3) centres for each of (N, 3) points, without an (N, K, 3) array."""
    cross = points @ centres.T
    return np.asarray(np.argmin((centres**2).sum(axis=1) - 2 * cross, axis=1))


def match_colours(colours: Mapping[Rgb, Rgb], palette: Sequence[Rgb]) -> dict[Rgb, Rgb]:
    """Corrected colours of an earlier palette, by the colours of this one that they are meant for.

    Args:
        colours: new colours by old ones, RGB, 0..255.
        palette: RGB, 0..255.

    Returns:
        The new colours, by the colour of the palette that the old one is nearest to in Lab. An old one of which none is
        within `SAME_COLOUR` is left out; of two that go to the same colour the nearer one holds, then the later one.
        One that becomes itself has the colour of the palette stay as it is.
    """
    if not colours or not palette:
        return {}
    old, new = list(colours), list(colours.values())
    old_lab, palette_lab = (rgb_to_lab(np.array([some], dtype=np.uint8))[0] for some in (old, palette))
    nearest = find_nearest(old_lab, palette_lab)
    gaps = np.linalg.norm(old_lab - palette_lab[nearest], axis=1)
    furthest_first = np.argsort(-gaps, kind="stable")
    matched = {palette[nearest[k]]: k for k in furthest_first if gaps[k] <= SAME_COLOUR}
    return {colour: new[k] for colour, k in matched.items() if new[k] != old[k]}
