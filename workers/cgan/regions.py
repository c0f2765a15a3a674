"""Trapped-ball segmentation: the areas between lines, with the gaps of the lines closed. Pure."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_REGIONS: Final = 65535
MERGE_ROUNDS: Final = 50
TINY_PX: Final = 50
SMALL_PX: Final = 250
SPECK_PX: Final = 5
BAND_PX: Final = 1 << 17

RollBall = Callable[[NDArray[np.uint8], int], NDArray[np.integer]]
"""Labels what a ball of a radius fills in (H, W) uint8, 1 = free: (H, W), 0 = nothing, 1... = fills."""


class Borders(NamedTuple):
    """Pairs of regions that touch (4-neighbours), each pair both ways round, and their border's length in pixels."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    length: NDArray[np.int64]


def segment_regions(
    line_mask: NDArray[np.bool_], radii: Sequence[int], fixed: NDArray[np.bool_] | None = None
) -> NDArray[np.uint16]:
    """Split the area between lines into regions.

    Args:
        line_mask: (H, W) bool, True on lines.
        radii: radii of the ball, px, in the order in which they are tried.
        fixed: (H, W) bool or None: areas known beforehand; each 8-connected one is a region of its own.

    Returns:
        (H, W) uint16: 0 = line, 1... = regions without holes in the numbering.

    Source: Zhang et al. 2009, "Vectorizing Cartoon Animations" (IEEE TVCG 15(4)), section 3.1. Small regions go to
    the neighbour with the longest common border, where the original takes the neighbour with the lowest id.
    """
    labels = fill_by_ball(~line_mask if fixed is None else ~(line_mask | fixed), radii, roll_ball)
    sizes = count_pixels(labels)
    target, sizes = _merge_small(sizes, find_borders(labels))
    sizes[sizes < SPECK_PX] = 0
    if fixed is not None:
        known = label_components(fixed, connectivity=8)
        known[known > 0] += len(sizes) - 1
        labels = np.maximum(labels, known)
        sizes = np.concatenate((sizes, count_pixels(known)[len(sizes) :]))
        target = np.concatenate((target, np.arange(len(target), len(sizes))))
    return number_regions(labels, target, sizes)


def fill_by_ball(free: NDArray[np.bool_], radii: Sequence[int], roll: RollBall) -> NDArray[np.int32]:
    """Fill the free area with ever smaller balls, and what no ball fills by a 4-connected flood.

    Of the first radius only the largest fill stays, of the others the fills at least as large as their mean: the rest
    waits for a smaller ball.

    Args:
        free: (H, W) bool, False where nothing may be filled.
        radii: radii of the ball, px.
        roll: what one ball fills; this is where the presets differ.

    Returns:
        (H, W) int32: 0 = not free, 1... = regions in the order in which they were found.
    """
    left = free.astype(np.uint8)
    labels = np.zeros(free.shape, dtype=np.int32)
    count = 0
    for order, radius in enumerate(radii):
        fills = roll(left, radius)
        sizes = count_pixels(fills)[1:]
        if not len(sizes):
            continue
        # A fill that others covered whole is none.
        wanted = sizes >= (sizes.max() if order == 0 else sizes[sizes > 0].mean())
        new_id = np.zeros(len(sizes) + 1, dtype=np.int32)
        new_id[1:][wanted] = count + 1 + np.arange(int(wanted.sum()))
        count += int(wanted.sum())
        for band in _split_rows(fills.shape):
            added = new_id[fills[band]]
            np.maximum(labels[band], added, out=labels[band])
            left[band] &= added == 0
    rest = label_components(left, connectivity=4)
    np.add(rest, count, out=rest, where=rest > 0)
    return np.maximum(labels, rest, out=labels)


def roll_ball(free: NDArray[np.uint8], radius: int) -> NDArray[np.integer]:
    """Label what a ball fills: every component of its possible centres is one fill, grown back by the ball.

    Where two fills meet, the lower on the page has it. The original fills one after the other and floods the page for
    each; `workers.cgan.original.regions` gives its exact result.
    """
    return grow_cores(find_cores(free, radius), radius)


def find_cores(free: NDArray[np.uint8], radius: int) -> NDArray[np.int32]:
    """Label the 4-connected components of where a ball's centre can be, in raster order of their first pixels.

    The page's edge is no wall for the ball: beyond it, all is free.
    """
    return label_components(cv2.erode(free, _make_ball(radius)), connectivity=4)


def grow_cores(cores: NDArray[np.integer], radius: int) -> NDArray[np.integer]:
    """Grow (H, W) labels by a ball; where several reach, the highest has it. Returns uint16, or int32 for many."""
    # OpenCV grows no int32; float32 holds every count exactly that a page can have.
    narrow = np.uint16 if not cores.size or cores.max() <= np.iinfo(np.uint16).max else np.float32
    grown = cv2.dilate(cores.astype(narrow, copy=False), _make_ball(radius))
    return grown if grown.dtype == np.uint16 else grown.astype(np.int32)


def label_components(mask: NDArray[np.bool_] | NDArray[np.uint8], connectivity: int) -> NDArray[np.int32]:
    """Label the components of (H, W) bool or 0/1, from 1, in raster order of their first pixels; 0 = none."""
    _, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=connectivity)
    return np.asarray(labels, dtype=np.int32)


def find_insides(regions: NDArray[np.uint16], reach_px: int = 1) -> NDArray[np.bool_]:
    """Where (H, W) regions have only themselves within a cross (or, beyond 1 px, a square) of `reach_px`; 0 nowhere."""
    shape = cv2.MORPH_CROSS if reach_px == 1 else cv2.MORPH_RECT
    kernel = cv2.getStructuringElement(shape, (2 * reach_px + 1,) * 2)
    return (cv2.erode(regions, kernel) == regions) & (cv2.dilate(regions, kernel) == regions) & (regions > 0)


def count_pixels(labels: NDArray[np.integer]) -> NDArray[np.int64]:
    """Count the pixels of each label of (H, W), from 0."""
    sizes = np.zeros(int(labels.max(initial=0)) + 1, dtype=np.int64)
    for band in _split_rows(labels.shape):
        sizes += np.bincount(labels[band].ravel(), minlength=len(sizes))
    return sizes


def find_borders(labels: NDArray[np.int32]) -> Borders:
    """Find which regions touch; line (0) touches nothing. Works on the pixels at borders alone."""
    count = int(labels.max(initial=0)) + 1
    keys = []
    for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        differs = one != other
        a, b = one[differs].astype(np.int64), other[differs].astype(np.int64)
        keys.append((np.minimum(a, b) * count + np.maximum(a, b))[(a > 0) & (b > 0)])
    pairs, length = np.unique(np.concatenate(keys), return_counts=True)
    low, high = pairs // count, pairs % count
    return Borders(np.concatenate((low, high)), np.concatenate((high, low)), np.tile(length, 2))


def number_regions(
    labels: NDArray[np.int32], target: NDArray[np.integer], sizes: NDArray[np.integer]
) -> NDArray[np.uint16]:
    """Number regions without holes; should there be more than fit 16 bits, the smallest become line.

    Args:
        labels: (H, W) int32, 0 = line.
        target: (N,) what became of each label.
        sizes: (N,) pixels of each label after that; 0 makes it line.

    Returns:
        (H, W) uint16, in the order of the labels.
    """
    sizes = sizes.copy()
    sizes[0] = 0
    used = np.flatnonzero(sizes)
    if len(used) > MAX_REGIONS:
        used = np.sort(used[np.argsort(-sizes[used], kind="stable")[:MAX_REGIONS]])
    number = np.zeros(len(sizes), dtype=np.uint16)
    number[used] = np.arange(1, len(used) + 1)
    final = number[target]
    regions = np.empty(labels.shape, dtype=np.uint16)
    for band in _split_rows(labels.shape):
        regions[band] = final[labels[band]]
    return regions


def _split_rows(shape: tuple[int, ...]) -> Iterator[slice]:
    """Bands of rows: NumPy widens labels to eight bytes when it counts or looks up, and a band of that stays cached."""
    rows = max(1, BAND_PX // max(1, shape[1]))
    return (slice(top, top + rows) for top in range(0, shape[0], rows))


def _make_ball(radius: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)), dtype=np.uint8)


def _merge_small(sizes: NDArray[np.int64], borders: Borders) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give small regions to the neighbour with the longest common border; returns each label's target, and the sizes.

    Small is: under 50 px, or under 250 px with a single neighbour. A region only goes to a larger one (of equals, to
    the one with the higher id), so that no two can swallow each other. Works on the graph of regions, not on pixels.
    """
    merged = np.arange(len(sizes))
    for _ in range(MERGE_ROUNDS):
        target = _choose_neighbours(sizes, borders)
        if (target == np.arange(len(sizes))).all():
            break
        merged = target[merged]
        sizes = np.bincount(target, weights=sizes, minlength=len(sizes)).astype(np.int64)
        borders = _contract_borders(borders, target)
    return merged, sizes


def _choose_neighbours(sizes: NDArray[np.int64], borders: Borders) -> NDArray[np.int64]:
    """Where each region goes: to its chosen neighbour, on to that one's, and so forth; to itself if it stays."""
    first, second, length = borders
    neighbours = np.bincount(first, minlength=len(sizes))
    small = (sizes < TINY_PX) | ((sizes < SMALL_PX) & (neighbours == 1))
    upward = (sizes[second] > sizes[first]) | ((sizes[second] == sizes[first]) & (second > first))
    usable = small[first] & upward
    first, second, length = first[usable], second[usable], length[usable]
    order = np.lexsort((length, first))  # the last of each `first` has the longest border
    target = np.arange(len(sizes))
    target[first[order]] = second[order]
    while True:
        further = target[target]
        if (further == target).all():
            return target
        target = further


def _contract_borders(borders: Borders, target: NDArray[np.int64]) -> Borders:
    """The borders between what the regions became."""
    first, second = target[borders.first], target[borders.second]
    apart = first != second
    keys, index = np.unique(first[apart] * len(target) + second[apart], return_inverse=True)
    length = np.bincount(index, weights=borders.length[apart], minlength=len(keys)).astype(np.int64)
    return Borders(keys // len(target), keys % len(target), length)
