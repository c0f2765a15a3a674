"""The original's regions: its trapped ball, fill after fill, and its rule of merging. Pure."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.cgan.regions import (
    MERGE_ROUNDS,
    Borders,
    count_pixels,
    fill_by_ball,
    find_borders,
    find_cores,
    grow_cores,
    number_regions,
)

TINY_PX: Final = 50
SMALL_PX: Final = 250
PLAIN_PX: Final = 500
"""Below this, a region goes when its outline is plain: at most five corners."""
PLAIN_CORNERS: Final = 5
OUTLINE_TOLERANCE: Final = 0.02
"""How far the approximated outline may leave the true one, as a share of its length."""
SPECK_PX: Final = 5
MAX_ROUNDS: Final = 16
"""Of fills made at once. Painted pages of 0.8 and 3.3 megapixels took at most 12, and with 3 they would agree to an
adjusted Rand index of 0.999."""


def segment_original(line_mask: NDArray[np.bool_], radii: Sequence[int]) -> NDArray[np.uint16]:
    """Split the area between lines into regions.

    Args:
        line_mask: (H, W) bool, True on lines.
        radii: radii of the ball, px, in the order in which they are tried.

    Returns:
        (H, W) uint16: 0 = line, 1... = regions without holes in the numbering.

    Source: Zhang et al. 2009, "Vectorizing Cartoon Animations" (IEEE TVCG 15(4)), section 3.1, with the original
    pipeline's rule of merging. The result is the original's to the pixel wherever `MAX_ROUNDS` suffices; the
    way there is ours.
    """
    return merge_regions(fill_by_ball(~line_mask, radii, roll_ball_in_turn))


def roll_ball_in_turn(free: NDArray[np.uint8], radius: int) -> NDArray[np.int32]:
    """Label what a ball fills when one fill is made after the other, in raster order of where they start.

    A fill takes its area from all later ones, which may then be cut in two or vanish. So a round makes, at once, all
    fills that no earlier one reaches into; the others wait for the next round, in which their area is what is left.

    After 16 rounds all that still wait go at once, the first taking what they share: on a page full of dots, rounds
    would go on by the hundred.

    Args:
        free: (H, W) uint8, 1 = free.
        radius: of the ball, px.

    Returns:
        (H, W) int32: 0 = not filled, 1... = fills.
    """
    fills = np.zeros(free.shape, dtype=np.int32)
    window = fills
    count = 0
    for rounds_left in reversed(range(MAX_ROUNDS)):
        cores = find_cores(free, radius)
        first = _grow_first(cores, radius)
        waits = _find_waiting(cores, first, radius) if rounds_left else np.zeros(int(cores.max()) + 1, dtype=bool)
        goes = ~waits
        goes[0] = False
        new_id = np.where(goes, count + np.cumsum(goes), 0).astype(np.int32)
        count += int(goes.sum())
        added = np.take(new_id, first)
        np.maximum(window, added, out=window)
        if not waits.any():
            break
        # What waits lies in ever fewer places: the next round looks at their bounding box alone.
        free = ((added == 0) & (grow_cores(np.take(waits, cores), radius) > 0)).view(np.uint8)
        box = _find_box(free)
        free, window = np.ascontiguousarray(free[box]), window[box]
    return fills


def _grow_first(cores: NDArray[np.int32], radius: int) -> NDArray[np.integer]:
    """Grow labels by a ball; where several reach, the lowest has it."""
    count = int(cores.max(initial=0))
    mirror = np.append(0, np.arange(count, 0, -1)).astype(np.int32)
    return np.take(mirror, grow_cores(np.take(mirror, cores), radius))


def _find_waiting(cores: NDArray[np.int32], first: NDArray[np.integer], radius: int) -> NDArray[np.bool_]:
    """(N + 1,) bool: which cores share a pixel of their fill with an earlier core's."""
    waits = np.zeros(int(cores.max(initial=0)) + 1, dtype=bool)
    claims = cores
    while True:
        # The last to reach a pixel hides those between it and the first: take it away and look again.
        last = grow_cores(claims, radius)
        late = last[last > first]
        if not late.size:
            return waits
        waits[late] = True
        claims = np.where(np.take(waits, cores), 0, cores)


def _find_box(mask: NDArray[np.uint8]) -> tuple[slice, slice]:
    """The box around what is set, with a rim of one unset pixel, as beyond the edge all counts as free."""
    left, top, width, height = cv2.boundingRect(mask)
    return slice(max(0, top - 1), top + height + 1), slice(max(0, left - 1), left + width + 1)


def merge_regions(labels: NDArray[np.int32]) -> NDArray[np.uint16]:
    """Merge small and plain regions into the touching region with the lowest id, region after region, in rounds.

    Args:
        labels: (H, W) int32, 0 = line, from `fill_by_ball`.

    Returns:
        (H, W) uint16 without holes in the numbering.

    Source: the original pipeline: at most 50 rounds, as long as the number of regions falls. Works on the graph of
    regions; pixels are only looked at for outlines.
    """
    sizes = count_pixels(labels)
    neighbours = _list_neighbours(find_borders(labels), len(sizes))
    outlines = _Outlines(labels, sizes)
    ids = np.arange(len(sizes))
    for _ in range(MERGE_ROUNDS):
        before = len(np.unique(ids))
        ids = _merge_once(ids, sizes, neighbours, outlines)
        if len(np.unique(ids)) == before:
            break
    merged_sizes = np.bincount(ids, weights=sizes, minlength=len(sizes)).astype(np.int64)
    return number_regions(labels, ids, merged_sizes)


def _list_neighbours(borders: Borders, count: int) -> list[list[int]]:
    order = np.argsort(borders.first, kind="stable")
    starts = np.searchsorted(borders.first[order], np.arange(count + 1)).tolist()
    second = borders.second[order].tolist()
    return [second[start:end] for start, end in pairwise(starts)]


def _merge_once(
    ids: NDArray[np.int64], sizes: NDArray[np.int64], neighbours: list[list[int]], outlines: "_Outlines"
) -> NDArray[np.int64]:
    """One round: every region that is small is asked in turn, and sees what became of those before it."""
    now = ids.tolist()
    for region, labels, area in _list_small(ids, sizes):
        outside = {other for label in labels for other in neighbours[label]}.difference(labels)
        around = {now[other] for other in outside} - {0}
        goes = area < TINY_PX or (area < SMALL_PX and len(around) == 1) or outlines.is_plain(labels)
        if not goes:
            continue
        alone = 0 if area < SPECK_PX else region  # a speck among lines becomes line
        target = min(around, default=alone)
        for label in labels:
            now[label] = target
    return np.array(now)


def _list_small(ids: NDArray[np.int64], sizes: NDArray[np.int64]) -> list[tuple[int, list[int], int]]:
    """Regions under 500 px, by id: the id, the labels that belong to it, and the area in pixels."""
    areas = np.bincount(ids, weights=sizes).astype(np.int64)
    areas[0] = 0
    small = np.flatnonzero((areas > 0) & (areas < PLAIN_PX))
    order = np.argsort(ids, kind="stable")
    starts, ends = (np.searchsorted(ids[order], small, side=side) for side in ("left", "right"))
    members = order.tolist()
    rows = zip(small.tolist(), starts.tolist(), ends.tolist(), areas[small].tolist(), strict=True)
    return [(region, members[start:end], area) for region, start, end, area in rows]


class _Outlines:
    """The pixels of the labels under 500 px, sorted by label, to draw any of them by itself."""

    def __init__(self, labels: NDArray[np.int32], sizes: NDArray[np.int64]) -> None:
        small = sizes < PLAIN_PX
        small[0] = False
        pixels = np.flatnonzero(np.take(small, labels))
        owner = labels.ravel()[pixels]
        order = np.argsort(owner, kind="stable")
        self._pixels = pixels[order]
        self._starts = np.searchsorted(owner[order], np.arange(len(sizes) + 1))
        self._width = labels.shape[1]

    def is_plain(self, labels: list[int]) -> bool:
        """Whether the outline of these labels together approximates to two to five points."""
        pixels = np.concatenate([self._pixels[self._starts[label] : self._starts[label + 1]] for label in labels])
        y, x = np.divmod(pixels, self._width)
        y, x = y - y.min(), x - x.min()
        drawn = np.zeros((y.max() + 1, x.max() + 1), dtype=np.uint8)
        drawn[y, x] = 1
        outline = cv2.findContours(drawn, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0][0]
        corners = cv2.approxPolyDP(outline, OUTLINE_TOLERANCE * cv2.arcLength(outline, closed=True), closed=True)
        return 2 <= len(corners) <= PLAIN_CORNERS
