"""Trapped-ball segmentation: the areas between lines, with the gaps of the lines closed. Pure."""

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_REGIONS: Final = 65535
MERGE_ROUNDS: Final = 50
TINY_PX: Final = 50
SMALL_PX: Final = 250
SPECK_PX: Final = 5


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

    Source: Zhang et al. 2009, "Vectorizing Cartoon Animations" (IEEE TVCG 15(4)), section 3.1. A region of a
    radius is a connected component of what the ball's centre can reach, grown back by the ball; all regions of a
    radius come from one pass, where the original floods the page once per region.
    """
    fixed = np.zeros(line_mask.shape, dtype=bool) if fixed is None else fixed
    free = ~line_mask & ~fixed
    labels = np.zeros(line_mask.shape, dtype=np.int32)
    count = 0
    for order, radius in enumerate(radii):
        fills = _roll_ball(free & (labels == 0), radius)
        sizes = np.bincount(fills.ravel())[1:]
        if not len(sizes):
            continue
        # As in the original: the first ball only finds the largest area, the later ones what is no crumb.
        wanted = sizes == sizes.max() if order == 0 else sizes >= sizes.mean()
        labels, count = _add_regions(labels, fills, wanted, count)
    rest = _label_components((free & (labels == 0)), connectivity=4)
    labels, count = _add_regions(labels, rest, np.ones(int(rest.max()), dtype=bool), count)
    labels = _merge_small(labels)
    known = _label_components(fixed, connectivity=8)
    labels, _ = _add_regions(labels, known, np.ones(int(known.max()), dtype=bool), int(labels.max()))
    return _number_regions(labels)


def _roll_ball(free: NDArray[np.bool_], radius: int) -> NDArray[np.int32]:
    """Label (H, W) what a ball fills: components of the ball's possible centres, grown back inside `free`."""
    # The page's edge is no wall for the ball: beyond it, all is free.
    reach = cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5) > radius
    if not reach.any():
        return np.zeros(free.shape, dtype=np.int32)
    cores = _label_components(reach, connectivity=4)
    distance, nearest = cv2.distanceTransformWithLabels(
        (~reach).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    core_of = np.zeros(int(nearest.max()) + 1, dtype=np.int32)
    core_of[nearest[reach]] = cores[reach]
    return np.where(free & (distance <= radius + 0.5), core_of[nearest], 0)


def _label_components(mask: NDArray[np.bool_], connectivity: int) -> NDArray[np.int32]:
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=connectivity)
    return np.asarray(labels, dtype=np.int32)


def _add_regions(
    labels: NDArray[np.int32], fills: NDArray[np.int32], wanted: NDArray[np.bool_], count: int
) -> tuple[NDArray[np.int32], int]:
    """Give the wanted fills the ids after `count`; returns the new labels and the new count."""
    new_id = np.zeros(len(wanted) + 1, dtype=np.int32)
    new_id[1:][wanted] = count + 1 + np.arange(int(wanted.sum()), dtype=np.int32)
    added = new_id[fills]
    return np.where(added > 0, added, labels), count + int(wanted.sum())


def _merge_small(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give small regions to the neighbour with the longest common border; specks among lines become line.

    Small is: under 50 px, or under 250 px with a single neighbour. A region only goes to a larger one (of equals, to
    the one with the higher id), so that no two can swallow each other.
    """
    for _ in range(MERGE_ROUNDS):
        sizes = np.bincount(labels.ravel())
        first, second, border = _find_borders(labels, len(sizes))
        neighbours = np.bincount(first, minlength=len(sizes))
        small = (sizes < TINY_PX) | ((sizes < SMALL_PX) & (neighbours == 1))
        upward = (sizes[second] > sizes[first]) | ((sizes[second] == sizes[first]) & (second > first))
        usable = small[first] & upward
        if not usable.any():
            break
        first, second, border = first[usable], second[usable], border[usable]
        order = np.lexsort((border, first))  # the last of each `first` has the longest border
        target = np.arange(len(sizes), dtype=np.int32)
        target[first[order]] = second[order]
        while True:
            further = target[target]
            if (further == target).all():
                break
            target = further
        labels = target[labels]
    keep = np.bincount(labels.ravel()) >= SPECK_PX
    return np.where(keep[labels], labels, 0)


def _find_borders(
    labels: NDArray[np.int32], count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of regions that touch (4-neighbours), both ways round, and their border's length in pixels."""
    pairs = []
    for one, other in ((labels[:, :-1], labels[:, 1:]), (labels[:-1], labels[1:])):
        touch = (one != other) & (one > 0) & (other > 0)
        a, b = one[touch].astype(np.int64), other[touch].astype(np.int64)
        pairs += [a * count + b, b * count + a]
    keys, border = np.unique(np.concatenate(pairs), return_counts=True)
    return keys // count, keys % count, border.astype(np.int64)


def _number_regions(labels: NDArray[np.int32]) -> NDArray[np.uint16]:
    """Renumber without holes; should there be more than fit 16 bits, the smallest become line."""
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    used = np.flatnonzero(sizes)
    if len(used) > MAX_REGIONS:
        used = np.sort(used[np.argsort(-sizes[used], kind="stable")[:MAX_REGIONS]])
    number = np.zeros(len(sizes), dtype=np.uint16)
    number[used] = np.arange(1, len(used) + 1)
    return np.asarray(number[labels], dtype=np.uint16)
