"""Colour hints spread over a page along its structure, by one sparse linear system. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from pyamg.aggregation import standard_aggregation
from pyamg.strength import symmetric_strength_of_connection
from scipy.sparse import csc_array, csr_array, dia_array
from scipy.sparse.linalg import splu

from common.hints import Hints
from common.lab import rgb_to_lab
from common.windows import WINDOW_PX, blend_windows

WORKING_SHORT_PX: Final = 384
WORKING_PIXELS: Final = 16_000_000
"""Bounds memory on strips thousands of times as long as wide."""
COARSE_PIXELS: Final = 300_000
"""Of the solve that ties the windows of a long page together."""
FAR_PULL: Final = 1e-5
"""Pull of a window's pixels to what the coarse solve says: stronger than a leak, weaker than any hint."""
SIGMA: Final = 0.025
"""Difference of luminance (0..1) that weakens a bond to 61%. On painted pages with 80 and 300 hints, 0.02 to 0.03 left
the least chroma error; 0.06 a tenth more."""
LEAK: Final = 1e-6
"""Bond across the strongest line: keeps the matrix well conditioned and is too weak to carry colour."""
PULL: Final = 3e-7
"""Pull of every pixel to grey: what no hint reaches but through lines stays grey."""
HINT_BOND: Final = 10.0
LEAST_WEIGHT: Final = 0.25
STRONG: Final = 0.02
"""A bond ties two pixels into a group from this share of what holds them (the root of their diagonals' product)."""
CORRECTIONS: Final = 2
SWEEPS: Final = 4
JACOBI_DAMPING: Final = 0.7
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
        Chroma (h, w, 2) float32, CIELAB a and b; and how sure it is, (h, w) float32: 0 where no hint is, 1 for people's
        hints, between `LEAST_WEIGHT` and 1 for automatic ones.
    """
    height, width = guide.shape
    chroma = np.zeros((height, width, 2), dtype=np.float32)
    weight = np.zeros((height, width), dtype=np.float32)
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
        sure = 1.0 if hint.confidence is None else hint.confidence
        weight[rows, columns][taken] = LEAST_WEIGHT + (1 - LEAST_WEIGHT) * sure
    return chroma, weight


def spread_chroma(
    guide: NDArray[np.float32], chroma: NDArray[np.float32], is_hint: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Spread the hints' chroma so that neighbours of like luminance get like chroma.

    Minimises Σ w(r, s)·|u(r) − u(s)|² over pixels r and their neighbours s in a 3×3 window, with the hints held.

    Args:
        guide: (h, w) float32, 0..1.
        chroma: (h, w, 2) float32, read where is_hint.
        is_hint: (h, w) bool.

    Returns:
        (h, w, 2) float32, within the range of the hints' chroma and grey.

    Source: Levin, Lischinski & Weiss 2004, "Colorization using Optimization", section 2. Ours differs in that bonds are
        symmetric, which makes the matrix positive definite and keeps every result between the hints' values, and
        in that luminance differences count against one σ instead of each window's variance: on drawn pages the
        variance at a line is large, and weights by it let colours through.
    """
    if not is_hint.any():
        return np.zeros_like(chroma)
    if max(guide.shape) <= WINDOW_PX:
        return _spread(guide, chroma, is_hint, np.zeros_like(chroma), PULL)
    far = _spread_coarsely(guide, chroma, is_hint)
    return blend_windows(
        guide.shape, lambda window: _spread(guide[window], chroma[window], is_hint[window], far[window], FAR_PULL)
    )


def _spread(
    guide: NDArray[np.float32],
    chroma: NDArray[np.float32],
    is_hint: NDArray[np.bool_],
    far: NDArray[np.float32],
    pull: float,
) -> NDArray[np.float32]:
    """Solve for one window, every pixel pulled a little to `far` (h, w, 2)."""
    hold = HINT_BOND * is_hint.ravel()
    matrix = _assemble(guide, hold + pull)
    wanted = hold[:, None] * chroma.reshape(-1, 2) + pull * far.reshape(-1, 2)
    spread = _solve(matrix, wanted).reshape(chroma.shape)
    # The exact solution lies between the hints and what pulls; a few sweeps may stop a little beyond.
    ends = np.concatenate([chroma[is_hint], far.reshape(-1, 2).min(axis=0)[None], far.reshape(-1, 2).max(axis=0)[None]])
    return np.clip(spread, ends.min(axis=0), ends.max(axis=0)).astype(np.float32)


def _spread_coarsely(
    guide: NDArray[np.float32], chroma: NDArray[np.float32], is_hint: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """What a long page looks like from afar: the same, solved at `COARSE_PIXELS` and enlarged."""
    height, width = guide.shape
    scale = min(1.0, (COARSE_PIXELS / guide.size) ** 0.5)
    small = max(1, round(height * scale)), max(1, round(width * scale))
    coarse = np.asarray(cv2.resize(guide, small[::-1], interpolation=cv2.INTER_AREA))
    coarse_chroma, coarse_hint = np.zeros((*small, 2), dtype=np.float32), np.zeros(small, dtype=np.bool_)
    rows, columns = np.nonzero(is_hint)
    place = rows * small[0] // height, columns * small[1] // width
    coarse_chroma[place], coarse_hint[place] = chroma[rows, columns], True
    far = _spread(coarse, coarse_chroma, coarse_hint, np.zeros_like(coarse_chroma), PULL)
    return np.asarray(cv2.resize(far, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _assemble(guide: NDArray[np.float32], extra: NDArray[np.float32]) -> csr_array:
    """The system's matrix (n, n): bonds between the 8-neighbours of guide's n pixels, and `extra` on the diagonal."""
    height, width = guide.shape
    count = height * width
    diagonal = extra.astype(np.float64)
    bands = {0: diagonal}
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        one = np.s_[: height - down, max(0, -right) : width - max(0, right)]
        other = np.s_[down:, max(0, right) : width + min(0, right)]
        squared = (guide[one] - guide[other]) ** 2
        if not squared.size:
            continue
        weight = np.zeros((height, width), dtype=np.float64)
        weight[one] = (np.exp(squared * np.float32(-0.5 / SIGMA**2)) + LEAK) / (down * down + right * right)
        offset = down * width + right
        bond = weight.ravel()[: count - offset]
        diagonal[: count - offset] += bond
        diagonal[offset:] += bond
        # A band's entry lies in the column that it belongs to: from the start below the diagonal, to the end above.
        # On pages of two columns two kinds of neighbours share a band.
        bands[-offset] = bands.get(-offset, 0) - np.pad(bond, (0, offset))
        bands[offset] = bands.get(offset, 0) - np.pad(bond, (offset, 0))
    return csr_array(dia_array((np.stack(list(bands.values())), list(bands)), shape=(count, count)))


def _solve(matrix: csr_array, wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve for all columns of wanted (n, k): exactly between groups of like pixels, then a few sweeps within them.

    Bonds differ by a factor of a million, so conjugate gradients crawl. Pixels that a strong bond ties have nearly the
    same colour: one unknown stands for each group of about seven, and a direct solver does the rest.

    Source: Vaněk, Mandel & Brezina 1996, "Algebraic multigrid by smoothed aggregation", sections 2 and 4. Ours has two
    levels, and leaves the prolongation constant: smoothed, it would carry colour across lines.
    """
    strong = symmetric_strength_of_connection(matrix, STRONG)
    grouped = csr_array(standard_aggregation(strong)[0])
    # A pixel that no strong bond ties, such as a speck, is a group of its own.
    count = matrix.shape[0]
    alone = np.diff(grouped.indptr) == 0
    owner = np.where(alone, count + np.arange(count), 0)
    owner[~alone] = grouped.indices
    owner = np.unique(owner, return_inverse=True)[1]
    groups = csr_array((np.ones(count), (np.arange(count), owner)))
    coarse = csc_array(groups.T @ matrix @ groups)
    factors = splu(
        coarse, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True, "Equil": False}
    )
    damped = (JACOBI_DAMPING / matrix.diagonal())[:, None]
    solved = np.zeros_like(wanted)
    for _ in range(CORRECTIONS):
        solved += groups @ factors.solve(groups.T @ (wanted - matrix @ solved))
        for _ in range(SWEEPS):
            solved += damped * (wanted - matrix @ solved)
    return solved


def _brightest_near(guide: NDArray[np.float32], row: int, column: int) -> tuple[int, int]:
    """The brightest pixel within 2 px: beside the ink line that a hint fell on."""
    top, left = max(0, row - 2), max(0, column - 2)
    window = guide[top : row + 3, left : column + 3]
    down, right = np.unravel_index(int(window.argmax()), window.shape)
    return top + int(down), left + int(right)


def _chroma_of(rgb: tuple[int, int, int]) -> NDArray[np.float32]:
    """CIELAB a and b, (2,) float32, of one colour 0..255."""
    return rgb_to_lab(np.array(rgb, dtype=np.uint8).reshape(1, 1, 3))[0, 0, 1:]
