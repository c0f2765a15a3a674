"""Colour hints spread over a page along its structure, by one sparse linear solve. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, diags
from scipy.sparse.linalg import splu

from common.hints import Hints
from common.lab import rgb_to_lab

WORKING_SHORT_PX: Final = 384
WORKING_PIXELS: Final = 300_000
"""Bounds the solve to about 2 s and 0.5 GB, however large or long the page."""
SIGMA: Final = 0.025
"""Difference of luminance (0..1) that weakens a bond to 61%. On painted pages with 80 and 300 hints, 0.02 to 0.03 left
the least chroma error; 0.06 a tenth more."""
LEAK: Final = 1e-6
"""Bond across the strongest line: keeps the matrix well conditioned and is too weak to carry colour."""
PULL: Final = 3e-7
"""Pull of every pixel to grey: what no hint reaches but through lines stays grey."""
HINT_BOND: Final = 10.0
HINT_RADIUS_PX: Final = 2
_SAME_TONE: Final = 0.08
_LINE_DEPTH: Final = 0.2


def working_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) at which colours are spread over a page of this size; never larger than the page."""
    scale = min(1.0, WORKING_SHORT_PX / min(height, width), (WORKING_PIXELS / (height * width)) ** 0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def shrink_guide(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The page's luminance at working size, lines kept closed.

    Args:
        grey: (H, W) uint8, screentone smoothed.

    Returns:
        (h, w) float32, 0..1.
    """
    height, width = working_size(*grey.shape)
    scale = grey.shape[0] / height
    if scale > 1.5:
        # The mean over an area turns a thin line pale, and colours would pass: it is thickened first.
        side = 3 if scale < 6 else round(scale / 2) | 1
        grey = np.asarray(cv2.erode(grey, np.ones((side, side), dtype=np.uint8)), dtype=np.uint8)
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    return small.astype(np.float32) / np.float32(255)


def place_hints(hints: Hints, guide: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Paint hints as small dots at working size.

    A dot keeps to the tone under its middle, and where dots overlap, each pixel takes the nearest; of hints on one
    pixel the last counts.

    Args:
        hints: any number.
        guide: (h, w) float32, 0..1, the page's luminance.

    Returns:
        Chroma (h, w, 2) float32, CIELAB a and b; and where it holds, (h, w) float32, 0 or 1.
    """
    height, width = guide.shape
    chroma = np.zeros((height, width, 2), dtype=np.float32)
    nearest = np.full((height, width), np.inf, dtype=np.float32)
    filled = cv2.morphologyEx(guide, cv2.MORPH_CLOSE, np.ones((5, 5), dtype=np.uint8))
    for hint in hints.hints:
        row, column = min(int(hint.y * height), height - 1), min(int(hint.x * width), width - 1)
        if filled[row, column] - guide[row, column] > _LINE_DEPTH:
            row, column = _brightest_near(guide, row, column)
        rows = slice(max(0, row - HINT_RADIUS_PX), row + HINT_RADIUS_PX + 1)
        columns = slice(max(0, column - HINT_RADIUS_PX), column + HINT_RADIUS_PX + 1)
        y, x = np.mgrid[rows.start : min(rows.stop, height), columns.start : min(columns.stop, width)]
        distance = np.hypot(y - row, x - column).astype(np.float32)
        taken = (distance <= HINT_RADIUS_PX) & (distance <= nearest[rows, columns])
        taken &= np.abs(guide[rows, columns] - guide[row, column]) < _SAME_TONE
        nearest[rows, columns][taken] = distance[taken]
        chroma[rows, columns][taken] = _chroma_of(hint.rgb)
    return chroma, np.isfinite(nearest).astype(np.float32)


def spread_chroma(
    guide: NDArray[np.float32], chroma: NDArray[np.float32], is_hint: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Spread the hints' chroma so that neighbours of like luminance get like chroma.

    Minimises Σ w(r, s)·|u(r) − u(s)|² over pixels r and their neighbours s in a 3×3 window, with the hints held.

    Args:
        guide: (h, w) float32, 0..1.
        chroma: (h, w, 2) float32, read where is_hint.
        is_hint: (h, w) float32, 0 or 1.

    Returns:
        (h, w, 2) float32, within the range of the hints' chroma and grey.

    Source: Levin, Lischinski & Weiss 2004, "Colorization using Optimization", section 2. Ours differs in that bonds are
        symmetric, which makes the matrix positive definite and keeps every result between the hints' values, and
        in that luminance differences count against one σ instead of each window's variance: on drawn pages the
        variance at a line is large, and weights by it let colours through.
    """
    if not is_hint.any():
        return np.zeros_like(chroma)
    hold = HINT_BOND * is_hint.ravel().astype(np.float64)
    bonds = _bond_neighbours(guide)
    diagonal = np.asarray(bonds.sum(axis=1)).ravel() + hold + PULL
    matrix = csc_matrix(diags(diagonal, format="csc") - bonds)
    factors = splu(
        matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True, "Equil": False}
    )
    solved = factors.solve(hold[:, None] * chroma.reshape(-1, 2).astype(np.float64))
    return np.asarray(solved.reshape(chroma.shape), dtype=np.float32)


def _bond_neighbours(guide: NDArray[np.float32]) -> csr_matrix:
    """Symmetric weights (n, n) between the 8-neighbours of the n pixels of guide (h, w)."""
    height, width = guide.shape
    number = np.arange(height * width, dtype=np.int32).reshape(height, width)
    firsts, seconds, weights = [], [], []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one = np.s_[: height - down, max(0, -right) : width - max(0, right)]
        other = np.s_[down:, max(0, right) : width + min(0, right)]
        squared = (guide[one].astype(np.float64) - guide[other]) ** 2
        weight = (np.exp(-squared / (2 * SIGMA**2)) + LEAK) / (down * down + right * right)
        firsts.append(number[one].ravel())
        seconds.append(number[other].ravel())
        weights.append(weight.ravel())
    first, second, value = (np.concatenate(parts) for parts in (firsts, seconds, weights))
    half = csr_matrix((value, (first, second)), shape=(number.size, number.size))
    return csr_matrix(half + half.T)


def _brightest_near(guide: NDArray[np.float32], row: int, column: int) -> tuple[int, int]:
    """The brightest pixel within 2 px: beside the ink line that a hint fell on."""
    top, left = max(0, row - 2), max(0, column - 2)
    window = guide[top : row + 3, left : column + 3]
    down, right = np.unravel_index(int(window.argmax()), window.shape)
    return top + int(down), left + int(right)


def _chroma_of(rgb: tuple[int, int, int]) -> NDArray[np.float32]:
    """CIELAB a and b, (2,) float32, of one colour 0..255."""
    return rgb_to_lab(np.array(rgb, dtype=np.uint8).reshape(1, 1, 3))[0, 0, 1:]
