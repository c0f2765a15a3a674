"""The original's colour hints: one per region, on its median pixel. Pure."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from common.hints import Hint, Hints
from workers.cgan.hints import MAX_PAGE_HINTS


def pick_median_hints(
    regions: NDArray[np.uint16], colours_rgb: NDArray[np.uint8], page_size: tuple[int, int], min_region_px: int
) -> Hints:
    """Pick a hint for each 8-connected piece of a region that is large enough.

    The original draws hints as discs on a black picture, where a pure black one is lost; here black is a colour.

    Args:
        regions: (H, W) uint16, 0 = line.
        colours_rgb: (N, 3) uint8, RGB: what the draft paints each region in.
        page_size: (width, height) of the page in pixels.
        min_region_px: smaller pieces get no hint, in pixels of `regions`.

    Returns:
        At most 400 hints, the largest piece's first.
    """
    height, width = regions.shape
    rows, columns = find_median_pixels(regions, min_region_px)
    hints = tuple(
        Hint(
            x=(column + 0.5) / width,
            y=(row + 0.5) / height,
            rgb=tuple(colours_rgb[regions[row, column]].tolist()),
            region=int(regions[row, column]),
            source="cgan",
        )
        for row, column in zip(rows[:MAX_PAGE_HINTS].tolist(), columns[:MAX_PAGE_HINTS].tolist(), strict=True)
    )
    return Hints(size=page_size, hints=hints)


def find_median_pixels(regions: NDArray[np.integer], min_region_px: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the median pixels, in raster order, of the 8-connected pieces of equal id, largest first.

    Of n pixels it is the (n // 2)-th, counted from 1.

    Args:
        regions: (H, W) of any integer type; 0 is no region.
        min_region_px: smaller pieces are left out.

    Source: the original loops over all pixels twice. Ours joins runs of equal pixels in a row, which are few.
    """
    width = regions.shape[1]
    starts, lengths = _find_runs(regions)
    pieces = _join_runs(regions, starts)
    order = np.argsort(pieces, kind="stable")  # by piece, and in raster order within
    ends = np.cumsum(lengths[order])
    sizes = np.bincount(pieces, weights=lengths).astype(np.int64)
    line = np.zeros(len(sizes), dtype=bool)
    line[pieces[regions.ravel()[starts] == 0]] = True
    chosen = np.flatnonzero((sizes >= min_region_px) & ~line)
    chosen = chosen[np.argsort(-sizes[chosen], kind="stable")]
    rank = (np.cumsum(sizes) - sizes + np.maximum(sizes // 2, 1) - 1)[chosen]
    run = np.searchsorted(ends, rank, side="right")
    pixel = starts[order[run]] + rank - (ends[run] - lengths[order[run]])
    rows, columns = np.divmod(pixel, width)
    return rows, columns


def _find_runs(regions: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First pixel (as index into the raveled page) and length of each run of equal ids within a row, in order."""
    begins = np.ones(regions.shape, dtype=bool)
    np.not_equal(regions[:, 1:], regions[:, :-1], out=begins[:, 1:])
    starts = np.flatnonzero(begins)
    return starts, np.diff(starts, append=regions.size)


def _join_runs(regions: NDArray[np.integer], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the 8-connected piece that each run belongs to."""
    flat = regions.ravel()
    width = regions.shape[1]
    firsts, seconds = [], []
    # Of two runs that touch, the one that begins further right has the other right above or below its first pixel, or
    # diagonally before it.
    for offset in (-width, width):
        for shift in (-1, 0):
            seen = starts + offset + shift
            inside = (seen >= 0) & (seen < flat.size) & (starts % width + shift >= 0)
            own = np.flatnonzero(inside)
            own = own[flat[seen[own]] == flat[starts[own]]]
            firsts.append(own)
            seconds.append(np.searchsorted(starts, seen[own], side="right") - 1)
    first, second = np.concatenate(firsts), np.concatenate(seconds)
    graph = coo_array((np.ones(len(first), dtype=np.int8), (first, second)), shape=(len(starts), len(starts)))
    _, pieces = connected_components(graph, directed=False)
    return pieces.astype(np.int64)
