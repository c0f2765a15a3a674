"""Where to put dots of colour, so that spreading them repaints the page. Pure."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from common.hints import Hint, Hints
from common.lab import lab_to_rgb

MAX_PAGE_HINTS: Final = 400
CELLS_ACROSS: Final = (28, 24, 20, 17, 14, 12, 10, 8, 6, 4, 2, 1)
"""Grids that are tried, as cells along the short side: the finest whose hints stay below the limit is taken."""


def pick_hints(
    colours_lab: NDArray[np.float32], regions: NDArray[np.uint16], page_size: tuple[int, int], min_region_px: float
) -> Hints:
    """Pick hints: every region large enough gets one, at its deepest point; a large one gets one per grid cell.

    Args:
        colours_lab: (H, W, 3) float32 Lab, what the page should look like.
        regions: (H, W) uint16, 0 = line.
        page_size: (width, height) of the page in pixels.
        min_region_px: smaller pieces get no hint, in pixels of `regions`.

    Returns:
        At most 400 hints, those of the largest pieces first.

    Source: the original takes the median pixel of each flat-coloured area in raster order, which may lie on its rim.
    """
    depth = cv2.distanceTransform(_inside(regions), cv2.DIST_L2, cv2.DIST_MASK_5)
    for cells in CELLS_ACROSS:
        cell_px = (min(regions.shape) / cells) ** 2
        if cell_px < 2 * min_region_px and cells > 1:
            continue  # its pieces would all be too small
        pieces, owner = _split_by_grid(regions, cells)
        sizes = np.bincount(pieces.ravel(), minlength=len(owner))
        sizes[0] = 0
        filling = sizes >= max(min_region_px, cell_px / 4)
        if filling.sum() <= MAX_PAGE_HINTS:
            break
    chosen = _rank_pieces(sizes, owner, filling, min_region_px)[:MAX_PAGE_HINTS]
    chosen = chosen[np.asarray(ndimage.maximum(depth, pieces, chosen)) > 0] if len(chosen) else chosen
    points = ndimage.maximum_position(depth, pieces, chosen) if len(chosen) else []
    rgb = _mean_colours(colours_lab, pieces, chosen, points)
    height, width = regions.shape
    hints = tuple(
        Hint(
            x=(float(x) + 0.5) / width,
            y=(float(y) + 0.5) / height,
            rgb=(int(colour[0]), int(colour[1]), int(colour[2])),
            region=int(owner[piece]),
            source="cgan",
        )
        for (y, x), colour, piece in zip(points, rgb, chosen, strict=True)
    )
    return Hints(size=page_size, hints=hints)


def _rank_pieces(
    sizes: NDArray[np.integer], owner: NDArray[np.int64], filling: NDArray[np.bool_], min_region_px: float
) -> NDArray[np.intp]:
    """Ids of the pieces that deserve a hint, best first: those that fill their cell, by size; then the largest piece
    of every other region that is large enough, by the region's size.

    A sliver that a grid line cuts off a region needs none of its own.
    """
    whole = np.bincount(owner, weights=sizes)
    by_size = np.lexsort((sizes, owner))
    largest = np.zeros(len(sizes), dtype=bool)
    largest[by_size[np.append(np.diff(owner[by_size]) != 0, True)]] = True
    served = np.zeros(len(whole), dtype=bool)
    served[owner[filling]] = True
    further = np.flatnonzero(largest & (whole[owner] >= min_region_px) & ~served[owner] & (sizes > 0))
    first = np.flatnonzero(filling)
    first = first[np.argsort(-sizes[first], kind="stable")]
    return np.concatenate((first, further[np.argsort(-whole[owner[further]], kind="stable")]))


def _inside(regions: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """1 where a pixel's four neighbours are of its own region, so that depth counts from the rim of each region."""
    same = regions > 0
    for axis in (0, 1):
        differs = np.diff(regions, axis=axis) != 0
        before: list[slice] = [slice(None), slice(None)]
        after: list[slice] = [slice(None), slice(None)]
        before[axis], after[axis] = slice(None, -1), slice(1, None)
        same[tuple(before)] &= ~differs
        same[tuple(after)] &= ~differs
    return same.astype(np.uint8)


def _split_by_grid(regions: NDArray[np.uint16], cells: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut regions along a grid: (H, W) ids of pieces, 0 = line, and the region that owns each piece."""
    height, width = regions.shape
    side = max(1.0, min(height, width) / cells)
    rows = (np.arange(height) / side).astype(np.int64)
    columns = (np.arange(width) / side).astype(np.int64)
    cell = rows[:, None] * (int(columns[-1]) + 1) + columns
    keys = np.where(regions > 0, regions.astype(np.int64) * (int(cell.max()) + 1) + cell, 0)
    unique, pieces = np.unique(keys, return_inverse=True)
    owner = unique // (int(cell.max()) + 1)
    pieces = pieces.reshape(regions.shape)
    return (pieces, owner) if owner[0] == 0 else (pieces + 1, np.concatenate(([0], owner)))


def _mean_colours(
    colours_lab: NDArray[np.float32],
    pieces: NDArray[np.int64],
    chosen: NDArray[np.intp],
    points: list[tuple[int, int]],
) -> NDArray[np.uint8]:
    """(N, 3) uint8 RGB: mean chroma of each chosen piece with the lightness at its point."""
    if not len(chosen):
        return np.empty((0, 3), dtype=np.uint8)
    lab = np.empty((len(chosen), 1, 3), dtype=np.float32)
    where = np.array(points)
    lab[:, 0, 0] = colours_lab[where[:, 0], where[:, 1], 0]
    for channel in (1, 2):
        lab[:, 0, channel] = ndimage.mean(colours_lab[..., channel], pieces, chosen)
    return lab_to_rgb(lab)[:, 0]
